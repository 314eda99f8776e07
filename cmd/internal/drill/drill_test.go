package drill

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

func run(t *testing.T, c Config) *Report {
	t.Helper()
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOpener puts sealcam's own opener through a short drill.
func TestOpener(t *testing.T) {
	r := run(t, Config{Deliveries: 12000, Seed: 1})
	var table bytes.Buffer
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", table.String())
	if !r.Passed() {
		t.Errorf("%d shown wrongly, %d unaccounted for: %q", r.WrongShown, r.AuthenticUnaccounted, r.Examples)
	}
	if r.Deliveries != 12000 {
		t.Errorf("%d deliveries", r.Deliveries)
	}
	sum := r.AuthenticShown + r.AuthenticUnaccounted
	for reason, n := range r.AuthenticAccounted {
		if n == 0 {
			t.Errorf("no message is %s: the relay has become too tame", reason)
		}
		sum += n
	}
	if sum != r.AuthenticSent || r.AuthenticShown < r.AuthenticSent*3/4 {
		t.Errorf("of %d authentic messages %d were shown, and %d have a fate", r.AuthenticSent, r.AuthenticShown, sum)
	}
	for name, row := range r.Attacks {
		if row.Tried < 20 {
			t.Errorf("%s: tried %d times", name, row.Tried)
		}
		refused := 0
		for reason, n := range row.Refused {
			if seal.Reason(reason).Person() == seal.Reason("?").Person() {
				t.Errorf("%s: refused with %q, which is no reason", name, reason)
			}
			refused += n
		}
		if refused+row.Shown+row.Reported != row.Tried {
			t.Errorf("%s: tried %d, refused %d, shown %d", name, row.Tried, refused, row.Shown)
		}
	}
	for _, name := range []string{bodySwap, rewrapped, bySibling, byStranger, stripped, algorithm, keyID, "cloned camera", "truncated", "bits flipped", partChanged, partOfCamera, partOfHome} {
		if n := r.Attacks[name].Shown; n != 0 {
			t.Errorf("%s: %d times something was shown for it", name, n)
		}
	}
	for _, name := range []string{partDropped, clipCut} {
		if row := r.Attacks[name]; row.Reported < row.Tried*3/4 {
			t.Errorf("%s: of %d clips %d were told of as lacking parts", name, row.Tried, row.Reported)
		}
	}
	if r.Clips.Shown == 0 || r.Clips.Reported == 0 || r.Attacks[partReordered].Shown == 0 {
		t.Errorf("clips: %+v; reordered: %+v", r.Clips, r.Attacks[partReordered])
	}
	if r.Attacks["cloned camera"].Alarms == 0 {
		t.Error("nobody noticed the clone")
	}
}

// TestSeed: everything follows from the seed, on any number of processors.
func TestSeed(t *testing.T) {
	report := func(seed uint64, workers int) string {
		r := run(t, Config{Deliveries: 1200, Households: 2, Cameras: 2, Seed: seed, Workers: workers, Now: func() time.Time { return dawn }})
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	one := report(7, 1)
	if again := report(7, 3); again != one {
		t.Errorf("the same seed gives\n%s\nand\n%s", one, again)
	}
	if other := report(8, 2); other == one {
		t.Error("another seed gives the same drill")
	}
}

// TestJSON holds the names that others read.
func TestJSON(t *testing.T) {
	r := Report{Deliveries: 5, Attacks: map[string]Row{"x": {Tried: 2, Wrong: 1, Refused: map[string]int{"stale": 1}}}}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deliveries", "wrong_shown", "authentic_sent", "authentic_shown", "attacks", "authentic_accounted", "authentic_unaccounted"} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s in %s", name, b.String())
		}
	}
	if row := got["attacks"].(map[string]any)["x"].(map[string]any); row["tried"] != 2.0 || row["shown_wrongly"] != 1.0 {
		t.Errorf("a row is %v", row)
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, c := range []struct {
		config Config
		words  string
	}{
		{Config{Households: 1}, "1 households"},
		{Config{Cameras: 1}, "1 cameras"},
		{Config{Sessions: -1}, "-1 viewers"},
		{Config{Sessions: 1000, Deliveries: 5000}, "5000 deliveries for 1000 viewers"},
		{Config{Workers: -1}, "-1 workers"},
	} {
		if _, err := Run(t.Context(), c.config); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}

// TestHostileKeeper: whatever a keeper does to viewers that were away, nothing is shown
// wrongly, and all that is authentic is shown or known to be missing.
func TestHostileKeeper(t *testing.T) {
	r := run(t, Config{Deliveries: 1000, Sessions: 2, Households: 2, Seed: 5})
	k := r.Keeper
	if k.WrongShown != 0 || k.AuthenticUnaccounted != 0 || !r.Passed() {
		t.Errorf("%d shown wrongly, %d unaccounted for: %q", k.WrongShown, k.AuthenticUnaccounted, r.Examples)
	}
	if k.Viewers != len(lies) || k.AuthenticShown < k.AuthenticSent/2 {
		t.Errorf("%d viewers were shown %d of %d", k.Viewers, k.AuthenticShown, k.AuthenticSent)
	}
	for _, l := range lies {
		row := k.Lies[l.name]
		refused := 0
		for _, n := range row.Refused {
			refused += n
		}
		quiet := map[string]bool{"stale list": true, "left out of lists": true, "lower heads": true, "higher heads": true, "said to be deleted, and given": true}[l.name]
		if row.Tried == 0 || refused == 0 && !quiet || row.Wrong != 0 {
			t.Errorf("%s: %+v", l.name, row)
		}
	}
	if row := k.Lies["withheld"]; row.Reported == 0 || row.Refused["not given"] == 0 {
		t.Errorf("withheld: %+v", row)
	}
	if row := k.Lies["stale list"]; row.Reported != 0 {
		t.Errorf("what came with a newer list is missing: %+v", row)
	}
	if row := k.Lies["said to be deleted, and given"]; row.Shown == 0 {
		t.Errorf("said to be deleted: %+v", row)
	}
}
