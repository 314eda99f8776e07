package motion_test

import (
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

func TestLightIsNoEvent(t *testing.T) {
	soft := func(cx float64, sigma float64, high float64) func(x, y int) int {
		return func(x, y int) int {
			dx, dy := (float64(x)-cx)/sigma, (float64(y)-45)/sigma
			return int(high / (1 + dx*dx + dy*dy))
		}
	}
	for name, play := range map[string]func(s *stage){
		"lights out": func(s *stage) { s.gain = 0.4; s.rest(3 * time.Second); s.gain = 1; s.rest(3 * time.Second) },
		"exposure in steps": func(s *stage) {
			for range 20 {
				s.gain *= 0.94
				s.rest(500 * time.Millisecond)
			}
		},
		"dusk": func(s *stage) {
			for range 300 {
				s.gain *= 0.994
				s.rest(s.step)
			}
		},
		"a lamp in a window": func(s *stage) {
			s.extra = func(x, y int) int {
				if x > 50 && x < 70 && y > 30 && y < 60 {
					return 70
				}
				return 0
			}
			s.rest(6 * time.Second)
			s.extra = nil
			s.rest(6 * time.Second)
		},
		"headlights": func(s *stage) {
			for x := -60.0; x < 220; x += 7 {
				s.extra = soft(x, 22, 80)
				s.rest(s.step)
			}
			s.extra = nil
			s.rest(3 * time.Second)
		},
		"a cloud": func(s *stage) {
			for x := -150.0; x < 300; x += 2 {
				s.extra = soft(x, 50, -45)
				s.rest(s.step)
			}
		},
		"a flag": func(s *stage) {
			for range 100 {
				n := s.rng.IntN(100)
				s.extra = func(x, y int) int {
					if x > 60 && x < 75 && y > 20 && y < 30 {
						return (x*n+y*7)%50 - 25
					}
					return 0
				}
				s.rest(s.step)
			}
		},
		"specks": func(s *stage) {
			s.extra = func(x, y int) int {
				if s.rng.IntN(60) == 0 {
					return 60
				}
				return 0
			}
			s.rest(20 * time.Second)
		},
	} {
		s := newStage(t, motion.Config{})
		s.rest(5 * time.Second)
		play(s)
		if len(s.ids) != 0 {
			t.Errorf("%s: %d events", name, len(s.ids))
		}
		// And it still sees.
		s.extra = nil
		s.rest(4 * time.Second)
		if n := s.walk(from(-7), s.w); n < 40 {
			t.Errorf("%s: afterwards a walk of 84 frames moves in %d", name, n)
		}
	}
}

func TestSwitchingHoldsTheVerdict(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	switching := func(d time.Duration) (v motion.Verdict) {
		for end := s.at + d; s.at < end; {
			s.gain = 0.1 * s.rng.Float64() // the exposure hunts
			v = s.show(capture.LightSwitching)
		}
		s.gain = 0.5
		// By infrared light, leaves are as pale as walls.
		s.extra = func(x, y int) int {
			if (x/10+y/10)%3 == 0 {
				return 60
			}
			return 0
		}
		return v
	}
	if v := switching(2 * time.Second); v.Moving || v.Event != nil {
		t.Errorf("switching with nobody there: %+v", v)
	}
	for range 20 {
		if v := s.show(capture.LightDay); v.Score != 0 || v.Event != nil {
			t.Fatalf("after the light was switched: %+v", v)
		}
	}
	s.walk(from(-7), 61)
	v := switching(6 * time.Second)
	if !v.Moving || v.Event == nil {
		t.Errorf("while the light was switched the verdict did not hold: %+v", v)
	}
	s.walk(from(61), s.w)
	s.rest(5 * time.Second)
	if len(s.ids) != 1 {
		t.Errorf("the visit became %d events", len(s.ids))
	}
}

func TestWhatIsLearned(t *testing.T) {
	tight := func(name string, s *stage) {
		for x := -7; x < s.w; x += 2 {
			for _, b := range s.show(capture.LightDay, from(x)).Boxes {
				if b.W > 11 || b.H > 24 {
					t.Errorf("%s: at %d the person's box is %v", name, x, b)
				}
			}
		}
	}
	// A light that stays on is a part of the picture soon.
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.extra = func(x, y int) int {
		if x > 50 && x < 90 && y > 30 && y < 60 {
			return 105
		}
		return 0
	}
	s.rest(9 * time.Second)
	tight("a lamp was lit", s)

	// When most of the picture changes at once, it is another picture.
	s = newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.extra = func(x, y int) int { return (x/10 + y/10) % 3 * 40 }
	for range 10 {
		if v := s.show(capture.LightDay); v.Score > 0 {
			t.Fatalf("another picture: %+v", v)
		}
	}
	tight("another picture", s)

	// Leaves in the wind are what their place looks like, after a while.
	s = newStage(t, motion.Config{})
	s.extra = func(x, y int) int {
		if x > 100 && y < 60 && s.rng.IntN(3) == 0 {
			return 25
		}
		return 0
	}
	s.rest(2 * time.Minute)
	for range 50 {
		if v := s.show(capture.LightDay); v.Score > 0 {
			t.Fatalf("leaves in the wind: %+v", v)
		}
	}
}
