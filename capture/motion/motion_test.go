package motion_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

func TestSomebodyWalksThrough(t *testing.T) {
	s := newStage(t, motion.Config{})
	if n := s.rest(3 * time.Second); n > 0 {
		t.Fatalf("%d frames move while nobody is there", n)
	}
	start := s.at
	frames := (s.w + 7) / 2
	if n := s.walk(from(-7), s.w); n < frames-6 {
		t.Errorf("%d of %d frames move", n, frames)
	}
	end := s.at
	s.rest(2 * time.Second)
	v := s.walk(from(s.w), -7)
	if v == 0 || len(s.ids) != 2 {
		t.Errorf("two visits two seconds apart became %d events", len(s.ids))
	}
	s2 := newStage(t, motion.Config{})
	var e motion.Event
	s2.rest(3 * time.Second)
	for x := -7; x < s2.w; x += 2 {
		v := s2.show(capture.LightDay, from(x))
		if v.Event != nil {
			e = *v.Event
		}
		for _, b := range v.Boxes {
			if b.X > x+1 || b.X+b.W < min(x+6, s2.w) || b.Y > 42 || b.Y+b.H < 58 {
				t.Fatalf("at %d: box %v", x, b)
			}
		}
	}
	if off := e.Start - start; off < 0 || off > 500*time.Millisecond {
		t.Errorf("the event starts %v after the visit", off)
	}
	if off := end - e.End; off < -100*time.Millisecond || off > 500*time.Millisecond {
		t.Errorf("the event ends %v before the visit", off)
	}
	if e.Peak <= e.Start || e.Peak >= e.End || e.PeakScore <= 0 {
		t.Errorf("event %+v", e)
	}
}

func TestStartedEndedAndBest(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(2 * time.Second)
	started, ended, best := 0, 0, 0
	check := func(v motion.Verdict) {
		if v.Started {
			started++
			if !v.Best {
				t.Error("the first frame of an event is not its best so far")
			}
		}
		if v.Best {
			best++
		}
		if v.Ended {
			ended++
			if v.Event == nil || v.Moving {
				t.Errorf("at the end: %+v", v)
			}
		}
		if ended > 0 && !v.Ended && v.Event != nil {
			t.Error("an event after the end")
		}
	}
	for x := -7; x < s.w; x += 2 {
		check(s.show(capture.LightDay, from(x)))
	}
	for range 50 {
		check(s.show(capture.LightDay))
	}
	if started != 1 || ended != 1 || best < 1 || best > 20 {
		t.Errorf("%d starts, %d ends, %d best moments", started, ended, best)
	}
}

func TestStandingStillIsOneEvent(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	if n := s.rest(40*time.Second, from(71)); n < 400 {
		t.Errorf("of 400 frames in which somebody stands there, %d say so", n)
	}
	s.walk(from(71), s.w)
	if n := s.rest(5 * time.Second); n > 6 {
		t.Errorf("%d frames move after the person left: a ghost", n)
	}
	if len(s.ids) != 1 {
		t.Errorf("%d events, want 1", len(s.ids))
	}
}

func TestWhatStaysBecomesBackground(t *testing.T) {
	s := newStage(t, motion.Config{Still: 8 * time.Second})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	s.rest(9*time.Second, from(71))
	if n := s.rest(8*time.Second, from(71)); n > 0 {
		t.Errorf("%d frames move although nothing has for 8 s", n)
	}
	// It drives off again: another event, and no hole stays behind.
	if n := s.walk(from(71), s.w); n < 30 {
		t.Errorf("of its leaving %d frames move", n)
	}
	if n := s.rest(5 * time.Second); n > 12 {
		t.Errorf("%d frames move where it stood", n)
	}
	if len(s.ids) != 2 {
		t.Errorf("%d events, want 2", len(s.ids))
	}
}

func TestWhoWasThereFirstLeavesNoGhost(t *testing.T) {
	for _, w := range []int{4, 7, 12, 24} {
		s := newStage(t, motion.Config{})
		b := from(71)
		b.w = w
		s.rest(2*time.Second, b)
		if n := s.walk(b, s.w); n < 30 {
			t.Errorf("%d wide: of leaving %d frames move", w, n)
		}
		if n := s.rest(10 * time.Second); n > 15 {
			t.Errorf("%d wide: %d frames move afterwards", w, n)
		}
	}
}

func TestOneBodyOneBox(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	for x := -7; x < s.w; x += 2 {
		// The coat has the colour of what is behind it.
		v := s.show(capture.LightDay, body{x: x, y: 40, w: 7, h: 8, grey: 40}, body{x: x, y: 51, w: 7, h: 9, grey: 40})
		if len(v.Boxes) > 1 {
			t.Fatalf("at %d: boxes %v", x, v.Boxes)
		}
	}
	if len(s.ids) != 1 {
		t.Errorf("%d events", len(s.ids))
	}
	for i := range 60 {
		v := s.show(capture.LightDay, from(-7+2*i), body{x: s.w - 2*i, y: 10, w: 7, h: 20, grey: 40})
		if i == 30 && len(v.Boxes) != 2 {
			t.Errorf("two people: boxes %v", v.Boxes)
		}
	}
}

func TestSensitivity(t *testing.T) {
	found := func(sensitivity int, b body) time.Duration {
		s := newStage(t, motion.Config{Sensitivity: sensitivity})
		s.rest(3 * time.Second)
		start := s.at
		for i := range 60 {
			b.x = 40 + i/3
			if s.show(capture.LightDay, b).Moving {
				return s.at - start
			}
		}
		return time.Hour
	}
	// A walker of 3 % of the picture's height: 3 pixels of 90.
	far := body{w: 2, h: 3, y: 50, grey: 50}
	if d := found(8, far); d > time.Second {
		t.Errorf("at 8, a walker far away is found after %v", d)
	}
	if d := found(2, far); d < time.Hour {
		t.Errorf("at 2, he is found after %v", d)
	}
	near := body{w: 7, h: 20, y: 40, grey: 40}
	if d := found(2, near); d > 2*time.Second {
		t.Errorf("at 2, a person nearby is found after %v", d)
	}
}

func TestIgnoredArea(t *testing.T) {
	s := newStage(t, motion.Config{Masks: capture.Masks{capture.Rectangle(0, 400, 1000, 400)}})
	s.rest(3 * time.Second)
	if n := s.walk(from(-7), s.w); n > 0 {
		t.Errorf("%d frames move in a part that is ignored", n)
	}
	above := body{w: 7, h: 20, y: 8, grey: 30, x: -7}
	if n := s.walk(above, s.w); n < 60 {
		t.Errorf("above it, only %d frames move", n)
	}
}

func TestLowAndUnevenRates(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	moving := 0
	for i := range 84 / 3 { // about 3 frames a second, now and then one missing
		s.step = 200*time.Millisecond + time.Duration(i%3)*100*time.Millisecond
		if s.show(capture.LightDay, from(-7+6*i)).Moving {
			moving++
		}
	}
	if moving < 20 || len(s.ids) != 1 {
		t.Errorf("at three frames a second: %d of 28 frames, %d events", moving, len(s.ids))
	}
}

func TestSurprises(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(2 * time.Second)
	s.walk(from(-7), 61)
	odd := []*capture.Luma{{}, {W: 160, H: 90}, {W: 160, H: 90, Pix: make([]uint8, 7)}, {W: -1, H: -1, Pix: make([]uint8, 1)}, {W: 1, H: 1, Pix: []uint8{9}}, {W: 320, H: 1, Pix: make([]uint8, 320)}, {W: 1, H: 200, Pix: make([]uint8, 200)}}
	for _, l := range odd {
		s.d.Observe(l, s.at, capture.LightDay)
		s.at += s.step
	}
	s.rest(5 * time.Second)
	s.at = time.Second // a film begins again
	if n := s.rest(3 * time.Second); n > 0 {
		t.Errorf("%d frames move after the film began again", n)
	}
	s.at += time.Hour
	if n := s.rest(3 * time.Second); n > 0 {
		t.Errorf("%d frames move after a pause", n)
	}
}

func TestTheSameAgain(t *testing.T) {
	run := func() (all []string) {
		s := newStage(t, motion.Config{Sensitivity: 9})
		for x := -30; x < s.w; x++ {
			all = append(all, fmt.Sprintf("%+v", s.show(capture.LightDay, from(x))))
		}
		return all
	}
	strip := func(v []string) (out []string) {
		for _, l := range v { // the event's address differs
			out = append(out, l[:strings.Index(l, "Event:")])
		}
		return out
	}
	if !reflect.DeepEqual(strip(run()), strip(run())) {
		t.Error("the same frames, another verdict")
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	s := newStage(t, motion.Config{})
	var film []*capture.Luma
	for x := -30; x < s.w; x += 2 {
		film = append(film, s.draw(from(x)))
	}
	n := 0
	s.d.Observe(film[0], 0, capture.LightDay)
	if allocs := testing.AllocsPerRun(len(film)*2, func() {
		n++
		s.d.Observe(film[n%len(film)], time.Duration(n)*s.step, capture.LightDay)
	}); allocs != 0 {
		t.Errorf("%v allocations a frame", allocs)
	}
}

func TestValidate(t *testing.T) {
	for want, c := range map[string]motion.Config{
		"1 to 10":      {Sensitivity: 11},
		"sens":         {Sensitivity: -1},
		"0 to 1h":      {Gap: -1},
		"24h":          {Still: 25 * time.Hour},
		"zone[0].area": {Zones: []motion.Zone{{Area: motion.Polygon{{0, 0}, {9, 9}}}}},
	} {
		if _, err := motion.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want a word about %q", c, err, want)
		}
	}
}

func TestBoxOnThePicture(t *testing.T) {
	l := &capture.Luma{W: 240, H: 135}
	if got := (motion.Box{X: 10, Y: 20, W: 30, H: 40}).On(l, 1920, 1080); got != (motion.Box{X: 80, Y: 160, W: 240, H: 320}) {
		t.Errorf("%v", got)
	}
	if got := (motion.Box{X: 79, W: 2, H: 1}).On(&capture.Luma{W: 81, H: 61}, 641, 481); got.X+got.W != 641 {
		t.Errorf("%v does not end with the picture", got)
	}
}

// FuzzObserve shows noise of any size and pace: verdicts stay in their bounds.
func FuzzObserve(f *testing.F) {
	f.Add(uint8(20), uint8(12), uint8(5), uint16(100), []byte("some pixels, over and over"))
	f.Add(uint8(1), uint8(1), uint8(10), uint16(0), []byte{0, 255})
	f.Add(uint8(200), uint8(3), uint8(1), uint16(60000), []byte{1, 2, 3, 250, 251, 9})
	f.Fuzz(func(t *testing.T, w, h, sensitivity uint8, ms uint16, data []byte) {
		d, err := motion.New(motion.Config{Sensitivity: int(sensitivity%10) + 1})
		if err != nil {
			t.Fatal(err)
		}
		l := &capture.Luma{W: int(w), H: int(h), Pix: make([]uint8, int(w)*int(h))}
		open := false
		at := time.Duration(0)
		for i := range 12 {
			for j := range l.Pix {
				if len(data) > 0 {
					l.Pix[j] = data[(j*(i+1)+i)%len(data)]
				}
			}
			light := capture.Light(0)
			if len(data) > i && data[i] == 7 {
				light = capture.LightSwitching
			}
			v := d.Observe(l, at, light)
			at += time.Duration(ms) * time.Millisecond
			if v.Score < 0 || v.Score > 1 || v.Score != v.Score {
				t.Fatalf("score %v", v.Score)
			}
			for _, b := range v.Boxes {
				if b.X < 0 || b.Y < 0 || b.W < 1 || b.H < 1 || b.X+b.W > l.W || b.Y+b.H > l.H {
					t.Fatalf("box %v in %dx%d", b, l.W, l.H)
				}
			}
			if v.Started == open && v.Started || v.Ended && !open && !v.Started || (v.Moving || v.Best) && v.Event == nil {
				t.Fatalf("open %v, then %+v", open, v)
			}
			open = (open || v.Started) && !v.Ended
		}
	})
}
