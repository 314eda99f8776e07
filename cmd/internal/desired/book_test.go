package desired

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// flash is a Memory that can fail, or lose power.
type flash struct {
	held   []byte
	stores int
	full   bool // nothing can be stored
	cut    int  // the power fails at this store, counted from 1; 0 for never
	kept   bool // what was being stored then is there
}

var errCut = errors.New("the power is gone")

func (f *flash) Load() ([]byte, error) { return f.held, nil }

func (f *flash) Store(b []byte) error {
	if f.full {
		return errors.New("no space left on device")
	}
	f.stores++
	if f.cut > 0 && f.stores >= f.cut {
		if f.stores == f.cut && f.kept {
			f.held = b
		}
		return errCut
	}
	f.held = b
	return nil
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// open opens a Book in which bodies with the word "bad" cannot be used.
func open(t *testing.T, m Memory) *Book {
	t.Helper()
	b, err := Open(config(m))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func config(m Memory) Config {
	return Config{Memory: m, Now: func() time.Time { return noon }, Usable: func(layers []Settings) error {
		for _, l := range layers {
			if bytes.Contains(l.Body, []byte("bad")) {
				return errors.New("line 2: a bad key")
			}
		}
		return nil
	}}
}

func wish(t Target, version uint64, body string) Settings {
	return Settings{For: t, Version: version, Body: []byte(body), By: "owner"}
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// bodies returns what is to be applied.
func bodies(b *Book) (all []string) {
	for _, l := range b.Layers() {
		all = append(all, string(l.For)+"="+string(l.Body))
	}
	return all
}

func expect(t *testing.T, b *Book, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, bodies(b)); d != "" {
		t.Errorf("-want +applied:\n%s", d)
	}
}

// states returns what is said of each target: version in force, newest, state.
func states(b *Book) (all []string) {
	for _, w := range b.Status() {
		all = append(all, fmt.Sprintf("%s %d %d %s", w.For, w.Version, w.Newest, w.State))
	}
	return all
}

func TestLayersInOrder(t *testing.T) {
	b := open(t, &flash{})
	for i, target := range []Target{Camera, Group("porch"), All, Group("barn")} {
		do(t, b.Take(wish(target, uint64(10+i), fmt.Sprint(i))))
	}
	for range 4 {
		if !b.Waiting() {
			t.Fatal("nothing waits")
		}
		do(t, b.Begin())
		if b.Waiting() || b.Trial() == nil {
			t.Error("two may be tried at a time")
		}
		do(t, b.Confirm())
	}
	expect(t, b, "all=2", "group barn=3", "group porch=1", "camera=0")
	b.Member(func(target Target) bool { return target == Group("barn") })
	expect(t, b, "all=2", "group barn=3", "camera=0")
	want := []string{"all 12 12 applied", "group barn 13 13 applied", "group porch 11 11 group left", "camera 10 10 applied"}
	if d := cmp.Diff(want, states(b)); d != "" {
		t.Errorf("-want +status:\n%s", d)
	}
}

func TestVersionsOnlyRise(t *testing.T) {
	m := &flash{}
	b := open(t, m)
	do(t, b.Take(wish(All, 5, "five")), b.Begin(), b.Confirm(), b.Take(wish(All, 7, "seven")), b.Begin(), b.Reject("no frame came"))
	stores := m.stores
	for _, s := range []Settings{wish(All, 7, "seven"), wish(Camera, 1, "first")} {
		if err := b.Take(s); err != nil {
			t.Errorf("%s %d: %v", s.For, s.Version, err)
		}
	}
	if m.stores != stores+1 {
		t.Errorf("what was known was stored again: %d writes", m.stores-stores)
	}
	for name, s := range map[string]Settings{"older than what failed": wish(All, 6, "six"), "in force": wish(All, 5, "five"), "first of all": wish(All, 1, "")} {
		if err := b.Take(s); seal.ReasonOf(err) != seal.Replayed {
			t.Errorf("%s: %v", name, err)
		}
	}
	var twin *seal.Refusal
	if err := b.Take(wish(All, 7, "another seven")); !errors.As(err, &twin) || !twin.Alarm {
		t.Errorf("two of one version: %v", err)
	}
	for _, b := range []*Book{b, open(t, m)} { // over a restart
		if err := b.Take(wish(All, 6, "six")); seal.ReasonOf(err) != seal.Replayed {
			t.Errorf("after a restart: %v", err)
		}
		expect(t, b, "all=five")
		if b.Waiting() && b.Status()[0].State == uplink.Waits {
			t.Error("what has failed is tried again")
		}
	}
	do(t, b.Take(wish(All, 8, "eight")))
	if s := b.Status()[0]; s.State != uplink.Waits || s.Why != "" {
		t.Errorf("newer ones: %+v", s)
	}
}

// What cannot be used is told once, with its reason, and not looked at again.
func TestUnusable(t *testing.T) {
	m := &flash{}
	b := open(t, m)
	do(t, b.Take(wish(Camera, 3, "fine")), b.Begin(), b.Confirm())
	if err := b.Take(wish(Camera, 4, "bad")); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
	if err := b.Take(wish(Camera, 4, "bad")); err != nil {
		t.Errorf("the same again: %v", err)
	}
	for _, b := range []*Book{b, open(t, m)} {
		s := b.Status()[0]
		if s.State != uplink.Refused || s.Why != "line 2: a bad key" || s.Version != 3 || s.Newest != 4 || b.Waiting() {
			t.Errorf("%+v", s)
		}
		if words := Words(s); !strings.Contains(words, "settings 4 for this camera cannot be used here: line 2: a bad key; those from before hold") {
			t.Errorf("words %q", words)
		}
		expect(t, b, "camera=fine")
	}
}

// The power may fail at every write, before it or after: what held before holds, or
// what was proven; never what was not, and never a version that has failed.
func TestPowerCutAtEveryWrite(t *testing.T) {
	story := func(b *Book) (judged bool, err error) {
		steps := []func() error{
			func() error { return b.Take(wish(All, 1, "one")) }, b.Begin, b.Confirm,
			func() error { return b.Take(wish(Camera, 2, "two")) }, b.Begin, func() error { return b.Reject("no frame came") },
			func() error { return b.Take(wish(All, 3, "three")) }, b.Begin,
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return false, err
			}
		}
		judged = true
		return judged, b.Confirm()
	}
	whole := &flash{}
	if _, err := story(open(t, whole)); err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut <= whole.stores; cut++ {
		for _, kept := range []bool{false, true} {
			m := &flash{cut: cut, kept: kept}
			judged, err := story(open(t, m))
			if !errors.Is(err, errCut) {
				t.Fatalf("cut %d: %v", cut, err)
			}
			m.cut = 0
			trial := bytes.Contains(m.held, []byte(`"trial"`))
			b := open(t, m)
			if b.Trial() != nil {
				t.Errorf("cut %d, kept %v: it starts on trial", cut, kept)
			}
			for _, l := range b.Layers() {
				proven := string(l.Body) == "one" || string(l.Body) == "three" && judged
				if !proven {
					t.Errorf("cut %d, kept %v: %s is in force", cut, kept, l.Body)
				}
			}
			fell := slices.ContainsFunc(b.Status(), func(w uplink.WantedSettings) bool { return strings.Contains(w.Why, "power cut") })
			if fell != trial {
				t.Errorf("cut %d, kept %v: it was on trial: %v, and that is said: %v", cut, kept, trial, fell)
			}
			for b.Waiting() { // and what was cut off before its trial has it yet
				if s := b.Status(); slices.ContainsFunc(s, func(w uplink.WantedSettings) bool {
					return w.State == uplink.RolledBack && w.Newest == 2 && w.Version == 2
				}) {
					t.Errorf("cut %d: what failed is in force", cut)
				}
				do(t, b.Begin(), b.Confirm())
			}
		}
	}
}

// Without a disk nothing new is tried, and what is given up is given up all the same.
func TestNothingCanBeStored(t *testing.T) {
	m := &flash{}
	b := open(t, m)
	do(t, b.Take(wish(All, 1, "one")), b.Begin(), b.Confirm(), b.Take(wish(All, 2, "two")))
	m.full = true
	if err := b.Take(wish(Camera, 9, "nine")); err == nil || errors.Is(err, ErrUnusable) {
		t.Errorf("taken without a place to keep it: %v", err)
	}
	if err := b.Begin(); err == nil || b.Trial() != nil {
		t.Errorf("tried without a record: %v", err)
	}
	expect(t, b, "all=one")
	m.full = false
	do(t, b.Begin())
	m.full = true
	if err := b.Confirm(); err == nil || b.Trial() == nil {
		t.Errorf("confirmed without a record: %v", err)
	}
	if err := b.Reject("the disk is gone"); err == nil || b.Trial() != nil {
		t.Errorf("given up: %v", err)
	}
	expect(t, b, "all=one")
}

// A trial that a restart in good order breaks off begins again, but not for ever.
func TestStops(t *testing.T) {
	m := &flash{}
	b := open(t, m)
	do(t, b.Stop(), b.Take(wish(All, 1, "one")))
	for n := 1; n <= maxStops; n++ {
		do(t, b.Begin(), b.Stop())
		b = open(t, m)
		if b.Waiting() != (n < maxStops) {
			t.Errorf("after %d stops it waits: %v", n, b.Waiting())
		}
	}
	if s := b.Status()[0]; s.State != uplink.RolledBack || !strings.Contains(s.Why, "stopped 3 times") {
		t.Errorf("%+v", s)
	}
	do(t, b.Take(wish(All, 2, "two")), b.Begin(), b.Take(wish(All, 3, "three")), b.Stop())
	if s := b.Status()[0]; s.Newest != 3 || s.State != uplink.Waits {
		t.Errorf("newer ones came during the trial: %+v", s)
	}
	do(t, b.Begin())
	expect(t, b, "all=three")
}

func TestBounds(t *testing.T) {
	b := open(t, &flash{})
	var last error
	for i := range maxTargets + 1 {
		if last = b.Take(wish(Group(fmt.Sprintf("g%02d", i)), 1, "x")); last != nil && i < maxTargets {
			t.Fatal(last)
		}
	}
	if !errors.Is(last, ErrUnusable) {
		t.Errorf("one target too many: %v", last)
	}
	b.Member(func(target Target) bool { return target != Group("g07") })
	do(t, b.Take(wish(Camera, 1, "x"))) // in the place of a group that was left
	b = open(t, &flash{})
	body := strings.Repeat("#", seal.MaxSettings)
	for i := range maxBodies / len(body) {
		do(t, b.Take(wish(Group(fmt.Sprint(i)), 1, body)))
	}
	if err := b.Take(wish(All, 1, "#")); !errors.Is(err, ErrUnusable) {
		t.Errorf("bodies of more than %d bytes: %v", maxBodies, err)
	}
	if err := b.Take(wish(Group("0"), 2, body)); err != nil {
		t.Errorf("in the place of another: %v", err)
	}
	if s := short(strings.Repeat("words\n", 100)); len(s) > maxWhy+3 || strings.Contains(s, "\n") {
		t.Errorf("a reason of %d bytes: %q", len(s), s)
	}
}

// A file that makes no sense is told, and the Book goes on without.
func TestDamaged(t *testing.T) {
	for _, text := range []string{"{", "null", `{"format":2}`, `{"format":1,"targets":[null]}`, `{"format":1,"targets":[{"for":"camera"},{"for":"all"}]}`,
		`{"format":1,"targets":[{"for":"all","holds":{"for":"camera","version":1}}]}`, `{"format":1,"targets":[{"for":"all","holds":{"for":"all"}}]}`,
		`{"format":1,"targets":[{"for":"all","trial":{"for":"all","version":1}},{"for":"camera","trial":{"for":"camera","version":1}}]}`} {
		b, err := Open(config(&flash{held: []byte(text)}))
		if err == nil || b == nil || len(b.Status()) > 0 {
			t.Errorf("%s: %v", text, err)
			continue
		}
		do(t, b.Take(wish(All, 1, "one")))
	}
}

func TestFile(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "wanted.json"))
	if b, err := f.Load(); b != nil || err != nil {
		t.Errorf("absent: %q, %v", b, err)
	}
	for _, text := range []string{"one", "two"} {
		do(t, f.Store([]byte(text)))
		if b, err := f.Load(); string(b) != text || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
	st, err := os.Stat(string(f))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	do(t, os.Truncate(string(f), maxRecord+1))
	if _, err := f.Load(); err == nil {
		t.Error("a file without an end is read")
	}
	if err := File(filepath.Join(t.TempDir(), "no", "wanted.json")).Store(nil); err == nil {
		t.Error("stored nowhere")
	}
}

func TestTopics(t *testing.T) {
	for target, topic := range map[Target]string{All: "all", Camera: "camera", Group("gates"): "group-gates"} {
		if target.Topic() != topic {
			t.Errorf("%s is at %s", target, target.Topic())
		}
	}
	if got := VersionWords(uint64(noon.UnixMilli())); got != "of "+noon.Local().Format(time.DateTime) {
		t.Error(got)
	}
	if got := VersionWords(7); got != "7" {
		t.Error(got)
	}
}

// FuzzRecord: whatever stands in the file, a Book opens, keeps its order, and what it
// stores it reads again as the same.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"format":1,"targets":[{"for":"all","holds":{"for":"all","version":5,"body":"YQ=="},"next":{"for":"all","version":7,"body":""}},{"for":"group a","fell":{"version":3}},{"for":"camera","trial":{"for":"camera","version":2}}]}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := &flash{held: text}
		b, err := Open(config(m))
		if err != nil {
			return
		}
		if b.Trial() != nil {
			t.Fatal("it starts on trial")
		}
		_ = b.Take(wish(Camera, 1<<40, "new"))
		if b.Waiting() {
			_ = b.Begin()
			_ = b.Confirm()
		}
		before, _ := json.Marshal(b.Status())
		again, err := Open(config(m))
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := json.Marshal(again.Status()); m.stores > 0 && !bytes.Equal(before, after) {
			t.Fatalf("before %s\nafter %s", before, after)
		}
	})
}
