package daynight

import (
	"math"
	"time"
)

// Tuning. Times that are felt by people or hardware, shares of full scale else.
const (
	lag           = 400 * time.Millisecond  // pictures this young may show the time before a command
	settleFor     = 1200 * time.Millisecond // exposure that stands still this long has settled
	settleMax     = 15 * time.Second        // exposure that never settles does not hold anything up longer; a hundredfold takes slow cameras 13 s
	darkFor       = 8 * time.Second         // by day: longer than the exposure takes to recover from headlights
	probeBlind    = 2500 * time.Millisecond // exposure unknown: time it gets to show what it can make of the dark
	probeBlack    = 6 * time.Second         // the same while all is black, which tells nothing of how far exposure has got
	maxGap        = 10 * time.Second        // between two Inputs; more means that the camera was away
	hysteresis    = 4                       // light to end the night over light to begin it
	firstRatio    = 2.5                     // light through the open filter over light through the closed one: daylight on silicon
	maxRatio      = 30                      // candlelight, or an infrared floodlight in view
	blackLevel    = 8                       // brightness below which only noise is left
	whiteLevel    = 245                     // brightness above which nothing is measured
	firstPatience = 2 * time.Minute         // a light must stay this long before the filter clicks: longer than lamps with a motion sensor
	maxPatience   = 6 * time.Minute         // however often it fooled us
)

// meter measures light and remembers what it learnt about the camera.
type meter struct {
	Low     float64 `json:"low"`     // least exposure seen, seconds times gain; 0 none
	Top     float64 `json:"top"`     // most exposure seen
	Full    float64 `json:"full"`    // most exposure seen or told
	Trusted bool    `json:"trusted"` // exposure moves, so it is read and not made up
	Target  float64 `json:"target"`  // mean brightness that automatic exposure aims at
	Usual   float64 `json:"usual"`   // level of the same pictures: what this scene looks like by day
	Ratio   float64 `json:"ratio"`   // open over closed filter, for the light of this place
}

// learn takes note of the exposure of a picture.
func (m *meter) learn(in Input, told float64) {
	e := in.Exposure.total()
	if e == 0 {
		return
	}
	if m.Low == 0 {
		m.Low = e
	}
	m.Low, m.Top = min(m.Low, e), max(m.Top, e)
	m.Full = max(m.Top, told)
	// Some drivers answer with whatever was last set by hand. A reading counts
	// once it has moved with the light.
	if m.Top >= 1.5*m.Low {
		m.Trusted = true
	}
}

// measured says whether in's light can be told at any exposure. Half of the
// story, time without gain, is none: what is not told may still change 64 times.
func (m *meter) measured(in Input) bool {
	return m.Trusted && in.Exposure.Time > 0 && in.Exposure.Gain > 0
}

// flux returns the light that fell on the sensor: linear brightness per
// exposure. Without a trusted exposure it is the linear brightness.
func (m *meter) flux(in Input) float64 {
	l := linear(in.Scene.Level)
	if m.measured(in) {
		return l / in.Exposure.total()
	}
	return l
}

// full returns the factor from flux to light.
func (m *meter) full(in Input) float64 {
	if m.measured(in) {
		return m.Full
	}
	return 1
}

// light returns how bright the scene would be in a picture at full exposure, as
// a share of full scale; well above 1 by day. Without a trusted exposure it is
// a lower bound: right as soon as exposure is exhausted.
func (m *meter) light(in Input) float64 { return m.flux(in) * m.full(in) }

// learnTarget follows the brightness of well lit day pictures: quickly up and
// slowly down, because at dusk exposure falls short of its aim.
func (m *meter) learnTarget(in Input, dt time.Duration) {
	follow := func(v *float64, to float64) {
		slow := 60.0
		if to < *v {
			slow = 7200
		}
		*v += (to - *v) * min(1, dt.Seconds()/slow)
	}
	follow(&m.Target, max(60, min(140, in.Scene.Mean)))
	follow(&m.Usual, max(30, min(140, in.Scene.Level)))
}

// learnRatio takes note of the light on both sides of the filter.
func (m *meter) learnRatio(open, closed float64) {
	if open <= 0 || closed <= 0 {
		return
	}
	r := max(1, min(maxRatio, open/closed))
	m.Ratio = math.Exp(0.5*math.Log(m.Ratio) + 0.5*math.Log(r))
}

// darkLight is the light below which a day picture is of no use, and dayLight
// the light from which one is good.
func (c *Controller) darkLight() float64 { return linear(c.cfg.Dark) }
func (c *Controller) dayLight() float64  { return hysteresis * c.darkLight() }

// need returns the light that has to come through the open filter, lamp off,
// for a day picture to be good.
func (c *Controller) need(in Input) float64 {
	n := c.dayLight()
	if c.cfg.HasFilter {
		n *= c.s.Meter.Ratio
	}
	if !c.s.Meter.measured(in) {
		// More than what exposure aims at is never seen.
		n = min(n, linear(0.8*c.s.Meter.Usual))
	}
	return n
}

// settle watches exposure come to rest. It keeps the last pictures only.
type settle struct {
	From time.Duration    `json:"from"`
	N    int              `json:"n"`
	Ring [settleLen]taken `json:"ring"`
}

const settleLen = 9

type taken struct {
	At    time.Duration `json:"t"`
	Level float64       `json:"l"`
	Mid   float64       `json:"m"`
	Total float64       `json:"e"`
}

func (s *settle) add(in Input) {
	if in.At < s.From+lag {
		return
	}
	s.Ring[s.N%settleLen] = taken{in.At, in.Scene.Level, in.Scene.Mid, in.Exposure.total()}
	s.N++
}

// done says whether the pictures of the last settleFor agree, or whether it
// took too long to wait for.
func (s *settle) done(now time.Duration) bool {
	if now-s.From >= settleMax {
		return true
	}
	var minL, maxL, mid, minE, maxE, oldest = 255.0, 0.0, 0.0, math.Inf(1), 0.0, now
	for i := max(0, s.N-settleLen); i < s.N; i++ {
		t := s.Ring[i%settleLen]
		if t.At < now-settleFor-150*time.Millisecond {
			continue
		}
		minL, maxL = min(minL, t.Level), max(maxL, t.Level)
		mid = max(mid, t.Mid)
		minE, maxE = min(minE, t.Total), max(maxE, t.Total)
		oldest = min(oldest, t.At)
	}
	if now-oldest < settleFor-150*time.Millisecond {
		return false
	}
	// While half of the picture is burnt out exposure may move unseen.
	return mid < whiteLevel && maxL-minL <= 1.5+0.02*maxL && maxE <= 1.06*minE
}

// seen says how many pictures are new enough to show the last command.
func (s *settle) seen() int { return s.N }
