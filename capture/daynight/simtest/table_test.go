package simtest

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

// score is what a run amounts to.
type score struct {
	days      float64
	wrong     time.Duration // in the wrong mode, where only one is right
	worst     time.Duration // longest stretch of it
	clicks    int           // moves of the filter
	truths    int           // changes of the truth, visits of 3 minutes and more included
	flaps     int           // night to day while it was night and nothing but the own lamp shone
	blind     time.Duration // lamp off while it was night
	held      time.Duration // light = switching: motion holds
	unsettled int           // times that motion got pictures back before exposure had settled

	stretch time.Duration
	visit   bool
	given   struct {
		at    time.Duration // when pictures were given back; 0 none
		level float64
	}
}

func (s *score) row() string {
	return fmt.Sprintf("%9.3f %9.1f %9.2f %9.2f %9.2f %9.0f %9.0f", 100*s.wrong.Hours()/24/s.days, s.worst.Minutes(),
		float64(s.clicks)/s.days, float64(s.truths)/s.days, float64(s.flaps)/s.days, s.blind.Seconds()/s.days, s.held.Seconds()/s.days)
}

const header = "  wrong % worst min  clicks/d   truth/d   flaps/d  unlit s/d  held s/d"

// span is one stretch of simulated time.
type span struct{ from, to time.Duration }

// run drives one algorithm through the given stretches. Between stretches the
// camera is switched off.
func run(p place, h habit, make func(*place) algorithm, spans []span, seed uint64) score {
	var s score
	for _, sp := range spans {
		here := p.at(50, seed)
		if n := int(sp.from / day); n > 0 {
			here.plan(n - 1) // the evening before may reach into this day
		}
		s.add(drive(newCamera(here, h, seed+uint64(sp.from)), make(here), sp))
		s.days += (sp.to - sp.from).Hours() / 24
	}
	return s
}

func (s *score) add(o score) {
	s.wrong += o.wrong
	s.worst = max(s.worst, o.worst)
	s.clicks += o.clicks
	s.truths += o.truths
	s.flaps += o.flaps
	s.blind += o.blind
	s.held += o.held
	s.unsettled += o.unsettled
}

const settledIn = 30 * time.Second // after power-on nothing is scored

func drive(c *camera, a algorithm, sp span) score {
	var s score
	w := dayWish
	truth, calm := 0, time.Duration(0)
	for at := sp.from; at < sp.to; {
		c.expose(at)
		now := c.truth()
		r := c.read(at - sp.from)
		next := a.step(r)
		dt := a.period()
		if calm++; next != w || c.m.sun < 300 || c.m.house[0] > 0 {
			calm = 0
		}
		if calm > 60 && dt == time.Second { // broad daylight, nothing on: big steps
			dt = 5 * time.Second
		}
		if at-sp.from > settledIn {
			s.score(w, next, now, &truth, dt, &c.m)
			s.settled(at, w, next, r.scene.Level, c.m)
		} else if now != 0 {
			truth = now
		}
		w = next
		c.filter, c.lamp = w.filter, w.lamp
		c.follow(dt)
		at += dt
	}
	return s
}

func (s *score) score(w, next wish, now int, truth *int, dt time.Duration, m *moment) {
	if m.visit != s.visit {
		s.visit = m.visit
		s.truths++
	}
	if now != 0 && now != *truth {
		if *truth != 0 {
			s.truths++
		}
		*truth = now
	}
	night := next.filter == daynight.FilterNight
	if now == -1 && !night || now == 1 && night {
		s.wrong += dt
		s.stretch += dt
		s.worst = max(s.worst, s.stretch)
	} else {
		s.stretch = 0
	}
	if next.filter != w.filter {
		s.clicks++
		if next.filter == daynight.FilterDay && now == -1 && !m.brief {
			s.flaps++
		}
	}
	if now == -1 && next.lamp == 0 {
		s.blind += dt
	}
	if next.light == capture.LightSwitching {
		s.held += dt
	}
}

// settled checks the promise to motion: the first pictures after a switch look
// like those two seconds later, unless something else changed the light.
func (s *score) settled(at time.Duration, w, next wish, level float64, m moment) {
	if next.light == capture.LightSwitching || m.brief || m.sun > 0 && m.lampFactor != 1 {
		s.given.at = 0
		return
	}
	if w.light == capture.LightSwitching {
		s.given.at, s.given.level = at, level
		return
	}
	if s.given.at > 0 && at-s.given.at >= 2*time.Second {
		if d := math.Abs(level - s.given.level); d > 4+0.1*level {
			s.unsettled++
		}
		s.given.at = 0
	}
}

var algorithms = []struct {
	name   string
	make   func(*place) algorithm
	hidden bool // works where exposure is hidden
}{
	{"sealcam", func(p *place) algorithm { return newOurs(p) }, true},
	{"raptor ric", func(*place) algorithm { return &ric{} }, false},
	{"thingino daynightd", func(*place) algorithm { return &leaky{} }, false},
	{"OpenIPC exhausted/2x", func(*place) algorithm { return &exhausted{} }, false},
	{"OpenIPC 10000/2000", func(*place) algorithm { return &gains{} }, false},
	{"threshold 40/60", func(*place) algorithm { return &threshold{} }, true},
}

// stretches returns the whole year for the first place, and a week of every
// season for the others; a day of spring in short mode.
func stretches(whole bool, short bool) []span {
	week := func(n int) span {
		from := time.Duration(n)*day + 12*time.Hour
		return span{from, from + 7*day}
	}
	switch {
	case short:
		return []span{{80*day + 12*time.Hour, 81*day + 12*time.Hour}}
	case whole:
		return []span{{0, 365 * day}}
	}
	return []span{week(10), week(100), week(190), week(280)}
}

// TestTable scores all algorithms in all places, prints the table, and holds
// ours to its figures.
func TestTable(t *testing.T) {
	places := places
	if testing.Short() {
		places = []place{places[0], places[1], places[6]}
	}
	scores := make([][]score, len(places))
	var runs sync.WaitGroup
	busy := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, p := range places {
		scores[i] = make([]score, len(algorithms))
		for j, a := range algorithms {
			if p.hidden && !a.hidden {
				continue
			}
			runs.Go(func() {
				busy <- struct{}{}
				scores[i][j] = run(p, usual, a.make, stretches(i == 0, testing.Short()), 1)
				<-busy
			})
		}
	}
	runs.Wait()
	var out strings.Builder
	for i, p := range places {
		hidden := map[bool]string{true: ", exposure and gain hidden"}[p.hidden]
		fmt.Fprintf(&out, "\n%s: %.0f days%s\n%-21s %s\n", p.name, scores[i][0].days, hidden, "", header)
		for j, a := range algorithms {
			if scores[i][j].days > 0 {
				fmt.Fprintf(&out, "%-21s %s\n", a.name, scores[i][j].row())
			}
		}
		hold(t, p.name, scores[i][0])
	}
	t.Log(out.String())
}

// hold compares our score with the figures that the project promises.
func hold(t *testing.T, place string, s score) {
	t.Helper()
	if share := s.wrong.Hours() / 24 / s.days; share > 0.01 {
		t.Errorf("%s: wrong mode for %.2f %% of the time, at most 1 %% was promised", place, 100*share)
	}
	if most := 1.1 * float64(s.truths); float64(s.clicks) > most {
		t.Errorf("%s: %d moves of the filter where the truth has %d, at most %.0f were promised", place, s.clicks, s.truths, most)
	}
	if s.flaps > 0 {
		t.Errorf("%s: the own lamp made it day %d times", place, s.flaps)
	}
	if s.unsettled > 0 {
		t.Errorf("%s: motion got %d unsettled pictures", place, s.unsettled)
	}
}
