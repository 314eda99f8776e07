package daynight_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

// keep is a trace's destination that remembers each of its files.
type keep struct {
	files  []*bytes.Buffer
	closed int
}

type file struct {
	*bytes.Buffer
	k *keep
}

func (f file) Close() error { f.k.closed++; return nil }

func (k *keep) open() (io.WriteCloser, error) {
	b := new(bytes.Buffer)
	k.files = append(k.files, b)
	return file{b, k}, nil
}

// nightInputs returns a day, a night with headlights, and a dawn, with the noise of a sensor.
func nightInputs(t *testing.T) []daynight.Input {
	t.Helper()
	r := atNight(t, both, func(r *rig) { r.lux = 100 })
	r.pass(30 * time.Minute)
	r.visible = 2
	r.pass(20 * time.Second)
	r.visible = darkness
	r.pass(30 * time.Minute)
	r.visible, r.infrared = daylight, daylight
	r.until(capture.LightDay, 10*time.Minute)
	r.pass(10 * time.Minute)
	for i := range r.inputs {
		in := &r.inputs[i]
		in.Scene.Level += 0.3 * float64(i%7-3)
		in.Clock = time.Duration(i) * time.Second
		in.Fresh = i == 3000
	}
	return r.inputs
}

func record(t *testing.T, rec *daynight.Recorder, inputs []daynight.Input) []daynight.Action {
	t.Helper()
	c, err := daynight.NewController(both)
	if err != nil {
		t.Fatal(err)
	}
	var acts []daynight.Action
	for _, in := range inputs {
		acts = append(acts, rec.Step(c, in))
	}
	if err := errors.Join(rec.Err(), rec.Close()); err != nil {
		t.Fatal(err)
	}
	return acts
}

func TestTraceRoundTrip(t *testing.T) {
	inputs := nightInputs(t)
	var k keep
	acts := record(t, &daynight.Recorder{Open: k.open}, inputs)
	if len(k.files) != 1 || k.closed != 1 {
		t.Fatalf("%d files, %d closed", len(k.files), k.closed)
	}
	n := 0
	cfg, err := daynight.Replay(bytes.NewReader(k.files[0].Bytes()), func(s daynight.Replayed) error {
		if s.Recorded != acts[n] {
			return fmt.Errorf("recorded %+v, was %+v", s.Recorded, acts[n])
		}
		if !s.Same() || s.Now != s.Recorded {
			return fmt.Errorf("replayed %+v, was %+v", s.Now, s.Recorded)
		}
		n++
		return nil
	})
	if err != nil {
		t.Fatalf("step %d: %v", n, err)
	}
	if n != len(inputs) {
		t.Errorf("%d steps replayed of %d", n, len(inputs))
	}
	if !cfg.HasLamp || cfg.Dark != 28 {
		t.Errorf("configuration read back: %+v", cfg)
	}
	if per := float64(k.files[0].Len()) / float64(len(inputs)); per > 60 {
		t.Errorf("%.1f bytes a step, expected a small trace", per)
	}
}

// A trace that is full goes on in a new file, which can be replayed alone.
func TestTraceRotates(t *testing.T) {
	inputs := nightInputs(t)
	var k keep
	acts := record(t, &daynight.Recorder{Open: k.open, Max: 20000}, inputs)
	if len(k.files) < 3 {
		t.Fatalf("%d files of 20000 bytes", len(k.files))
	}
	n := 0
	for i, f := range k.files {
		if f.Len() > 24000 {
			t.Errorf("file %d holds %d bytes, 20000 and a line were allowed", i, f.Len())
		}
		if _, err := daynight.Replay(bytes.NewReader(f.Bytes()), func(s daynight.Replayed) error {
			if s.Now != acts[n] {
				return fmt.Errorf("step %d: replayed %+v, was %+v", n, s.Now, acts[n])
			}
			n++
			return nil
		}); err != nil {
			t.Fatalf("file %d: %v", i, err)
		}
	}
	if n != len(inputs) {
		t.Errorf("%d steps replayed of %d", n, len(inputs))
	}
}

// An hour in which nothing changes takes one line.
func TestTraceOfNothing(t *testing.T) {
	in := daynight.Input{Clock: -1, Scene: daynight.Scene{Mean: 110, Level: 100, Low: 50, Mid: 100, High: 150}}
	var inputs []daynight.Input
	for range 3600 {
		inputs = append(inputs, in)
		in.At += time.Second
	}
	var k keep
	record(t, &daynight.Recorder{Open: k.open}, inputs)
	if n := bytes.Count(k.files[0].Bytes(), []byte("\n")); n > 8 {
		t.Errorf("%d lines", n)
	}
}

// A full disk ends the recording and nothing else.
func TestTraceDiskFull(t *testing.T) {
	full := errors.New("disk full")
	c, err := daynight.NewController(both)
	if err != nil {
		t.Fatal(err)
	}
	rec := &daynight.Recorder{Open: func() (io.WriteCloser, error) { return nil, full }}
	if act := rec.Step(c, daynight.Input{}); act.Reason == "" {
		t.Error("no decision")
	}
	if err := rec.Err(); !errors.Is(err, full) {
		t.Errorf("Err: %v", err)
	}
	rec.Step(c, daynight.Input{})
	if err := errors.Join(rec.Err(), rec.Close()); err != nil {
		t.Errorf("told again: %v", err)
	}
}

func TestReplayRefuses(t *testing.T) {
	var k keep
	record(t, &daynight.Recorder{Open: k.open}, nightInputs(t)[:20])
	good := k.files[0].String()
	head, _, _ := strings.Cut(good, "\n")
	for _, tt := range []struct{ trace, want string }{
		{"", "line 1: no trace"},
		{"not a trace\n", "line 1: invalid character"},
		{`{"sealcam-daynight-trace":2}`, "a trace of version 2: expected 1"},
		{`{"sealcam-daynight-trace":1,"config":{"dark":250}}`, "dark: expected 8..80"},
		{strings.Replace(head, `"phase":0`, `"phase":200`, 1), "phase 200"},
		{strings.Replace(head, `"n":0`, `"n":-3`, 1), "a count below 0"},
		{head + "\n{\"colour\":3}", `line 2: json: unknown field "colour"`},
		{head + "\n{\"dt\":-5}", "line 2: dt: expected 0 to 86400000 ms, found -5"},
		{head + "\n{\"n\":30000000}", "line 2: n: expected at most"},
		{head + "\n{\"clock\":1440}", "line 2: clock: expected minutes of a day"},
		{head + "\n{} {}", "line 2: more than one value"},
		{head + "\n{\"n\":10}\n{\"n\":4999995}", "more than 5000000 steps"},
		{head + "\n\"" + strings.Repeat("x", 70<<10) + "\"", "token too long"},
	} {
		stop := errors.New("enough")
		n := 0
		_, err := daynight.Replay(strings.NewReader(tt.trace), func(daynight.Replayed) error {
			if n++; n > 1000 {
				return stop
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.80q: %v, expected %q", tt.trace, err, tt.want)
		}
	}
}

// The committed traces decide as committed. They come from the simulator
// (go test ./capture/daynight/simtest -run Traces -update writes them); a trace
// from the field is added here by copying it.
func TestCommittedTraces(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d traces in testdata: %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			n, other := 0, 0
			if _, err := daynight.Replay(f, func(s daynight.Replayed) error {
				n++
				if s.Now != s.Recorded {
					if other++; other == 1 {
						t.Errorf("line %d, at %v: now %+v, was %+v", s.Line, s.Input.At, s.Now, s.Recorded)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if other > 0 || n < 100 {
				t.Errorf("%d of %d steps are decided differently", other, n)
			}
		})
	}
}

// A trace from anywhere does not break the reader, and what is replayed keeps
// the controller's promises.
func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"sealcam-daynight-trace":1,"config":{"mode":"auto","schedule":"00:00-00:00","filter":true,"lamp":true,"dims":true},"state":{}}` + "\n" +
		`{"dt":1000,"clock":-1,"mean":110,"level":100,"exp":33300,"gain":4,"ambient":12}` + "\n" + `{"n":30}` + "\n" + `{"level":2,"mean":2}` + "\n" + `{"n":50}`))
	f.Fuzz(func(t *testing.T, trace []byte) {
		n := 0
		enough := errors.New("enough")
		daynight.Replay(bytes.NewReader(trace), func(s daynight.Replayed) error {
			if a := s.Now; !(a.Lamp >= 0 && a.Lamp <= 1) || a.Light > capture.LightSwitching || a.Filter > daynight.FilterNight {
				t.Fatalf("%+v", a)
			}
			if n++; n > 5000 {
				return enough
			}
			return nil
		})
	})
}
