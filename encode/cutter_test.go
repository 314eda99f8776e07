package encode

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// cuts is a cutter whose both sides are played by the test.
type cuts struct {
	t     testing.TB
	ring  *Ring
	c     *Cutter
	wall  time.Time
	parts []Picture
}

func newCuts(t testing.TB, conf CutterConfig) *cuts {
	r := NewRing(64<<20, conf.Before)
	return &cuts{t: t, ring: r, c: NewCutter(r, new(JPEG), conf), wall: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
}

// ofFive cuts 5 s before, 5 s after, and 60 s at most.
func ofFive(t testing.TB) *cuts {
	return newCuts(t, CutterConfig{Before: 5 * time.Second, After: 5 * time.Second, Longest: time.Minute})
}

func (c *cuts) moment(at time.Duration) Moment {
	return Moment{Frame: at, Mono: at + time.Hour, Wall: c.wall.Add(at)}
}

// event says that an event begins, and that its snapshot is on its way.
func (c *cuts) event(id uint64, at time.Duration) {
	c.c.Event(id, at, c.moment(at))
	c.c.Ready(id)
}

// frame pushes a frame, and takes what parts there are.
func (c *cuts) frame(f *capture.Frame, going bool) {
	c.t.Helper()
	c.c.Look(f.Mono, going)
	push(c.t, c.ring, f)
	c.take()
}

func (c *cuts) take() {
	c.t.Helper()
	for {
		p, ok, err := c.c.Next()
		if err != nil {
			c.t.Fatal(err)
		}
		if !ok {
			return
		}
		p.Data = bytes.Clone(p.Data)
		c.parts = append(c.parts, p)
	}
}

// jpegs returns the frames of a small film at a rate.
func jpegs(t testing.TB, n int, period time.Duration) []*capture.Frame {
	t.Helper()
	var e JPEG
	var out []*capture.Frame
	rng := rand.New(rand.NewPCG(1, 2))
	raw := card(capture.Grey, 160, 120, 0)
	for i := range n {
		for j := range raw.Data { // of frames without noise ffmpeg misses the end, also when image/jpeg has made them
			raw.Data[j] += byte(rng.IntN(9))
		}
		b, w, h, err := e.Snapshot(raw)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: w, Height: h}, Data: b, Seq: uint64(i), Mono: time.Duration(i) * period})
	}
	return out
}

// stamps are the times in a fragment, read back: when each sample begins and ends.
type stamps struct{ at, end []uint64 }

// times reads the times of a part's samples, as tfdt and trun say them.
func times(t testing.TB, part []byte) (s stamps) {
	t.Helper()
	be := binary.BigEndian
	i := bytes.Index(part, []byte("tfdt"))
	now := be.Uint64(part[i+8:])
	i = bytes.Index(part, []byte("trun"))
	for n := be.Uint32(part[i+8:]); n > 0; n-- {
		s.at = append(s.at, now)
		now += uint64(be.Uint32(part[i+16+12*len(s.end):]))
		s.end = append(s.end, now)
	}
	return s
}

// A clip goes from 5 s before its event to 5 s behind it, in parts of a second
// that follow each other without a gap, and says where the event begins.
func TestClip(t *testing.T) {
	c := ofFive(t)
	const period = 100 * time.Millisecond
	for i, f := range jpegs(t, 300, period) {
		if i == 100 {
			c.event(7, f.Mono)
		}
		c.frame(f, i < 130)
	}
	if c.c.Waiting() != 0 {
		t.Fatal("the clip does not end")
	}
	// From 5 s to 13 s + 5 s, and no frame more.
	if n := len(c.parts); n != 14 {
		t.Fatalf("%d parts, want 13 of a second and one of the last frame", n)
	}
	next := uint64(0)
	for i, p := range c.parts {
		if p.Part != uint32(i) || p.Last != (i == 13) || p.Event != 7 || p.Kind != ClipPart || p.Media != "video/mp4" || p.Cause != CauseMotion {
			t.Errorf("part %d: %+v", i, p)
		}
		at := 5*time.Second + time.Duration(i)*time.Second
		if !p.Taken.Equal(c.wall.Add(at)) || p.Mono != at+time.Hour {
			t.Errorf("part %d was taken at %v, %v, want %v into the film", i, p.Taken, p.Mono, at)
		}
		if p.Clip.PreRoll != 5*time.Second || p.Clip.Ended != EndWhole {
			t.Errorf("part %d: %+v", i, p.Clip)
		}
		s := times(t, p.Data)
		if s.at[0] != next {
			t.Errorf("part %d begins at %d, the one before ended at %d", i, s.at[0], next)
		}
		next = s.end[len(s.end)-1]
	}
	if want := uint64(131 * 9000); next != want {
		t.Errorf("the clip ends at %d, want %d", next, want)
	}
	if st := c.ring.Stats(); st.Frames > 55 {
		t.Errorf("%d frames are kept after the clip", st.Frames)
	}
}

// Events that touch are one clip, which names them all; one that follows later
// has its own, with its own pre-roll.
func TestEventsThatTouch(t *testing.T) {
	c := ofFive(t)
	for i, f := range jpegs(t, 600, 100*time.Millisecond) {
		switch i {
		case 100, 160, 300:
			c.event(uint64(i), f.Mono)
		}
		c.frame(f, i >= 100 && i < 120 || i >= 160 && i < 170 || i >= 300 && i < 310)
	}
	var last []Picture
	for _, p := range c.parts {
		if p.Last {
			last = append(last, p)
		}
	}
	if len(last) != 2 || last[0].Event != 100 || last[1].Event != 300 {
		t.Fatalf("%d clips: %+v", len(last), last)
	}
	if also := last[0].Clip.Also; len(also) != 1 || also[0] != 160 {
		t.Errorf("the first clip also has the events %v, want 160", also)
	}
	if first := c.parts[0].Clip.Also; len(first) != 0 {
		t.Errorf("its first part was made before, and names %v", first)
	}
	if last[0].Part != 17 || last[1].Clip.PreRoll != 5*time.Second {
		t.Errorf("the first clip has %d parts, the second a pre-roll of %v", last[0].Part+1, last[1].Clip.PreRoll)
	}
}

// A clip is never longer than it may be, and says so; the next event has a clip again.
func TestLongest(t *testing.T) {
	c := newCuts(t, CutterConfig{Before: 2 * time.Second, After: time.Second, Longest: 10 * time.Second})
	for i, f := range jpegs(t, 400, 100*time.Millisecond) {
		if i == 50 || i == 300 {
			c.event(uint64(i), f.Mono)
		}
		c.frame(f, i >= 50 && i < 250 || i >= 300 && i < 305)
	}
	n := 0
	for _, p := range c.parts {
		if p.Last && p.Event == 50 {
			if s := times(t, p.Data); s.end[len(s.end)-1] != 10*Timescale || p.Clip.Ended != EndLongest {
				t.Errorf("the clip ends at %d ticks: %v", s.end[len(s.end)-1], p.Clip.Ended)
			}
		}
		if p.Last {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d clips, want 2", n)
	}
}

// What ends a clip early is said, and what there is of it is kept.
func TestEndedEarly(t *testing.T) {
	frames := jpegs(t, 200, 100*time.Millisecond)
	for _, e := range []struct {
		name string
		do   func(*cuts)
		want End
	}{
		{"the camera is lost", func(c *cuts) { c.ring.Cut(EndCamera); c.take() }, EndCamera},
		{"the camera changes its size", func(c *cuts) {
			f := *frames[120]
			f.Format.Width = 128
			c.frame(&f, true)
		}, EndFormat},
		{"the film begins again", func(c *cuts) { c.frame(frames[0], true) }, EndCamera},
		{"the agent is stopped", func(c *cuts) { c.c.Close(EndStopped); c.take() }, EndStopped},
	} {
		c := ofFive(t)
		for i, f := range frames[:120] {
			if i == 100 {
				c.event(1, f.Mono)
			}
			c.frame(f, true)
		}
		before := len(c.parts)
		e.do(c)
		if len(c.parts) <= before || c.c.Waiting() != 0 {
			t.Fatalf("%s: the clip so far is not kept", e.name)
		}
		p := c.parts[len(c.parts)-1]
		if s := times(t, p.Data); !p.Last || p.Clip.Ended != e.want || s.end[len(s.end)-1] != 70*9000 {
			t.Errorf("%s: the last part: last %v, ended %v, at %d ticks", e.name, p.Last, p.Clip.Ended, s.end[len(s.end)-1])
		}
	}
}

// The clip waits for its event's snapshot, unless the ring runs full: then it
// asks for the snapshot, and in the end goes without.
func TestSnapshotFirst(t *testing.T) {
	r := NewRing(800*pageSize, time.Second)
	c := NewCutter(r, new(JPEG), CutterConfig{Before: time.Second, After: time.Second, Longest: time.Minute})
	frames := jpegs(t, 300, 100*time.Millisecond)
	hurried, went := -1, -1
	for i, f := range frames {
		f.Data = append(f.Data, make([]byte, 4*pageSize-len(f.Data))...)
		if i == 20 {
			c.Event(1, f.Mono, Moment{Frame: f.Mono})
		}
		if c.Look(f.Mono, true) && hurried < 0 {
			hurried = i
		}
		push(t, r, f)
		if _, ok, _ := c.Next(); ok && went < 0 {
			went = i
		}
	}
	if hurried != 150 || went != 190 || r.Stats().Lost != 0 {
		t.Errorf("asks for the snapshot at frame %d, goes without at %d, %d frames lost; want 150, 190 and none", hurried, went, r.Stats().Lost)
	}
	c.Drop()
	if _, ok, err := c.Next(); ok || err != nil || c.Waiting() != 0 || r.Stats().Frames != 0 {
		t.Errorf("after Drop there is a part (%v, %v) or a frame", ok, err)
	}
}

// An hour of frames at the odd rate of a real camera: each sample stands where
// its frame was taken, to the tick, and the end does not drift.
func TestNoDriftOverAnHour(t *testing.T) {
	c := newCuts(t, CutterConfig{Before: time.Second, After: time.Second, Longest: 2 * time.Hour})
	tiny, w, h, err := new(JPEG).Snapshot(card(capture.Grey, 8, 8, 0))
	if err != nil {
		t.Fatal(err)
	}
	film := &capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: w, Height: h}, Data: tiny}
	const period = 33_366_703 * time.Nanosecond // 29.97 fps, as a crystal has it
	var taken []time.Duration
	for i := 0; ; i++ {
		at := time.Duration(i) * period
		if i%1000 == 7 {
			at += 11 * time.Millisecond // late once in a while
		}
		if at > time.Hour {
			break
		}
		if i == 1 {
			c.event(1, at)
		}
		f := *film
		f.Mono, f.Seq = at, uint64(i)
		taken = append(taken, at)
		c.frame(&f, true)
	}
	c.c.Close(EndStopped)
	c.take()
	n := 0
	for _, p := range c.parts {
		s := times(t, p.Data)
		for i, tick := range s.at {
			want := float64(taken[n]) * Timescale / float64(time.Second)
			if d := float64(tick) - want; d > 0.51 || d < -0.51 {
				t.Fatalf("frame %d stands at tick %d, want %.1f", n, tick, want)
			}
			if i+1 < len(s.at) && s.end[i] != s.at[i+1] {
				t.Fatalf("frame %d ends at %d, the next begins at %d", n, s.end[i], s.at[i+1])
			}
			n++
		}
	}
	if n != len(taken) || n < 107800 {
		t.Errorf("%d samples of %d frames", n, len(taken))
	}
}

// Frames that are no JPEG behind their header, or that the masks cannot be applied
// to, are left out and counted; the clip goes on.
func TestFramesLeftOut(t *testing.T) {
	c := ofFive(t)
	c.c.part.jpeg.Masks = capture.Masks{capture.Rectangle(0, 0, 500, 500)}
	for i, f := range jpegs(t, 120, 100*time.Millisecond) {
		if i == 20 {
			c.event(1, f.Mono)
		}
		if i == 30 {
			f.Data = bytes.Clone(f.Data)
			f.Data = append(f.Data[:len(f.Data)/2], 0xff, 0xd9)
		}
		c.frame(f, i < 40)
	}
	samples := 0
	for _, p := range c.parts {
		samples += len(times(t, p.Data).at)
	}
	if st := c.c.Stats(); samples != 90 || st.Bad != 1 || st.Clips != 1 {
		t.Errorf("%d samples, want 90 of 91 frames; %+v", samples, st)
	}
}

// More clips than may wait are not begun, and counted.
func TestCrowded(t *testing.T) {
	c := newCuts(t, CutterConfig{})
	for i := range 6 {
		at := time.Duration(i) * time.Second
		c.c.Event(uint64(i+1), at, c.moment(at))
		c.c.Look(at, false)
	}
	if st := c.c.Stats(); st.Clips != maxPlans || st.Crowded != 2 {
		t.Errorf("%+v, want %d clips and 2 events too many", st, maxPlans)
	}
}
