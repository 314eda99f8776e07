//go:build vm && linux

package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// told is a line of `sealcam watch --json`, as far as these tests look.
type told struct {
	What, Camera, Stream, Kind, Clock, Cause, Saved string
	Reason, Detail, Light                           string
	Seq, First, Until                               uint64
	Width, Height                                   int
	Retained                                        bool
	Late                                            any // of a message, whether it is; of a clip, how many parts were
	Status                                          *struct {
		State, Light string
		Troubles     []string
		Capture      struct {
			Frames, Dropped, Reopened uint64
			Bad                       map[string]uint64
		}
	}
}

// screen is a viewer on the host: `sealcam watch`.
type screen struct {
	*service
	album string

	mu   sync.Mutex
	read int    // how much of what it said is in all
	all  []told // everything that it was shown
}

func (h *home) watch(t *testing.T) *screen {
	t.Helper()
	album := filepath.Join(t.TempDir(), "album")
	s := &screen{service: startService(t, h.tool, "watch", "--household", h.dir, "--viewer", "desk", "--broker", h.url(),
		"--json", "--save", album, "--live", "--sealed"), album: album}
	t.Cleanup(func() {
		t.Logf("the viewer was shown %v", s.counts(t))
	})
	return s
}

// shown returns everything that the viewer was shown so far.
func (s *screen) shown(t *testing.T) []told {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.saidFrom(s.read)) {
		if !strings.HasSuffix(line, "\n") {
			break // the rest of it comes
		}
		s.read += len(line)
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var now told
		if err := json.Unmarshal([]byte(line), &now); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		s.all = append(s.all, now)
	}
	return slices.Clip(s.all)
}

// counts tells how much of each kind the viewer was shown.
func (s *screen) counts(t *testing.T) map[string]int {
	n := make(map[string]int)
	for _, x := range s.shown(t) {
		n[strings.Join(strings.Fields(x.What+" "+x.Stream+" "+x.Kind+" "+x.Reason), " ")]++
	}
	return n
}

// wait waits until the viewer was shown something, after the first skip lines,
// for which ok is true, and returns it.
func (s *screen) wait(t *testing.T, what string, skip int, ok func(told) bool) (found told) {
	t.Helper()
	err := s.whenever(limit(t), func() bool {
		all := s.shown(t)
		i := slices.IndexFunc(all[min(skip, len(all)):], ok)
		if i >= 0 {
			found = all[skip+i]
		}
		return i >= 0
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
	return found
}

// torn is how many of a device's first pictures may be undecodable: the buffers
// that v4l2loopback hands out first are still being written. Such a frame has the
// form of a JPEG, and only decoding it in full tells.
const torn = 2

// picture waits for a verified picture of that width that decodes.
func (s *screen) picture(t *testing.T, what string, skip, width int) told {
	t.Helper()
	seen := map[string]error{}
	for {
		p := s.wait(t, what, skip, func(x told) bool {
			return x.What == "verified" && x.Kind == "snapshot" && x.Width == width && seen[x.Saved] == nil
		})
		err := decodes(p.Saved, width)
		if err == nil {
			return p
		}
		if seen[p.Saved] = err; len(seen) > torn {
			t.Fatalf("%s: %v", what, seen)
		}
		t.Logf("not yet %s: %v", what, err)
	}
}

// decodes returns an error unless a file is a JPEG of that width and 16:9.
func decodes(file string, width int) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err == nil && (img.Bounds().Dx() != width || img.Bounds().Dy() != width*9/16) {
		err = fmt.Errorf("%v instead of %d pixels wide", img.Bounds(), width)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// rig is a guest whose sealcamd belongs to a home, and a viewer.
type rig struct {
	home   *home
	screen *screen
	assist *assistant // nil without a bridge
	m      *Machine
	camera string // its id
	guest  Guest
	paths  []string // JPEGs to play
	status string   // how often one is sealed, in settings to come; 1s if empty

	settled uint64 // newest number when everything was seen up to it
}

// settingsAt is where a guest's settings are, on its disk.
const settingsAt = "/data/sealcamd.toml"

// configure writes settings. Everything comes often, so that tests are short.
func (r *rig) configure(t *testing.T, source string, width int, more ...string) {
	t.Helper()
	text := fmt.Sprintf(`state = "/data/sealcam"
log = "debug"
[camera]
source = %q
width = %d
height = %d
rate = 5.0
[live]
every = "1s"
[uplink]
budget = "160 MiB"
status = %q
`, source, width, width*9/16, cmp.Or(r.status, "1s")) + strings.Join(more, "")
	if err := r.m.WriteFile(limit(t), settingsAt, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start starts sealcamd, which ends with the test at the latest.
func (r *rig) start(t *testing.T) *Process {
	t.Helper()
	p, err := r.m.Start(nil, "sealcamd", "-config", settingsAt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Signal(syscall.SIGKILL) // it has ended, unless the test failed
		if t.Failed() {
			afterwards(t, "sealcamd", p.Said().Stderr)
		}
	})
	return p
}

// stop asks sealcamd to end, which it must do with exit code 0 and without an error.
// How long that takes is no matter of an emulated board: what was filmed is sealed
// first, part by part, onto a disk that others use too.
func (r *rig) stop(t *testing.T, p *Process) {
	t.Helper()
	before, begin := len(p.Said().Stderr), time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	end, err := p.Wait(limit(t))
	t.Logf("SIGTERM took %v", time.Since(begin).Round(time.Millisecond))
	if said := end.Stderr[before:]; err != nil || end.Exit != 0 || strings.Contains(said, "level=ERROR") {
		t.Errorf("SIGTERM: exit code %d, %v; it said:\n%s", end.Exit, err, tail(said, 500))
	}
}

// TestAgent is the product on a board: sealcamd captures in a guest whose clock
// says 1970, publishes over TLS to a Mosquitto on the host, and a viewer on the
// host verifies.
func TestAgent(t *testing.T) {
	drawn, paths := jpegs(t, "walk?size=640x360&rate=5", 100)
	drawn["/lab/frames/noise.jpg"] = badJPEGs(t, drawn[paths[0]])["noise.jpg"]
	arches(t, func(t *testing.T, arch Arch) {
		r := &rig{home: newHome(t)}
		files := maps.Clone(drawn)
		sealcamd, err := Build(t.Context(), arch, "cmd/sealcamd")
		if err != nil {
			t.Fatal(err)
		}
		files["/bin/sealcamd"] = sealcamd
		r.paths = append([]string{"/lab/frames/noise.jpg"}, paths...)
		r.guest = Guest{
			Arch: arch, CPUs: 2, Net: true, Files: files, Clock: time.Unix(10, 0), Disk: filepath.Join(t.TempDir(), "disk"),
			Modules: []string{"vivid n_devs=1", "v4l2loopback exclusive_caps=1 video_nr=10"},
		}
		if err := NewDisk(t.Context(), r.guest.Disk, 256<<20); err != nil {
			t.Fatal(err)
		}
		r.m = boot(t, r.guest)
		r.configure(t, "/dev/video0", 320)
		r.camera = r.home.adopt(t, r.m, settingsAt, "Garden")
		r.screen = r.home.watch(t)
		r.assist = r.home.bridge(t)

		t.Run("raw pictures, and a clock of 1970", func(t *testing.T) { testClock(t, r) })
		t.Run("driver errors are in the sealed status", func(t *testing.T) { testTrouble(t, r) })
		t.Run("MJPEG and a power cut", func(t *testing.T) { testPowerCut(t, r) })
	})
}

// testClock starts without a clock: TLS works, statuses are verified, and live
// pictures, which nobody could call fresh, are not shown. Then the clock is set,
// as a time server would, and they are.
func testClock(t *testing.T, r *rig) {
	p := r.start(t)
	s := r.screen.wait(t, "a status", 0, func(x told) bool { return x.What == "verified" && x.Status != nil })
	if s.Camera != r.camera || s.Clock != "none" || s.Seq != 1 {
		t.Errorf("the first status is told as %+v", s)
	}
	r.screen.wait(t, "a live picture", 0, func(x told) bool { return x.What == "refused" && x.Reason == "stale" })
	r.assist.state(t, r.camera, "online", "ON", 0)
	r.assist.state(t, r.camera, "verdict", "stale", 0)
	r.assist.announced(t, r.camera)
	r.m.must(t, "date", "-u", "-s", "@"+strconv.FormatInt(time.Now().Unix(), 10))
	if got := r.screen.picture(t, "a picture of vivid", 0, 320); got.Camera != r.camera || got.Stream != "live" || got.Clock == "none" {
		t.Errorf("the picture is told as %+v", got)
	}
	r.assist.picture(t, r.camera, "picture", 320)
	r.stop(t, p)
}

// testTrouble follows the state of a camera whose driver fails, as its owner
// would see it.
func testTrouble(t *testing.T, r *rig) {
	holder, err := r.m.Start(nil, "guest", "hold", "/dev/video0")
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.UntilSaid(limit(t), "holding"); err != nil {
		t.Fatal(err)
	}
	at := len(r.screen.shown(t))
	status := func(what string, ok func(told) bool) told {
		t.Helper()
		return r.screen.wait(t, what, at, func(x told) bool { return x.Status != nil && ok(x) })
	}
	p := r.start(t)
	status("a status of a camera in use", func(x told) bool {
		return x.Status.State == "trouble" && strings.Contains(fmt.Sprint(x.Status.Troubles), "/dev/video0: camera is in use")
	})
	holder.stop(t)
	status("a status with frames", func(x told) bool { return x.Status.State == "running" && x.Status.Capture.Frames > 3 })
	r.m.must(t, "guest", "set", "/dev/video0", "inject_v4l2_buf_flag_error=1", "percentage_of_dropped_buffers=50")
	status("bad and lost frames", func(x told) bool { return total(x.Status.Capture.Bad) >= 1 && x.Status.Capture.Dropped >= 3 })
	r.m.must(t, "guest", "set", "/dev/video0", "percentage_of_dropped_buffers=0", "disconnect=1")
	status("the loss of the camera", func(x told) bool { return x.Status.State == "trouble" && x.Status.Capture.Frames > 0 })
	r.m.replug(t)
	status("its return", func(x told) bool { return x.Status.State == "running" && x.Status.Capture.Reopened == 1 })
	r.stop(t, p)
}

// testPowerCut cuts the power while pictures are sealed, spooled and sent, and
// boots again from the same disk.
func testPowerCut(t *testing.T, r *rig) {
	at := len(r.screen.shown(t))
	r.m.play(t, loopback, "640x360", "5", r.paths)
	r.status = "20s" // they go before pictures, and a busy emulator sends one a second
	r.configure(t, loopback, 640)
	r.start(t)
	r.screen.picture(t, "an MJPEG picture", at, 640)
	r.event(t, "a picture of someone who walks by", at)
	r.assist.state(t, r.camera, "motion", "ON", 0)
	r.assist.picture(t, r.camera, "event", 640)
	heard := r.assist.state(t, r.camera, "online", "ON", 0)
	r.m.PowerCut()
	heard = r.assist.state(t, r.camera, "online", "OFF", heard)

	r.m = boot(t, r.guest)
	at = len(r.screen.shown(t))
	player := r.m.play(t, loopback, "640x360", "5", r.paths)
	p := r.start(t)
	// What was sealed before the cut, when the clock was right, may come first.
	first := r.screen.wait(t, "a picture of an event after the power cut, without a clock", at, func(x told) bool {
		return ofEvent(x) && x.Clock == "none"
	})
	r.assist.state(t, r.camera, "online", "ON", heard)
	r.screen.wait(t, "more of the sequence", at, func(x told) bool { return x.Stream == "durable" && x.Seq > first.Seq+2 })
	// What waited over the power cut, and what is less urgent, comes later. Nothing
	// more is filmed: a busy emulator seals clips no faster than they are taken.
	if err := player.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	seen := r.screen.shown(t)
	for within := limit(t); !whole(seen) && within.Err() == nil; seen = r.screen.shown(t) {
		time.Sleep(100 * time.Millisecond)
	}
	r.stop(t, p) // what is sealed meanwhile may wait for the next start
	checkSequence(t, seen)
	for _, x := range seen[at:] {
		if x.What == "verified" && x.Stream == "durable" && x.Seq > first.Seq && x.Clock != "none" {
			t.Errorf("the clock of 1970 is believed: %+v", x)
		}
	}

	sealed, err := filepath.Glob(filepath.Join(r.screen.album, r.camera, "*-durable-*.sealed"))
	if err != nil || len(sealed) < 2 {
		t.Fatalf("%d sealed pictures of events stored, %v", len(sealed), err)
	}
	r.home.sealcam(t, nil, append([]string{"verify", "--partial", "--household", r.home.dir, "--viewer", "desk", "--camera", "Garden"}, sealed...)...)
}

// event waits for the verified picture of an event.
func (r *rig) event(t *testing.T, what string, skip int) told {
	t.Helper()
	p := r.screen.wait(t, what, skip, ofEvent)
	if p.Width != 640 || p.Height != 360 || p.Stream != "durable" {
		t.Errorf("the picture is told as %+v", p)
	}
	return p
}

// ofEvent tells whether x is the picture of an event, verified in its turn.
func ofEvent(x told) bool {
	return x.What == "verified" && x.Cause == "motion" && x.Kind == "snapshot" && x.Late != true
}

// whole tells whether every durable number up to the highest has been shown.
func whole(all []told) bool {
	var highest, count uint64
	for _, x := range all {
		if x.What == "verified" && x.Stream == "durable" {
			highest, count = max(highest, x.Seq), count+1
		}
	}
	return count == highest
}

// checkSequence demands that the durable sequence has every number once, and
// that nothing was refused but live pictures of a camera without a clock: the
// chain of hashes held over everything.
func checkSequence(t *testing.T, all []told) {
	t.Helper()
	var seqs []uint64
	for _, x := range all {
		switch {
		case x.What == "refused" && x.Reason != "stale" || x.What == "gap lost":
			t.Errorf("%+v", x)
		case x.What == "verified" && x.Stream == "durable":
			seqs = append(seqs, x.Seq)
		}
	}
	slices.Sort(seqs)
	for i, seq := range seqs {
		if seq != uint64(i)+1 {
			t.Fatalf("durable sequence %d, want each number once: %v", i+1, seqs)
		}
	}
}
