package slot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Whatever is made of the record, an intact slot that was confirmed last runs, and
// it is said why.
func TestDamagedRecord(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"gone":     nil,
		"empty":    func([]byte) []byte { return []byte{} },
		"torn":     func(b []byte) []byte { return b[:len(b)/2] },
		"flipped":  func(b []byte) []byte { b[len(b)-20] ^= 4; return b },
		"other":    func([]byte) []byte { return []byte("hello") },
		"large":    func([]byte) []byte { return make([]byte, 1<<20) },
		"newer":    func(b []byte) []byte { return []byte(strings.Replace(string(b), "slot 1 ", "slot 2 ", 1)) },
		"hostile":  func([]byte) []byte { return encode(&state{Confirmed: "../../bin", Number: 3}) },
		"nothing":  func([]byte) []byte { return encode(&state{Confirmed: A, Number: 1 << 60}) },
		"no trial": func([]byte) []byte { return encode(&state{Started: true}) },
		"one slot": func([]byte) []byte {
			h := &Held{Number: 1, Size: 1}
			return encode(&state{Confirmed: A, Trial: A, A: h, Number: 1})
		},
		"more": func(b []byte) []byte { return append(b, b...) },
	} {
		t.Run(name, func(t *testing.T) {
			d, w := newDisk(t), newWorld(t)
			w.start(d, alive)
			w.update(d, 10, "confirm", alive)
			w.update(d, 20, "confirm", alive)
			w.update(d, 30, "reject", alive)
			if damage == nil {
				delete(d.now, "state")
			} else {
				d.now["state"].data = damage(d.now["state"].data)
			}
			c := w.store(d).Launch()
			if c.Number != 20 || c.Trial || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "made anew") {
				t.Errorf("%d runs (%v)", c.Number, c.Notes)
			}
			w.whole(d)
		})
	}
}

// A confirmed slot that is damaged does not run, nor does an older one: what was
// flashed does. The same release mends it.
func TestDamagedSlot(t *testing.T) {
	for name, damage := range map[string]func(d *powerDisk, n string){
		"gone":    func(d *powerDisk, n string) { delete(d.now, n) },
		"flipped": func(d *powerDisk, n string) { d.now[n].data[3] ^= 1 },
		"longer":  func(d *powerDisk, n string) { d.now[n].data = append(d.now[n].data, 'x') },
		"shorter": func(d *powerDisk, n string) { d.now[n].data = d.now[n].data[:5] },
	} {
		t.Run(name, func(t *testing.T) {
			d, w := newDisk(t), newWorld(t)
			w.update(d, 10, "confirm", alive)
			w.update(d, 20, "confirm", alive)
			damage(d, string(w.running.Slot)+"/sealcamd")
			for _, record := range []bool{true, false} {
				if !record {
					delete(d.now, "state")
				}
				c := w.store(d).Launch()
				if c.Slot != Factory || len(c.Notes) == 0 || !strings.Contains(c.Notes[len(c.Notes)-1], "what was flashed does") {
					t.Errorf("%s %d runs: %q", c.Slot, c.Number, c.Notes)
				}
			}
			r, path := w.release(t, 10)
			w.running = Running{Slot: Factory}
			if err := w.store(d).Install(t.Context(), r, path); !errors.Is(err, ErrOld) {
				t.Errorf("an older release: %v", err)
			}
			w.confirmed, w.tried = 0, map[uint64]bool{}
			w.update(d, 20, "confirm", alive)
			if w.running.Number != 20 || w.running.Trial {
				t.Fatalf("after mending, %+v runs", w.running)
			}
			delete(d.now, "state") // two slots speak of number 20 now
			if c := w.store(d).Launch(); c.Number != 20 {
				t.Errorf("after mending and losing the record, %s %d runs: %q", c.Slot, c.Number, c.Notes)
			}
			w.whole(d)
		})
	}
}

// The power goes in the course of a Confirm: once the slot has its own word, it is
// what starts, whatever becomes of the record.
func TestConfirmIsFinished(t *testing.T) {
	m := newMaker(t)
	for cut := range 30 {
		for _, lost := range []bool{false, true} {
			d, w := newDisk(t), m.world(t)
			w.update(d, 10, "confirm", alive)
			r, path := w.release(t, 20)
			s := w.store(d)
			if err := errors.Join(s.Install(t.Context(), r, path), s.Try(t.Context())); err != nil {
				t.Fatal(err)
			}
			w.start(d, alive)
			dead := cutAt(d, d.calls+cut)
			err := w.store(d).Confirm(t.Context())
			d = d.afterPowerCut(0, nil)
			spoke := d.now["b/confirmed"] != nil
			if lost {
				delete(d.now, "state")
			}
			c := w.store(d).Launch()
			want := map[bool]uint64{true: 20, false: 10}[spoke]
			if c.Trial || c.Number != want || err == nil && !spoke {
				t.Errorf("cut before call %d (%v), the record lost: %v: %+v runs", cut, err, lost, c)
			}
			if !dead() && cut < 8 {
				t.Fatal("a Confirm of so few calls")
			}
		}
	}
}

// What was half installed is nothing that could be tried.
func TestHalfInstalled(t *testing.T) {
	m := newMaker(t)
	for cut := 0; ; cut++ {
		d, w := newDisk(t), m.world(t)
		w.update(d, 10, "confirm", alive)
		w.update(d, 20, "confirm", alive)
		r, path := w.release(t, 30)
		dead := cutAt(d, d.calls+cut)
		_ = w.store(d).Install(t.Context(), r, path)
		over := !dead()
		d = d.afterPowerCut(1, nil)
		s := w.store(d)
		v, err := s.View()
		if err != nil {
			t.Fatal(err)
		}
		for n, h := range map[Name]*Held{A: v.A, B: v.B} {
			if h != nil && s.intact(h, n) != nil {
				t.Errorf("cut before call %d: slot %s is said to hold %d", cut, n, h.Number)
			}
		}
		if err := s.Try(t.Context()); err == nil {
			if c := s.Launch(); c.Number != 30 || !c.Trial {
				t.Errorf("cut before call %d: the trial of %+v", cut, c)
			}
		} else if !errors.Is(err, ErrNothing) {
			t.Error(err)
		}
		if over {
			return
		}
	}
}

// What was flashed runs once it is newer than the slots, and takes nothing older.
func TestNewerFactory(t *testing.T) {
	d, w := newDisk(t), newWorld(t)
	w.update(d, 10, "confirm", alive)
	r, path := w.release(t, 20)
	s := w.store(d)
	if err := errors.Join(s.Install(t.Context(), r, path), s.Try(t.Context())); err != nil {
		t.Fatal(err)
	}
	flashed := newStore(d, Running{Version: "v20", Number: 20}, nil)
	for range 2 {
		if c := flashed.Launch(); c.Slot != Factory || c.Version != "v20" || c.Path != "" {
			t.Errorf("%+v runs", c)
		}
	}
	if err := flashed.Install(t.Context(), r, path); !errors.Is(err, ErrOld) {
		t.Errorf("its own number again: %v", err)
	}
	if st, err := flashed.Status(t.Context()); err != nil || st.Number != 20 || st.Mend {
		t.Errorf("%+v, %v", st, err)
	}
	r, path = w.release(t, 21)
	if err := errors.Join(flashed.Install(t.Context(), r, path), flashed.Try(t.Context())); err != nil {
		t.Fatal(err)
	}
	if c := flashed.Launch(); c.Number != 21 || !c.Trial {
		t.Errorf("%+v runs", c)
	}
}

// What the launcher says is what the slot's process hears.
func TestVariable(t *testing.T) {
	for _, r := range []Running{{A, true, 1, "v1"}, {B, false, 1 << 60, ""}, {A, false, 7, "a name with words"}} {
		name, value, _ := strings.Cut(r.Env(), "=")
		got := FromEnv(func(asked string) string {
			if asked != name {
				t.Errorf("it asks for %s", asked)
			}
			return value
		})
		if got == nil || *got != r {
			t.Errorf("%+v became %+v", r, got)
		}
	}
	for _, value := range []string{"", "a", "c 1 v1", "factory 1 v1", "a x v1", "a trial"} {
		if got := FromEnv(func(string) string { return value }); got != nil {
			t.Errorf("%q became %+v", value, got)
		}
	}
}

// Slots that others may write are not started: whoever is root would run theirs.
func TestForeignDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "update")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir, Running{}, nil); err == nil {
		s.Close()
		t.Error("a directory that everybody may write was opened")
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir, Running{}, nil); err == nil {
		s.Close()
		t.Error("a directory of another user was opened by root")
	}
}

// Nothing starts on trial that cannot be put on record first: it would start again
// and again.
func TestReadOnlyDisk(t *testing.T) {
	d, w := newDisk(t), newWorld(t)
	w.update(d, 10, "confirm", alive)
	r, path := w.release(t, 20)
	s := w.store(d)
	if err := errors.Join(s.Install(t.Context(), r, path), s.Try(t.Context())); err != nil {
		t.Fatal(err)
	}
	d.fault = func(int, string, string) error { return syscall.EROFS }
	for range 3 {
		if c := w.store(d).Launch(); c.Number != 10 || c.Trial || len(c.Notes) == 0 {
			t.Errorf("%+v", c)
		}
	}
	d.fault = nil
	if c := w.store(d).Launch(); c.Number != 20 || !c.Trial {
		t.Errorf("once it can be written: %+v", c)
	}
}

// FuzzLaunch gives the launcher any record and any words of the slots: it starts
// what has the hash of its record, or the factory, and its own record can be read.
func FuzzLaunch(f *testing.F) {
	d, w := newDisk(f), newWorld(f)
	w.update(d, 10, "confirm", alive)
	r, path := w.release(f, 20)
	s := w.store(d)
	if err := errors.Join(s.Install(f.Context(), r, path), s.Try(f.Context())); err != nil {
		f.Fatal(err)
	}
	body := func(b []byte) []byte { return b[len(magic)+65 : len(b)-1] }
	f.Add(body(d.now["state"].data), body(d.now["a/confirmed"].data), true)
	f.Add([]byte(`{"number":3,"confirmed":"b"}`), []byte(`{}`), true)
	f.Add([]byte("hello"), []byte("hello"), false)
	f.Fuzz(func(t *testing.T, record, word []byte, summed bool) {
		next := d.afterPowerCut(1, nil)
		next.t = t
		if summed {
			record, word = sum(record), sum(word)
		}
		next.now["state"], next.now["a/confirmed"] = &inode{data: record}, &inode{data: word}
		s := newStore(next, Running{Number: 5}, nil)
		c := s.Launch()
		if c.Slot != Factory {
			held, err := s.fs.Open(string(c.Slot) + "/sealcamd")
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(held)
			if err != nil || w.files[sha256.Sum256(b)].Number == 0 {
				t.Fatalf("%+v runs %q", c, b)
			}
			if c.Number <= 5 {
				t.Fatalf("%d runs, and what was flashed is newer", c.Number)
			}
		}
		if st, damage, err := s.load(); err != nil || c.Trial && (damage != "" || !st.Started) {
			t.Fatalf("after the start: %+v, %s, %v", st, damage, err)
		}
		if c.Trial {
			if again := newStore(next, Running{Number: 5}, nil).Launch(); again.Trial {
				t.Fatal("a second trial")
			}
		}
	})
}

// sum makes a record of any body.
func sum(body []byte) []byte {
	h := sha256.Sum256(body)
	return fmt.Appendf(nil, "%s%x\n%s\n", magic, h, body)
}

// A launcher that was flashed years ago reads what the newest agent recorded.
func TestRecordOfANewerAgent(t *testing.T) {
	newer := struct {
		state
		Later []string `json:"later"`
	}{state{Number: 141, Confirmed: B, B: &Held{Version: "v1.4.1", Number: 141, Size: 3}}, []string{"what this one does not know"}}
	got := new(state)
	if err := decode(encode(newer), got); err != nil {
		t.Fatal(err)
	}
	if got.Number != 141 || got.Confirmed != B || got.B == nil || got.B.Version != "v1.4.1" {
		t.Errorf("read as %+v", got)
	}
	for _, extra := range []string{"{}\n", " 1\n"} {
		if err := decode(append(encode(got), extra...), new(state)); err == nil {
			t.Errorf("a record with %q behind it was read", extra)
		}
	}
}
