package encode

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// shown is what live view made of a film: it is asked after each frame, as long as
// there is room.
func shown(t testing.TB, film []*capture.Frame, bytesOf func(n int) int) (parts []Picture) {
	t.Helper()
	r := NewRing(8<<20, LatestSpan)
	l := NewLatest(r)
	for n, f := range film {
		push(t, r, f)
		room := bytesOf(n)
		if room == 0 {
			continue
		}
		p, ok, err := l.Next(Moment{Frame: f.Mono, Mono: f.Mono + time.Hour, Wall: time.Unix(0, int64(f.Mono))}, room)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			p.Data = bytes.Clone(p.Data)
			parts = append(parts, p)
		}
	}
	return parts
}

func all(int) int { return math.MaxInt }

// Each part plays alone, and those that follow each other play on, without a frame
// twice: of cameras with short and long groups of pictures, and with parameter sets
// at the start only.
func TestLatest(t *testing.T) {
	for name, k := range map[string]struct {
		film   []*capture.Frame
		codec  string
		frames int           // of a part
		every  time.Duration // between the beginnings of parts
	}{
		"a second":        {film(t, annexb.H264, "320x240", 15, 8), "h264", 15, time.Second},
		"H.265":           {film(t, annexb.H265, "320x240", 15, 8), "hevc", 15, time.Second},
		"sets once":       {once(film(t, annexb.H264, "320x240", 15, 8)), "h264", 15, time.Second},
		"four seconds":    {film(t, annexb.H264, "320x240", 15, 16, "-g", "60"), "h264", 30, 4 * time.Second},
		"a fifth":         {film(t, annexb.H264, "320x240", 15, 8, "-g", "3"), "h264", 6, 400 * time.Millisecond},
		"key frames only": {film(t, annexb.H264, "320x240", 15, 4, "-g", "1"), "h264", 4, 4 * time.Second / 15},
	} {
		parts := shown(t, k.film, all)
		if want := int(k.film[len(k.film)-1].Mono/k.every) - 1; len(parts) < want {
			t.Fatalf("%s: %d parts, want %d", name, len(parts), want)
		}
		plays(t, parts[1].Data, k.codec, k.frames)
		plays(t, joined(parts[:3]), k.codec, 3*k.frames)
		for i, p := range parts {
			at := time.Duration(i) * k.every
			if p.Kind != Viewed || p.Media != "video/mp4" || p.Cause != CauseWatch || p.Part != 0 || p.Last || p.Width != 320 ||
				(p.Mono-time.Hour-at).Abs() > time.Microsecond || p.Taken.Sub(time.Unix(0, int64(at))).Abs() > time.Microsecond {
				t.Errorf("%s: part %d is %v %s, taken at %v, %v, want %v", name, i, p.Kind, p.Media, p.Taken, p.Mono, at)
			}
		}
	}
}

// Where there was no room for long, the newest part is next; where there is little,
// its first frames come, the key frame at least.
func TestLatestOnAThinLink(t *testing.T) {
	frames := film(t, annexb.H264, "320x240", 15, 8)
	parts := shown(t, frames, func(n int) int {
		if n > 20 && n < 100 {
			return 0
		}
		return math.MaxInt
	})
	if len(parts) != 3 || parts[0].Mono != time.Hour || parts[1].Mono != time.Hour+5*time.Second || parts[2].Mono != time.Hour+6*time.Second {
		for _, p := range parts {
			t.Logf("%v", p.Mono)
		}
		t.Fatalf("%d parts, want those of second 0, 5 and 6", len(parts))
	}
	some := len(frames[0].Data) + len(frames[1].Data) + len(frames[2].Data)
	for room, want := range map[int]int{1: 1, some: 3} {
		parts := shown(t, frames, func(int) int { return room })
		plays(t, parts[0].Data, "h264", want)
		if len(parts) != 7 {
			t.Errorf("%d parts where there is room for %d bytes", len(parts), room)
		}
	}
}

// Nothing is made over a loss, a lost camera or another format but from the next key
// frame on, nothing of motion JPEG, and nothing is left of what was dropped.
func TestLatestBegins(t *testing.T) {
	frames := film(t, annexb.H264, "320x240", 15, 6)
	parts := shown(t, append(frames[:20:20], frames[25:]...), all) // from second 1.33 to 1.67
	for _, p := range parts {
		if second := (p.Mono - time.Hour) / time.Second; second == 1 {
			plays(t, p.Data, "h264", 5)
		} else {
			plays(t, p.Data, "h264", 15)
		}
	}
	if len(parts) != 5 {
		t.Errorf("%d parts around a loss", len(parts))
	}
	if parts := shown(t, jpegs(t, 40, 100*time.Millisecond), all); len(parts) != 0 {
		t.Errorf("%d parts of motion JPEG", len(parts))
	}
	r := NewRing(8<<20, LatestSpan)
	l := NewLatest(r)
	for _, f := range frames[:40] {
		push(t, r, f)
	}
	p, ok, err := l.Next(Moment{}, math.MaxInt)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	r.Clear()
	l.Drop()
	if bytes.ContainsFunc(p.Data, func(c rune) bool { return c != 0 }) {
		t.Error("something is left of a part that was dropped")
	}
	if _, ok, err := l.Next(Moment{}, math.MaxInt); ok || err != nil {
		t.Errorf("a part of nothing: %v, %v", ok, err)
	}
	// It goes on with the next key frame.
	for i, f := range frames[40:] {
		push(t, r, f)
		if p, ok, _ = l.Next(Moment{Frame: f.Mono, Mono: f.Mono}, math.MaxInt); ok {
			if p.Mono != 3*time.Second || i < 20 {
				t.Errorf("it goes on at %v", p.Mono)
			}
			break
		}
	}
	if !ok {
		t.Error("it does not go on")
	}
}
