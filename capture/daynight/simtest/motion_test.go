package simtest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/tamper"
)

// canvas draws what the camera sees as a Luma of 240x135, with texture and the
// noise of a sensor, and someone who walks through it.
type canvas struct {
	luma  capture.Luma
	block [240 * 135]uint8 // which patch and shade
	noise [1 << 16]int8
	r     *rand.Rand
}

func newCanvas(p *place, seed uint64) *canvas {
	v := &canvas{luma: capture.Luma{W: 240, H: 135, Pix: make([]uint8, 240*135)}, r: rand.New(rand.NewPCG(seed, 3))}
	for i := range v.noise {
		v.noise[i] = int8(v.r.NormFloat64() * 2)
	}
	for i := range v.block {
		x, y := i%240, i/240
		at, patch := float64(x)/240, 0
		for patch < len(p.patches)-1 && at >= p.patches[patch].area {
			at -= p.patches[patch].area
			patch++
		}
		shade := (x/9*7 + y/11*5 + x/9*(y/11)) % 3
		v.block[i] = uint8(3*patch + shade)
	}
	return v
}

// draw paints the picture that c was exposed to. Someone at x (pixels; below 0
// nobody) stands in the middle, darker and brighter than what is behind.
func (v *canvas) draw(c *camera, x int) *capture.Luma {
	n := v.r.IntN(len(v.noise))
	for i, b := range v.block {
		n = (n + 1) % len(v.noise)
		v.luma.Pix[i] = uint8(max(0, min(255, int(c.codes[b])+int(v.noise[n]))))
	}
	for y := 50; x >= 0 && y < 100; y++ {
		for px := x; px < x+14; px++ {
			level := int(c.codes[v.block[y*240+px]])
			if y < 62 {
				level = level*8/5 + 12
			} else {
				level = level * 2 / 5
			}
			v.luma.Pix[y*240+px] = uint8(min(255, level))
		}
	}
	return &v.luma
}

// TestSwitchIsNoMotion carries a camera at 10 frames a second from dusk into the
// night and from night into day, with the real detectors of movement and of
// tampering behind it. Every switch, look and settling must be no event, and
// somebody who walks all the
// while must be found within a second after light is given back.
func TestSwitchIsNoMotion(t *testing.T) {
	dusk, dawn := 100*day+18*time.Hour+40*time.Minute, 101*day+4*time.Hour+10*time.Minute
	for _, at := range []int{0, 1, 4, 5, 6} {
		for _, tt := range []struct {
			name  string
			from  time.Duration
			walks bool
		}{{"dusk", dusk, false}, {"dusk, someone walks", dusk, true}, {"dawn", dawn, false}, {"dawn, someone walks", dawn, true}} {
			if testing.Short() && at != 1 {
				continue
			}
			t.Run(places[at].name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				s := newStage(places[at], tt.from)
				s.run(t, nil, false) // where are the switches?
				starts := s.starts
				if len(starts) == 0 {
					t.Fatal("nothing is switched in this hour")
				}
				newStage(places[at], tt.from).run(t, starts[max(0, len(starts)-4):], tt.walks)
			})
		}
	}
}

// stage is one hour of a camera with its motion detector.
type stage struct {
	from   time.Duration
	c      *camera
	o      *ours
	v      *canvas
	d      *motion.Detector
	sight  tamper.Detector
	light  capture.Light
	starts []time.Duration // when light began to be switched, power-on left out
	back   time.Duration   // when it was last given back
	x      int             // of who walks; -1 nobody
}

func newStage(p place, from time.Duration) *stage {
	p.habits = habits{}
	here := p.at(50, 4)
	here.plan(int(from / day))
	d, err := motion.New(motion.Config{})
	if err != nil {
		panic(err)
	}
	return &stage{from: from, c: newCamera(here, usual, 9), o: newOurs(here), v: newCanvas(here, 9), d: d, x: -1}
}

const frame = 100 * time.Millisecond

// run lets an hour pass. The detector sees the minute before and the 20 seconds
// after each of the given times; that is where it is expected to see nobody,
// or someone who walks from the switch on.
func (s *stage) run(t *testing.T, watch []time.Duration, walks bool) {
	t.Helper()
	var due time.Duration
	found := map[time.Duration]bool{}
	for at := s.from; at < s.from+time.Hour; at += frame {
		s.c.expose(at)
		if at >= due {
			s.o.step(s.c.read(at - s.from))
			due = at + s.o.period()
			s.c.filter, s.c.lamp = s.o.act.Filter, s.o.act.Lamp
		}
		s.follow(at)
		for _, w := range watch {
			if at > w-time.Minute && at < w+20*time.Second {
				s.walk(walks && at >= w)
				s.observe(t, at, w, walks, found)
				break
			}
		}
		s.c.follow(frame)
	}
	if walks {
		for _, w := range watch {
			if !found[w] {
				t.Errorf("who walks from %v on was not found", w-s.from)
			}
		}
	}
}

// follow takes note of the light.
func (s *stage) follow(at time.Duration) {
	l := s.o.act.Light
	if l == s.light {
		return
	}
	if l == capture.LightSwitching && s.light != capture.LightUnknown {
		s.starts = append(s.starts, at)
	}
	if s.light == capture.LightSwitching {
		s.back = at
	}
	s.light = l
}

func (s *stage) walk(on bool) {
	switch s.x += 2; {
	case !on:
		s.x = -1
	case s.x > 225:
		s.x = 0
	}
}

// observe shows the detector one frame. Who walks must be found within a second
// of seeing: of light that is not being switched.
func (s *stage) observe(t *testing.T, at, w time.Duration, walks bool, found map[time.Duration]bool) {
	t.Helper()
	luma := s.v.draw(s.c, s.x)
	if v := s.sight.Observe(luma, at-s.from, s.light); v.Started {
		t.Errorf("the lens is taken for %v %v after light %v was given back (%s)", v.Kind, at-s.back, s.light, s.o.act.Reason)
	}
	v := s.d.Observe(luma, at-s.from, s.light)
	switch {
	case v.Started && !walks:
		t.Errorf("an event starts %v after light %v was given back, %v after a switch began (%s)", at-s.back, s.light, at-w, s.o.act.Reason)
	case walks && v.Event != nil && at >= w && !found[w] && s.light != capture.LightSwitching:
		found[w] = true
		if at-s.back > time.Second && s.back > w {
			t.Errorf("who walks was found %v after light was given back", at-s.back)
		}
	}
}
