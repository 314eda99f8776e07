package encode

import (
	"bytes"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// recorded is a recorder on the ring of cuts, and what it gave.
type recorded struct {
	*Recorder
	parts []Picture
}

func (c *cuts) record() *recorded { return &recorded{Recorder: NewRecorder(c.ring, &JPEG{})} }

func (r *recorded) take(t testing.TB) {
	t.Helper()
	for {
		p, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		p.Data = bytes.Clone(p.Data)
		r.parts = append(r.parts, p)
	}
}

// All frames are recorded, beside the clip of an event and out of the same ring:
// both play, neither lacks a frame, and the recording's times do not depend on the
// clip's.
func TestRecorder(t *testing.T) {
	c := ofFive(t)
	r := c.record()
	frames := film(t, annexb.H264, "320x240", 15, 20)
	for i, f := range frames {
		if f.Mono == 8*time.Second {
			c.event(1, f.Mono)
		}
		c.frame(f, f.Mono >= 8*time.Second && f.Mono < 10*time.Second)
		r.Look(c.moment(f.Mono))
		if i%40 == 0 { // a disk that is busy now and then
			r.take(t)
		}
	}
	c.c.Close(EndStopped)
	r.Close(EndStopped)
	c.take()
	r.take(t)
	if s := c.ring.Stats(); s.Lost != 0 || s.Missed != 0 || r.Bad() != 0 {
		t.Errorf("%+v, %d left out", s, r.Bad())
	}
	plays(t, joined(r.parts), "h264", len(frames))
	if len(r.parts) != 20 || len(c.parts) == 0 {
		t.Fatalf("%d parts of 20 s, %d of the clip", len(r.parts), len(c.parts))
	}
	plays(t, r.parts[7].Data, "h264", 15)
	for i, p := range r.parts {
		if want := c.moment(time.Duration(i) * time.Second); p.Kind != Recorded || p.Event != 0 || p.Cause != 0 || p.Part != uint32(i) || p.Last != (i == 19) ||
			!p.Taken.Equal(want.Wall) || p.Mono != want.Mono || (p.Clip.Length-time.Second).Abs() > 20*time.Microsecond {
			t.Errorf("part %d: %+v, want it taken at %v", i, p, want)
		}
	}
	if last := r.parts[19].Clip.Ended; last != EndStopped {
		t.Errorf("it ended %v", last)
	}
}

// A camera that is lost, or changes its format, begins another take.
func TestRecorderTakes(t *testing.T) {
	c := ofFive(t)
	r := c.record()
	all := jpegs(t, 40, 100*time.Millisecond)
	for i, f := range all {
		if i == 25 {
			c.ring.Cut(EndCamera)
		}
		r.Look(c.moment(f.Mono))
		push(t, c.ring, f)
		r.take(t)
	}
	r.Close(EndStopped)
	r.take(t)
	var ends []End
	for i, p := range r.parts {
		if p.Last {
			ends = append(ends, p.Clip.Ended)
		}
		if i > 0 && (p.Part == 0) != r.parts[i-1].Last {
			t.Errorf("part %d is number %d", i, p.Part)
		}
	}
	if len(ends) != 2 || ends[0] != EndCamera || ends[1] != EndStopped {
		t.Errorf("takes ended %v", ends)
	}
}

// A disk that has stopped costs the recording what half of the ring cannot hold,
// counted, and clips nothing; then it goes on with a key frame.
func TestRecorderBehind(t *testing.T) {
	c := newCuts(t, CutterConfig{Before: time.Second, After: time.Second, Longest: time.Minute})
	c.ring = NewRing(200*pageSize, time.Second)
	c.c = NewCutter(c.ring, &JPEG{}, CutterConfig{Before: time.Second, After: time.Second, Longest: time.Minute})
	r := c.record()
	all := jpegs(t, 300, 100*time.Millisecond)
	for _, f := range all {
		r.Look(c.moment(f.Mono))
		push(t, c.ring, f)
	}
	s := c.ring.Stats()
	if s.Missed == 0 || s.Lost != 0 || s.Span < time.Second || c.ring.fill() > 520 {
		t.Errorf("%+v, filled to %d of 1000", s, c.ring.fill())
	}
	r.take(t)
	for _, f := range jpegs(t, 10, 100*time.Millisecond) {
		f.Mono, f.Seq = f.Mono+30*time.Second, f.Seq+300
		r.Look(c.moment(f.Mono))
		push(t, c.ring, f)
		r.take(t)
	}
	r.Close(EndStopped)
	r.take(t)
	if len(r.parts) == 0 || r.parts[0].Part != 0 || c.ring.Stats().Missed != s.Missed {
		t.Errorf("%d parts, %+v", len(r.parts), c.ring.Stats())
	}
	plays(t, joined(r.parts), "mjpeg", 310-int(s.Missed))
}

// Nothing is left of what was dropped, and what comes then is another take.
func TestRecorderDrop(t *testing.T) {
	c := ofFive(t)
	r := c.record()
	frames := jpegs(t, 20, 100*time.Millisecond)
	for _, f := range frames[:15] {
		r.Look(c.moment(f.Mono))
		push(t, c.ring, f)
		r.take(t)
	}
	before := len(r.parts)
	c.c.Drop()
	r.Drop()
	if n := len(bytes.Trim(r.part.buf[:cap(r.part.buf)], "\x00")) + len(bytes.Trim(r.part.frame[:cap(r.part.frame)], "\x00")); n != 0 {
		t.Errorf("%d bytes are left in memory", n)
	}
	for _, f := range frames[15:] {
		r.Look(c.moment(f.Mono))
		push(t, c.ring, f)
	}
	r.Close(EndStopped)
	r.take(t)
	if got := r.parts[before:]; len(got) != 1 || got[0].Part != 0 || !got[0].Taken.Equal(c.moment(1500*time.Millisecond).Wall) {
		t.Errorf("%d parts behind it: %+v", len(got), got)
	}
}

// BenchmarkRecorder cuts a second of 1080p at 4 Mbit/s.
func BenchmarkRecorder(b *testing.B) {
	frames := film(b, annexb.H264, "1920x1080", 30, 2, "-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "1M")
	ring := NewRing(32<<20, 5*time.Second)
	r := NewRecorder(ring, &JPEG{})
	b.ReportAllocs()
	at, seq, bytes := time.Duration(0), uint64(0), 0
	for b.Loop() {
		for _, f := range frames[:30] {
			g := capture.Frame{Format: f.Format, Data: f.Data, Seq: seq, Mono: at}
			at, seq = at+time.Second/30, seq+1
			r.Look(Moment{Frame: at})
			push(b, ring, &g)
		}
		for {
			p, ok, err := r.Next()
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			bytes += len(p.Data)
		}
	}
	b.SetBytes(int64(bytes / b.N))
	if ring.Stats().Missed != 0 {
		b.Errorf("%+v", ring.Stats())
	}
}
