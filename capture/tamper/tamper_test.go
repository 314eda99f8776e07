package tamper_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/tamper"
)

// stage draws lumas of a wall full of shapes and shows them to a Detector.
type stage struct {
	t      *testing.T
	d      tamper.Detector
	rng    *rand.Rand
	noise  [4093]float64
	at     time.Duration
	limit  bool // range 16..235
	events []tamper.Kind
	open   tamper.Kind
}

func newStage(t *testing.T) *stage {
	t.Parallel()
	s := &stage{t: t, rng: rand.New(rand.NewPCG(3, 4))}
	for i := range s.noise {
		s.noise[i] = s.rng.NormFloat64() * 0.7
	}
	return s
}

const w, h = 160, 90

// A look is the brightness of a pixel, 0 to 255.
type look func(x, y int) float64

func shapes(seed uint64) look {
	var boxes [40][5]int
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range boxes {
		boxes[i] = [5]int{rng.IntN(w), rng.IntN(h), 4 + rng.IntN(20), 4 + rng.IntN(20), 30 + rng.IntN(160)}
	}
	return func(x, y int) float64 {
		v := 90.0 + float64(x)/4
		for _, b := range boxes {
			if x >= b[0] && x < b[0]+b[2] && y >= b[1] && y < b[1]+b[3] {
				v = float64(b[4])
			}
		}
		return v
	}
}

// times returns a look in another light.
func (l look) times(k float64) look { return func(x, y int) float64 { return k * l(x, y) } }

// lit is how the own lamp shows the same: near things, which are low, far brighter.
func (l look) lit() look {
	return func(x, y int) float64 { return l(x, y) * (0.25 + 0.9*float64(y)/h) }
}

func flat(v float64) look { return func(int, int) float64 { return v } }

// under returns what is left of l with a cover that has come so far.
func (l look) under(k, v float64) look {
	return func(x, y int) float64 {
		if float64(x) < k*w {
			return v
		}
		return l(x, y)
	}
}

func (s *stage) show(l look, d time.Duration, light capture.Light) {
	s.t.Helper()
	luma := &capture.Luma{W: w, H: h, Pix: make([]uint8, w*h), Limited: s.limit}
	var pix [w * h]float64
	for i := range pix {
		if pix[i] = l(i%w, i/w) + 0.5; s.limit {
			pix[i] = 16 + pix[i]*219/255
		}
	}
	for end := s.at + d; s.at < end; s.at += min(d, 200*time.Millisecond) {
		from := s.rng.IntN(len(s.noise))
		for i, v := range pix {
			luma.Pix[i] = uint8(min(max(v+s.noise[(from+i)%len(s.noise)], 0), 255))
		}
		v := s.d.Observe(luma, s.at, light)
		if v.Started {
			s.events = append(s.events, v.Kind)
		}
		if v.Started != (s.open == tamper.None && v.Kind != tamper.None) || v.Ended != (s.open != tamper.None && v.Kind == tamper.None) {
			s.t.Fatalf("at %v: %+v after %v", s.at, v, s.open)
		}
		if want := uint64(len(s.events)); v.Kind != tamper.None && v.ID != want || v.Kind == tamper.None && v.ID != 0 {
			s.t.Fatalf("at %v: %+v is event %d", s.at, v, want)
		}
		s.open = v.Kind
	}
}

// cover draws a cover over l, half a second long.
func (s *stage) cover(l look, v float64, light capture.Light) {
	for k := 0.2; k < 1; k += 0.2 {
		s.show(l.under(k, v), 100*time.Millisecond, light)
	}
}

// want fails unless these events have begun, and open is open now.
func (s *stage) want(what string, open tamper.Kind, events ...tamper.Kind) {
	s.t.Helper()
	if len(s.events) != len(events) || s.open != open {
		s.t.Fatalf("%s: events %v, open %v; want %v and %v", what, s.events, s.open, events, open)
	}
	for i, k := range events {
		if s.events[i] != k {
			s.t.Fatalf("%s: events %v, want %v", what, s.events, events)
		}
	}
}

const (
	day, night, switching = capture.LightDay, capture.LightNight, capture.LightSwitching
	learn                 = 20 * time.Second
)

// Day and night have a picture each. A switch is held, the first night is learnt,
// and both are known again the next time.
func TestDayAndNightApart(t *testing.T) {
	s, wall := newStage(t), shapes(1)
	s.show(wall, learn, day)
	for range 2 {
		s.show(wall.times(0.1), 3*time.Second, day) // dark, and not decided yet
		s.show(flat(255), 2*time.Second, switching) // the lamp, before exposure follows
		s.show(wall.lit(), learn, night)
		s.want("dusk", tamper.None)
		s.show(flat(2), 3*time.Second, switching)
		s.show(wall, learn, day)
		s.want("dawn", tamper.None)
	}
	s.show(flat(3), 2*time.Second, switching)
	s.show(wall.lit(), 5*time.Second, night)
	s.cover(wall.lit(), 120, night)
	s.show(flat(120), 8*time.Second, night)
	s.want("covered by night", tamper.Covered, tamper.Covered)
	s.show(wall.lit(), 5*time.Second, night)
	s.want("uncovered", tamper.None, tamper.Covered)
}

// The cover makes it dark, which makes the camera take it for night before
// it has ever seen one.
func TestCoverTakenForNight(t *testing.T) {
	s, wall := newStage(t), shapes(2)
	s.show(wall, learn, day)
	s.cover(wall, 4, day)
	s.show(flat(4), 5*time.Second, day)
	s.show(flat(4), 4*time.Second, switching)
	s.want("too early", tamper.None)
	s.show(flat(60), 20*time.Second, night) // the lamp on the cover
	s.want("covered", tamper.Covered, tamper.Covered)
	s.show(wall.lit(), 30*time.Second, night)
	s.want("nothing known of this light yet", tamper.Covered, tamper.Covered)
	s.show(wall.lit(), 40*time.Second, night)
	s.want("a minute of shapes", tamper.None, tamper.Covered)
}

// In a room whose lamp is switched nothing is seen, and nothing was done.
func TestLightsOut(t *testing.T) {
	s, room := newStage(t), shapes(3)
	s.show(room, learn, day)
	for range 2 {
		s.show(flat(2), 6*time.Second, day)
		s.show(flat(2), 4*time.Second, switching)
		s.show(flat(2), time.Minute, night) // no lamp
		s.show(room, 10*time.Second, night)
		s.show(room, learn, day)
	}
	s.want("lights out", tamper.None)
}

// Much may come before a lens without harm, and some of it stays.
func TestNothingWasDone(t *testing.T) {
	s, wall := newStage(t), shapes(4)
	s.show(wall, learn, day)
	s.cover(wall, 60, day) // somebody looks into the lens
	s.show(flat(60), 3*time.Second, day)
	s.show(wall, 5*time.Second, day)
	s.show(flat(255), 3*time.Second, day) // headlights
	s.show(wall, 5*time.Second, day)
	s.show(wall.times(0.4), time.Minute, day) // a cloud
	for k := 1.0; k > 0.05; k *= 0.97 {       // dusk in two minutes
		s.show(wall.times(k), time.Second, day)
	}
	s.show(wall, 20*time.Second, day)
	s.cover(wall.under(0.1, 0), 140, day)
	s.show(wall.under(0.6, 140), 3*time.Minute, day) // a van is parked
	s.show(wall, 3*time.Minute, day)                 // and leaves
	s.want("nothing", tamper.None)
}

func TestBlinded(t *testing.T) {
	s, wall := newStage(t), shapes(5)
	s.limit = true
	s.show(wall, learn, day)
	s.show(flat(255), 10*time.Second, day)
	s.want("a torch", tamper.Blinded, tamper.Blinded)
	s.show(wall, 3*time.Second, day)
	s.want("gone", tamper.None, tamper.Blinded)
}

// A camera that was turned shows, after a while, what it shows.
func TestNewNormal(t *testing.T) {
	s, one, other := newStage(t), shapes(6), shapes(7)
	s.show(one, learn, day)
	s.show(other, 5*time.Minute, day)
	s.want("turned", tamper.Moved, tamper.Moved)
	s.show(other, 6*time.Minute, day)
	s.want("normal now", tamper.None, tamper.Moved)
	s.cover(other, 80, day)
	s.show(flat(80), 10*time.Second, day)
	s.want("covered", tamper.Covered, tamper.Moved, tamper.Covered)
}

// A camera that was away and counts its time anew still knows what it showed.
func TestMovedWhileAway(t *testing.T) {
	s, one, other := newStage(t), shapes(8), shapes(9)
	s.show(one, learn, day)
	s.at = 0
	s.show(other, 5*time.Second, switching)
	s.show(other, 15*time.Second, day)
	s.want("turned", tamper.Moved, tamper.Moved)
}

// Another size is another camera.
func TestOtherSize(t *testing.T) {
	s := newStage(t)
	s.show(shapes(1), learn, day)
	for _, l := range []*capture.Luma{{}, {W: 3, H: 900, Pix: make([]uint8, 2700)}, {W: 160, H: 90}, {W: 80, H: 60, Pix: make([]uint8, 4800)}} {
		if v := s.d.Observe(l, s.at, day); v.Kind != tamper.None {
			t.Errorf("%dx%d: %+v", l.W, l.H, v)
		}
	}
	s.show(flat(7), 40*time.Second, day)
	s.want("a wall", tamper.None)
}

func TestWords(t *testing.T) {
	for k, want := range map[tamper.Kind]string{tamper.None: "none", tamper.Covered: "covered", tamper.Blinded: "blinded", tamper.Defocused: "defocused", tamper.Moved: "moved", 77: "unknown"} {
		if k.String() != want || (k.Sentence() == "") != (k == tamper.None || k > tamper.Moved) {
			t.Errorf("%d is %q, %q", k, k, k.Sentence())
		}
	}
}

// watching returns a Detector that knows a wall, and what it looks at.
func watching(tb testing.TB) (*tamper.Detector, *capture.Luma) {
	tb.Helper()
	d, wall := new(tamper.Detector), shapes(1)
	l := &capture.Luma{W: 240, H: 135, Pix: make([]uint8, 240*135)}
	for i := range l.Pix {
		l.Pix[i] = uint8(wall(i%240*w/240, i/240*h/135))
	}
	for at := time.Duration(0); at < 20*time.Second; at += time.Second / 10 {
		d.Observe(l, at, day)
	}
	return d, l
}

// What is shown between two looks is passed over: a lens that is blinded in three of four
// frames, in all that are looked at or in none of them.
func TestLooksApart(t *testing.T) {
	for first, want := range []int{0, 1} {
		d, l := watching(t)
		white := &capture.Luma{W: l.W, H: l.H, Pix: bytes.Repeat([]byte{255}, len(l.Pix))}
		shown := [2]*capture.Luma{l, white}
		at, events := 20*time.Second, 0
		for range 100 {
			for i := range 4 {
				if d.Observe(shown[first^min(i, 1)], at, day).Started {
					events++
				}
				at += 40 * time.Millisecond
			}
		}
		if events != want {
			t.Errorf("%d events, want %d", events, want)
		}
	}
}

func TestAllocatesNothing(t *testing.T) {
	d, l := watching(t)
	at := 20 * time.Second
	if n := testing.AllocsPerRun(100, func() { d.Observe(l, at, day); at += time.Second / 10 }); n != 0 {
		t.Errorf("%g allocations a frame", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	d, l := watching(b)
	at := 20 * time.Second
	b.ReportAllocs()
	for b.Loop() {
		d.Observe(l, at, day)
		at += time.Second / 10
	}
}

// FuzzObserve shows lumas of any size, content and time.
func FuzzObserve(f *testing.F) {
	f.Add([]byte("a luma that is no luma at all"), 8, 3)
	f.Add(make([]byte, 2000), 40, 50)
	f.Fuzz(func(t *testing.T, data []byte, w, h int) {
		var d tamper.Detector
		open, id := tamper.None, uint64(0)
		var at time.Duration
		for i := range data {
			n := w % 400
			m := h % 300
			if n < 0 || m < 0 || n*m > len(data) {
				n, m = i%17, len(data)/17
			}
			l := &capture.Luma{W: n, H: m, Pix: data[i/2:], Limited: i%2 == 0}
			at += time.Duration(data[i]) * 100 * time.Millisecond
			if data[i] == 0 {
				at = 0
			}
			v := d.Observe(l, at, capture.Light(data[i]%4))
			if v.Started && (open != tamper.None || v.ID != id+1) || v.Ended && (open == tamper.None || v.Kind != tamper.None) || v.Kind > tamper.Moved {
				t.Fatalf("%+v after %v, event %d", v, open, id)
			}
			if open = v.Kind; v.ID != 0 {
				id = v.ID
			}
			if i > 64 {
				break
			}
		}
	})
}
