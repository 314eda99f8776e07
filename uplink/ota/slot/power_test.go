package slot

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sealcam/sealcam/uplink/ota"
)

// world is what the outside knows about one camera, over all its starts.
type world struct {
	t testing.TB
	*maker

	confirmed uint64          // newest for which Confirm returned
	maybe     uint64          // newest for which Confirm was called
	tried     map[uint64]bool // trials that have had their start
	running   Running
}

func newWorld(t testing.TB) *world { return newMaker(t).world(t) }

// maker signs releases.
type maker struct {
	dir   string
	files map[[32]byte]ota.Release // that were signed
}

func newMaker(t testing.TB) *maker { return &maker{t.TempDir(), map[[32]byte]ota.Release{}} }

// world returns a camera that the maker has sold.
func (m *maker) world(t testing.TB) *world {
	return &world{t: t, maker: m, tried: map[uint64]bool{}, running: Running{Slot: Factory}}
}

// release makes a signed release, and its file.
func (m *maker) release(t testing.TB, number uint64) (ota.Release, string) {
	path := filepath.Join(m.dir, fmt.Sprint(number))
	text := fmt.Sprintf("this is sealcamd of number %d", number)
	r := ota.Release{Path: fmt.Sprint(number), Kind: ota.Agent, Version: fmt.Sprintf("v%d", number), Number: number, Size: int64(len(text)), SHA256: sha256.Sum256([]byte(text))}
	if m.files[r.SHA256].Number == 0 {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m.files[r.SHA256] = r
	}
	return r, path
}

func (w *world) store(d *powerDisk) *Store {
	running := w.running
	return newStore(d, Running{Version: "v0"}, &running)
}

// start is a start of the camera. It holds the launcher to its promises; with dead,
// the power went before anything was started.
func (w *world) start(d *powerDisk, dead func() bool) {
	w.t.Helper()
	c := w.store(d).Launch()
	if dead() {
		return
	}
	if c.Slot == Factory {
		if w.confirmed > 0 {
			w.t.Fatalf("the factory runs, and %d was confirmed: %q", w.confirmed, c.Notes)
		}
		w.running = Running{Slot: Factory}
		return
	}
	n := d.now[string(c.Slot)+"/sealcamd"]
	if n == nil {
		w.t.Fatalf("slot %s runs, and there is nothing", c.Slot)
		return
	}
	r := w.files[sha256.Sum256(n.data)]
	switch {
	case r.Number == 0:
		w.t.Fatalf("slot %s runs, and nobody signed %q", c.Slot, n.data)
	case r.Number != c.Number:
		w.t.Fatalf("slot %s is %d and is called %d", c.Slot, r.Number, c.Number)
	case r.Number < w.confirmed:
		w.t.Fatalf("%d runs, and %d was confirmed", r.Number, w.confirmed)
	case c.Trial && w.tried[r.Number]:
		w.t.Fatalf("%d has a second trial", r.Number)
	case !c.Trial && r.Number > w.maybe:
		w.t.Fatalf("%d runs as confirmed, and was not", r.Number)
	}
	if c.Trial {
		w.tried[r.Number] = true
	}
	w.running = c.Running
}

// update is one update: installed, tried and started, and then what verdict says.
// Afterwards the camera starts again.
func (w *world) update(d *powerDisk, number uint64, verdict string, dead func() bool) {
	s := w.store(d)
	r, path := w.release(w.t, number)
	ctx := w.t.Context()
	if s.Install(ctx, r, path) != nil || dead() || s.Try(ctx) != nil || dead() {
		return
	}
	w.start(d, dead)
	if dead() {
		return
	}
	s = w.store(d)
	if st, err := s.Status(ctx); err != nil || !st.Trial {
		return
	}
	switch verdict {
	case "confirm":
		w.maybe = max(w.maybe, number)
		if s.Confirm(ctx) == nil {
			w.confirmed = number
		}
	case "reject":
		_ = s.Reject(ctx, "it sees nothing")
	}
	if !dead() {
		w.start(d, dead)
	}
}

// story is a life with every kind of update in it.
func (w *world) story(d *powerDisk, dead func() bool) {
	w.start(d, dead)
	for _, step := range []struct {
		number  uint64
		verdict string
	}{{10, "confirm"}, {20, "reject"}, {30, "hang"}, {40, "confirm"}, {50, "confirm"}, {60, "hang"}} {
		if dead() {
			return
		}
		w.update(d, step.number, step.verdict, dead)
	}
}

func alive() bool { return false }

// cutAt plugs in a disk whose power goes before its call'th change.
func cutAt(d *powerDisk, call int) (dead func() bool) {
	gone := false
	d.fault = func(n int, _, _ string) error {
		if n >= call {
			gone = true
			return errPower
		}
		return nil
	}
	d.unreadable = func(int) error {
		if gone {
			return errPower
		}
		return nil
	}
	return func() bool { return gone }
}

// whole goes on after power cuts: one more update has to come through.
func (w *world) whole(d *powerDisk) {
	w.t.Helper()
	for w.start(d, alive); w.running.Trial; {
		w.start(d, alive) // what was on trial had no verdict
	}
	w.update(d, 90, "confirm", alive)
	if w.confirmed != 90 || w.running.Number != 90 || w.running.Trial {
		w.t.Fatalf("the next update ended as %+v", w.running)
	}
}

// The power goes at every single call of a life of updates, and again at every
// single call of the start after it, with every kind of disk that this may leave.
func TestPowerCutAtEveryCall(t *testing.T) {
	d, m := newDisk(t), newMaker(t)
	m.world(t).story(d, alive)
	calls, cases := d.calls, 0
	const kinds = 9
	step := 1
	if testing.Short() {
		step = 37
	}
	for cut := 0; cut < calls; cut += step {
		for survive := range kinds {
			for second := -1; ; second++ {
				cases++
				rng := rand.New(rand.NewPCG(uint64(cut), uint64(survive)))
				d, w := newDisk(t), m.world(t)
				dead := cutAt(d, cut)
				w.story(d, dead)
				d = d.afterPowerCut(survive, rng)
				more := second >= 0
				if more {
					dead := cutAt(d, second)
					w.start(d, dead)
					more = dead()
					d = d.afterPowerCut(survive, rng)
				}
				w.whole(d)
				if t.Failed() {
					t.Fatalf("cut before call %d, disk of kind %d, second cut before call %d of the next start", cut, survive, second)
				}
				if second >= 0 && !more {
					break
				}
			}
		}
	}
	t.Logf("%d calls, %d power cuts with their disks", calls, cases)
}

// Any single call fails, and the camera goes on: what cannot be made durable is
// not tried, and nothing is forgotten.
func TestFaultAtEveryCall(t *testing.T) {
	d, m := newDisk(t), newMaker(t)
	m.world(t).story(d, alive)
	changes, reads := d.calls, d.reads
	step := 1
	if testing.Short() {
		step = 17
	}
	for fail := 0; fail < changes+reads; fail += step {
		for _, errno := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
			d, w := newDisk(t), m.world(t)
			d.fault = func(n int, _, _ string) error {
				if n == fail {
					return errno
				}
				return nil
			}
			d.unreadable = func(n int) error {
				if n+changes == fail {
					w.confirmed = 0 // what cannot be read cannot run
					return errno
				}
				return nil
			}
			w.story(d, alive)
			d.fault, d.unreadable = nil, nil
			w.whole(d)
			if t.Failed() {
				t.Fatalf("call %d fails with %v", fail, errno)
			}
		}
	}
}
