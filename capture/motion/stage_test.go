package motion_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

// stage draws lumas: a textured background under a light, noise, and bodies on it.
type stage struct {
	w, h  int
	rng   *rand.Rand
	gain  float64 // light, 1 at first
	extra func(x, y int) int
	at    time.Duration
	step  time.Duration
	d     *motion.Detector
	ids   map[uint64]bool
	tb    testing.TB
}

func newStage(tb testing.TB, c motion.Config) *stage {
	tb.Helper()
	d, err := motion.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return &stage{w: 160, h: 90, rng: rand.New(rand.NewPCG(1, 2)), gain: 1, step: 100 * time.Millisecond, d: d, ids: map[uint64]bool{}, tb: tb}
}

// body is a person of w x h, with a texture of its own.
type body struct{ x, y, w, h, grey int }

func (s *stage) background(x, y int) int {
	v := 90 + y/2 + (x*7919+y*104729)%13
	if x/20%2 == 0 && y > 30 {
		v += 25
	}
	return v
}

func (s *stage) draw(bodies ...body) *capture.Luma {
	l := &capture.Luma{W: s.w, H: s.h, Pix: make([]uint8, s.w*s.h)}
	for i := range l.Pix {
		x, y := i%s.w, i/s.w
		v := s.background(x, y)
		for _, b := range bodies {
			if x >= b.x && x < b.x+b.w && y >= b.y && y < b.y+b.h {
				v = b.grey + (x-b.x)*5%17 - (y-b.y)*3%11
			}
		}
		if s.extra != nil {
			v += s.extra(x, y)
		}
		v = int(float64(v)*s.gain + s.rng.NormFloat64()*0.6 + 0.5)
		l.Pix[i] = uint8(min(max(v, 0), 255))
	}
	return l
}

// show draws one frame and observes it.
func (s *stage) show(light capture.Light, bodies ...body) motion.Verdict {
	s.tb.Helper()
	l := s.draw(bodies...)
	v := s.d.Observe(l, s.at, light)
	s.at += s.step
	if v.Event != nil {
		s.ids[v.Event.ID] = true
	}
	return v
}

// rest shows the same for so long and returns how many frames moved.
func (s *stage) rest(d time.Duration, bodies ...body) (moving int) {
	for end := s.at + d; s.at < end; {
		if s.show(capture.LightDay, bodies...).Moving {
			moving++
		}
	}
	return moving
}

// walk moves a body from x to x at two pixels a frame.
func (s *stage) walk(b body, to int) (moving int) {
	for b.x != to {
		b.x += max(min(to-b.x, 2), -2)
		if s.show(capture.LightDay, b).Moving {
			moving++
		}
	}
	return moving
}

var person = body{w: 7, h: 20, y: 40, grey: 40}

func from(x int) body { b := person; b.x = x; return b }
