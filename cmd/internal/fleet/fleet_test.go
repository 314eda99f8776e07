package fleet

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// partVariable makes this test program a part of a fleet.
const partVariable = "SEALCAM_FLEET_TEST_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		if err := Part(part, os.Stdin, os.Stdout, os.Stderr); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// small is a fleet that a test can wait for.
func small(t *testing.T) Config {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Cameras: 100, For: 12 * time.Second, Events: 4, Size: 4 << 10, Seed: 8, Spread: 2 * time.Second, Handshakes: 60,
		Dir: t.TempDir(), Out: io.Discard, Watched: 5,
		Command: func(part string) *exec.Cmd {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), partVariable+"="+part)
			return cmd
		},
	}
}

// A hundred cameras lose their network, their broker and their clocks, and a
// hostile relay swaps their pictures: nothing is lost, nothing is shown wrongly,
// and all come back below the bound.
func TestFleet(t *testing.T) {
	c := small(t)
	steps := map[string]bool{}
	c.Tell = func(p Progress) { steps[p.Step] = true }
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Lost != 0 || r.Wrong != 0 || !r.Passed() {
		t.Errorf("lost %d, wrong %d: %v %v", r.Lost, r.Wrong, r.Watched.Examples, r.Notes)
	}
	if r.Sealed < 200 || r.Arrived != r.Sealed || r.Doubtful != 0 || r.Waiting != 0 || r.Dropped != 0 {
		t.Errorf("sealed %d, arrived %d, %d wait, %d given up; not kept %+v", r.Sealed, r.Arrived, r.Waiting, r.Dropped, r.Unkept)
	}
	if r.Watched.Shown == 0 || r.Watched.Missing != 0 || r.Watched.Tampered == 0 || r.Watched.Refused["wrong camera"]+r.Watched.Refused["broken seal"]+r.Watched.Refused["malformed"] == 0 {
		t.Errorf("watched %+v", r.Watched)
	}
	if l := r.Liar; l == nil || l.Shown == 0 || l.Tampered == 0 || l.Refused["not what was asked for"]+l.Refused["not given"] == 0 {
		t.Errorf("lied to %+v", l)
	}
	var kinds []string
	for _, b := range r.Returns {
		kinds = append(kinds, b.Fault)
		if b.Peak > r.Bound || b.Peak == 0 && b.Fault == faultRestart {
			t.Errorf("after %s %d connections in a second, at most %d", b.Fault, b.Peak, r.Bound)
		}
	}
	if want := []string{faultFlap, faultCut, faultRestart}; !slices.Equal(kinds, want) {
		t.Errorf("came back after %v, want %v", kinds, want)
	}
	if r.Connections < 200 {
		t.Errorf("%d connections: the restart ended none", r.Connections)
	}
	if r.Idle.Cameras.Heap == 0 || r.Idle.Broker.Goroutines == 0 || r.CameraSide.Out == 0 {
		t.Errorf("measured %+v %+v", r.Idle, r.CameraSide)
	}
	for i, e := range r.Each {
		if e.Resident == 0 || e.InUse == 0 || e.InUseEnd == 0 || e.Files < 1 || e.Connect <= 0 || e.CPU <= 0 || e.Sent == 0 {
			t.Errorf("what one costs, side %d: %+v", i, e)
		}
	}
	if len(steps) < 2 {
		t.Errorf("told of %v only", steps)
	}
	tellsAll(t, r)
}

// On a cluster of three nodes, of which one is killed, and the keeper too, nothing
// is lost and nothing wrong either.
func TestCluster(t *testing.T) {
	c := small(t)
	c.Cameras, c.Nodes, c.For, c.Events = 16, 3, 16*time.Second, 6
	c.Faults = []string{faultNode, faultKeeper, faultRelay}
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Lost != 0 || r.Wrong != 0 || r.Doubtful != 0 || r.Arrived != r.Sealed || r.Sealed < 50 {
		t.Errorf("lost %d, wrong %d, %d in doubt; %d of %d arrived: %v %v %v", r.Lost, r.Wrong, r.Doubtful, r.Arrived, r.Sealed, r.Watched, r.Verdicts, r.Notes)
	}
	if len(r.Returns) != 2 || r.Watched.Shown == 0 {
		t.Errorf("came back after %v; watched %+v", r.Returns, r.Watched)
	}
}

// tellsAll looks at both forms of a report.
func tellsAll(t *testing.T, r *Report) {
	t.Helper()
	var text, js bytes.Buffer
	if err := (Reports{r, r}).WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lost 0, wrong 0", "after restart", "bound 60 a second", "cost of one camera, of"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table says nothing of %q:\n%s", want, text.String())
		}
	}
	if err := (Reports{r, r}).WriteJSON(&js); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Lost, Wrong *int
		Growth      []any
	}
	if err := json.Unmarshal(js.Bytes(), &back); err != nil || back.Lost == nil || back.Wrong == nil || len(back.Growth) != 1 {
		t.Errorf("%v: %s", err, js.String())
	}
}

// Memory that rises with the fleet is told.
func TestGrowth(t *testing.T) {
	of := func(c, b int64) *Report { return &Report{Each: [2]Each{{InUse: c}, {InUse: b}}} }
	for _, v := range []struct {
		all  Reports
		flat bool
	}{
		{Reports{of(100, 80), of(99, 81), of(98, 80)}, true},
		{Reports{of(100, 80), of(110, 80)}, false},
		{Reports{of(100, 80), of(90, 90)}, false},
		{Reports{of(100, 80), of(80, 60), of(90, 60)}, false},
	} {
		var text bytes.Buffer
		if err := v.all.WriteTable(&text); err != nil || v.all.Flat() != v.flat || strings.Contains(text.String(), "RISES") == v.flat {
			t.Errorf("flat %v, want %v: %v\n%s", v.all.Flat(), v.flat, err, text.String())
		}
	}
	if got := Sizes(10_000); !slices.Equal(got, []int{100, 1000, 10_000}) {
		t.Errorf("sizes %v", got)
	}
}

// What neither arrived nor waits is lost; what waits is not. Of what is not kept it
// is said whose it is, and who had it when the broker was killed.
func TestSettle(t *testing.T) {
	r := &Report{atKill: &tally{
		sent: map[string]*account{"all there": {Head: 6}, "one in doubt": {Head: 8, Waiting: 2}},
		kept: map[string]*account{"all there": {Count: 4, Last: 4}, "one in doubt": {Count: 5, Last: 5}},
	}}
	r.settle(&tally{
		sent: map[string]*account{
			"all there":    {Head: 10},
			"some wait":    {Head: 10, Waiting: 3},
			"two are gone": {Head: 10, Waiting: 1},
			"one in doubt": {Number: 7, Head: 10, Acknowledged: 1, Refusals: map[string]uint64{"command stale": 3}},
			"unheard of":   {Head: 2},
		},
		kept: map[string]*account{
			"all there": {Count: 10}, "some wait": {Count: 7}, "two are gone": {Count: 7},
			"one in doubt": {Count: 9, Last: 10, Missing: []seal.Range{{First: 6, Last: 6}}},
		},
	}, world{})
	if r.Lost != 4 || r.Doubtful != 1 || r.Sealed != 42 || r.Arrived != 33 || r.Torn != 3 || len(r.Unkept) != 3 || r.Passed() {
		t.Errorf("%+v", r)
	}
	got := r.Unkept[len(r.Unkept)-1].String()
	if want := "camera 7, clock right: 6..6 of 10 are not kept, it refused 3 command stale; at the kill it had sealed 8, of which 1 were acknowledged and not kept"; got != want {
		t.Errorf("said\n%s, want\n%s", got, want)
	}
	for _, bad := range []Report{{Lost: 1}, {Wrong: 1}, {Doubtful: 1}} {
		if bad.Passed() {
			t.Errorf("%+v passes", bad)
		}
	}
}

// The days of many cameras have as many events as they should, and a rhythm.
func TestRhythm(t *testing.T) {
	const cameras, days = 200, 10
	day, n := 5*time.Minute, 0
	var parts [24]int
	for i := range cameras {
		r := rhythm{rng: numbers(1, "test", i), events: 6, day: day}
		for at := r.next(0); at < days*day; at = r.next(at) {
			parts[int(at%day*24/day)]++
			n++
		}
	}
	if mean := float64(n) / cameras / days; mean < 5.5 || mean > 6.5 {
		t.Errorf("%.2f events a day, want 6", mean)
	}
	if night, evening := parts[2]+parts[3], parts[17]+parts[18]; evening < 10*night {
		t.Errorf("%d events at night, %d in the evening", night, evening)
	}
	if (&rhythm{rng: numbers(1, "none", 0), day: day}).next(0) != never {
		t.Error("a camera without events has one")
	}
}

// Everything follows from the seed, and another seed is another run.
func TestSeed(t *testing.T) {
	c := Config{Seed: 1, For: time.Minute}.WithDefaults()
	d := Config{Seed: 2, For: time.Minute}.WithDefaults()
	say := func(c Config) string {
		b, err := json.Marshal(c.plan())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if first := say(c); first != say(c) || first == say(d) {
		t.Error("the plan does not follow the seed")
	}
	wrong, lost := 0, 0
	for i := range 1000 {
		off, gone := c.clockError(i)
		if off != 0 {
			wrong++
		}
		if gone {
			lost++
		}
	}
	if wrong < 100 || wrong > 200 || lost < 20 || lost > 90 {
		t.Errorf("of 1000 clocks %d are wrong and %d lost", wrong, lost)
	}
	c.Faults = []string{}
	if off, gone := c.clockError(17); len(c.plan()) != 0 || off != 0 || gone {
		t.Error("faults that nobody asked for")
	}
}

func TestValidate(t *testing.T) {
	good := small(t).WithDefaults()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func(*Config){
		func(c *Config) { c.Cameras = -1 },
		func(c *Config) { c.PerHome = 65 },
		func(c *Config) { c.Events = -1 },
		func(c *Config) { c.Size = 10 },
		func(c *Config) { c.For = time.Millisecond },
		func(c *Config) { c.Handshakes = -3 },
		func(c *Config) { c.Spool = 1 },
		func(c *Config) { c.Faults = []string{"flood"} },
		func(c *Config) { c.Dir = "" },
	} {
		c := good
		if spoil(&c); c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// Rates are of the moments at which counts were true, whenever they were heard.
func TestSeries(t *testing.T) {
	var s series
	for i, heard := range []time.Duration{1, 5, 5, 5} { // seconds
		b := sideStats{At: time.Duration(i+1) * time.Second, Admitted: uint64(50 * (i + 1))}
		s.add(heard*time.Second, b)
		s.add(heard*time.Second, b) // once more, which is no news
	}
	s.restart()
	s.add(20*time.Second, sideStats{At: time.Second, Admitted: 30})
	s.add(21*time.Second, sideStats{At: 2 * time.Second, Admitted: 40})
	got := s.rates(0)
	if len(got) < 6 || got[0] != 50 || slices.Max(got) != 50 || got[len(got)-1] != 10 || s.rate() != 10 {
		t.Errorf("%v", got)
	}
	text := chart(got, 60)
	if !strings.Contains(text, "60 |") || !strings.Contains(text, "bound 60 a second") || strings.Count(text, "\n") != 7 {
		t.Errorf("\n%s", text)
	}
}
