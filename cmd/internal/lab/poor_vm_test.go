//go:build vm && linux

package lab

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var rounds = flag.Int("rounds", 3, "how often TestPoorNetwork cuts the power")

// poorSettings are those of a camera that has little to say on little of a link.
const poorSettings = `state = "/data/sealcam"
log = "debug"
[camera]
source = "/dev/video10"
width = 320
height = 180
rate = 5.0
[clips]
before = "1s"
after = "1s"
[live]
every = "0s"
[uplink]
budget = "64 MiB"
status = "20s"
`

// TestPoorNetwork is a board with everything against it: a network that delays by
// 300 ms and loses a fifth of what it sends, a clock of 1970 that is set and falls
// back by a day, and power that is cut at any moment while pictures are sealed,
// stored and sent. In the end the viewer has everything, once.
func TestPoorNetwork(t *testing.T) {
	on(t, ARM64, func(t *testing.T, arch Arch) {
		r := &rig{home: newHome(t)}
		files, paths := jpegs(t, "walk?size=320x180&rate=5&quality=15", 100)
		sealcamd, err := Build(t.Context(), arch, "cmd/sealcamd")
		if err != nil {
			t.Fatal(err)
		}
		files["/bin/sealcamd"] = sealcamd
		r.paths = paths
		r.guest = Guest{
			Arch: arch, Net: true, Files: files, Clock: time.Unix(10, 0), Disk: filepath.Join(t.TempDir(), "disk"),
			Modules: []string{"v4l2loopback exclusive_caps=1 video_nr=10", "sch_netem"},
		}
		if err := NewDisk(t.Context(), r.guest.Disk, 256<<20); err != nil {
			t.Fatal(err)
		}
		r.m = boot(t, r.guest)
		if err := r.m.WriteFile(limit(t), settingsAt, []byte(poorSettings), 0o644); err != nil {
			t.Fatal(err)
		}
		r.camera = r.home.adopt(t, r.m, settingsAt, "Garden")
		r.screen = r.home.watch(t)
		r.m.must(t, "sync") // what a person has set up stays

		p := testLossAndClock(t, r)
		for i := range *rounds {
			testRound(t, r, i+1)
		}
		if *rounds > 0 {
			at := len(r.screen.shown(t))
			p = r.start(t)
			r.screen.wait(t, "something of the last boot", at, ofThisBoot)
		}
		r.settle(t)
		r.stop(t, p)
		r.ledger(t)
	})
}

// testLossAndClock starts from 1970 behind a network that loses and delays, and
// then sets the clock back by a day.
func testLossAndClock(t *testing.T, r *rig) *Process {
	r.m.must(t, "guest", "netem", "eth0", "delay=300ms", "loss=20%")
	r.m.play(t, loopback, "320x180", "5", r.paths)
	p := r.start(t)
	t.Cleanup(func() {
		if t.Failed() { // what it is doing
			_ = p.Signal(syscall.SIGQUIT)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, _ = p.Wait(ctx)
		}
	})
	verified := func(x told) bool { return x.What == "verified" && x.Stream == "durable" }
	first := r.screen.wait(t, "a status", 0, func(x told) bool { return verified(x) && x.Status != nil })
	if first.Clock != "none" {
		t.Errorf("the clock of 1970 is believed: %+v", first)
	}
	snapshot := r.screen.wait(t, "an event's picture", 0, func(x told) bool { return verified(x) && x.Kind == "snapshot" && x.Cause == "motion" })
	r.screen.wait(t, "a part of its clip", 0, func(x told) bool { return verified(x) && x.Kind == "clip" && x.Seq > snapshot.Seq })

	now := time.Now()
	r.m.must(t, "date", "-u", "-s", "@"+strconv.FormatInt(now.Unix(), 10))
	known := r.screen.wait(t, "a status that knows the time", 0, func(x told) bool { return verified(x) && x.Status != nil && x.Clock != "none" })
	r.m.must(t, "date", "-u", "-s", "@"+strconv.FormatInt(now.Add(-24*time.Hour).Unix(), 10))
	// Restarted, it has to connect by that clock, too.
	r.stop(t, p)
	at := len(r.screen.shown(t))
	p = r.start(t)
	later := r.screen.wait(t, "a status of a day before", at, func(x told) bool { return verified(x) && x.Status != nil && x.Seq > known.Seq })
	t.Logf("status %d is of clock %q, and %d, of the day before, of clock %q", known.Seq, known.Clock, later.Seq, later.Clock)
	r.m.must(t, "guest", "netem", "eth0")
	if *rounds > 0 {
		r.m.PowerCut()
		r.restore(t)
	}
	return p
}

// ofThisBoot is true of what a camera that has just been started sends first.
func ofThisBoot(x told) bool { return x.What == "verified" && x.Stream == "durable" }

// testRound runs sealcamd for a moment, and cuts the power.
func testRound(t *testing.T, r *rig, n int) {
	at := len(r.screen.shown(t))
	r.start(t)
	// Sealed and sent once, then anything may be going on.
	r.screen.wait(t, "something of this boot", at, ofThisBoot)
	after := time.Duration(rand.Int64N(int64(10 * time.Second)))
	time.Sleep(after)
	r.m.PowerCut()
	shown := r.screen.highest(t)
	r.restore(t)
	stored := r.stored(t)
	t.Logf("round %d: cut %v after its first message; number %d was seen, %d messages were stored up to %d",
		n, after.Round(time.Millisecond), shown, len(stored), top(stored))
	if top(stored) < shown {
		t.Errorf("round %d: number %d was seen, and the board knows of %d", n, shown, top(stored))
	}
}

// restore boots from the same disk, and finds the same camera on it.
func (r *rig) restore(t *testing.T) {
	t.Helper()
	r.m = boot(t, r.guest)
	if id := strings.TrimSpace(r.m.must(t, "sealcamd", "-config", settingsAt, "id")); id != r.camera {
		t.Fatalf("after the power cut this is camera %s, and was %s", id, r.camera)
	}
	r.m.play(t, loopback, "320x180", "5", r.paths)
}

// stored returns the numbers of the messages on the board's disk.
func (r *rig) stored(t *testing.T) (numbers []uint64) {
	t.Helper()
	for name := range strings.FieldsSeq(r.m.must(t, "sh", "-c", "find /data/sealcam -name '*.sealed' -exec basename {} \\;")) {
		n, err := strconv.ParseUint(name[:14], 16, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

func top(numbers []uint64) (most uint64) {
	for _, n := range numbers {
		most = max(most, n)
	}
	return most
}

// highest returns the highest number that was verified.
func (s *screen) highest(t *testing.T) (most uint64) {
	for _, x := range s.shown(t) {
		if x.What == "verified" && x.Stream == "durable" {
			most = max(most, x.Seq)
		}
	}
	return most
}

// settle waits until everything up to now has been verified.
func (r *rig) settle(t *testing.T) {
	t.Helper()
	for within := limit(t); ; time.Sleep(200 * time.Millisecond) {
		if all := r.screen.shown(t); whole(all) && len(all) > 0 {
			r.settled = r.screen.highest(t)
			return
		}
		if within.Err() != nil {
			return // the ledger says what is missing
		}
	}
}

// ledger compares what is on the board with what the viewer was shown: nothing is
// missing, nothing was shown twice, and what was stored is what was seen.
func (r *rig) ledger(t *testing.T) {
	t.Helper()
	stored := r.stored(t)
	seen := map[uint64]int{}
	doubled := 0
	for _, x := range r.screen.shown(t) {
		if x.What == "verified" && x.Stream == "durable" {
			if seen[x.Seq]++; seen[x.Seq] == 2 {
				doubled++
			}
		}
	}
	head := max(top(stored), r.screen.highest(t))
	var lost []string
	for n := uint64(1); n <= head; n++ {
		// What was sealed since everything was seen may wait for the next start.
		if waits := n > r.settled && slices.Contains(stored, n); seen[n] == 0 && !waits {
			lost = append(lost, fmt.Sprint(n))
		}
	}
	t.Logf("ledger: %d power cuts, sent %d, verified %d, duplicates %d, lost %d", *rounds+min(*rounds, 1), head, len(seen), doubled, len(lost))
	if len(lost) > 0 || doubled > 0 {
		t.Errorf("lost: %s; shown twice: %d", strings.Join(lost, " "), doubled)
	}
	checkSequence(t, r.screen.shown(t))
}
