package drill

import (
	"bytes"
	"testing"
)

// TestMosquitto makes a short drill over a real broker, with TLS.
func TestMosquitto(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Mosquitto; run without -short")
	}
	var log bytes.Buffer
	way, stop, err := StartMosquitto(t.Context(), t.TempDir(), &log)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := Config{Deliveries: 3000, Sessions: 8, Households: 2, Seed: 2, Way: way, Broker: "mosquitto"}
	r := run(t, c)
	var table bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", table.String())
	if !r.Passed() {
		t.Errorf("%d shown wrongly, %d unaccounted for: %q", r.WrongShown, r.AuthenticUnaccounted, r.Examples)
	}
	if r.Deliveries < 2700 || r.AuthenticShown < r.AuthenticSent*3/4 {
		t.Errorf("%d deliveries, %d of %d authentic messages shown", r.Deliveries, r.AuthenticShown, r.AuthenticSent)
	}
	if row := r.Attacks[retained]; row.Tried < 8*4*4 {
		t.Errorf("the broker handed over %d kept messages only", row.Tried)
	}
}
