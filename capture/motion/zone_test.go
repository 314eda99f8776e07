package motion_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

// box is an upright polygon.
func box(x0, y0, x1, y1 int) motion.Polygon {
	return motion.Polygon{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}
}

var left, right = box(0, 0, 500, 1000), box(500, 0, 1000, 1000)

// crossing shows a person who walks through the whole picture, and returns the boxes'
// leftmost and rightmost middle while he moves, in thousandths, and the event.
func crossing(s *stage, from, to int) (first, last int, e motion.Event) {
	s.rest(3 * time.Second)
	b := person
	b.x = from
	for b.x != to {
		b.x += max(min(to-b.x, 2), -2)
		v := s.show(capture.LightDay, b)
		if v.Event != nil {
			e = *v.Event
		}
		if v.Moving && len(v.Boxes) > 0 {
			at := (v.Boxes[0].X + v.Boxes[0].W/2) * 1000 / s.w
			if first == 0 {
				first = at
			}
			last = at
		}
	}
	s.rest(3 * time.Second)
	return first, last, e
}

func refused(d *motion.Detector) string {
	var all []string
	for _, r := range motion.Reasons() {
		if d.Refused(r) > 0 {
			all = append(all, r.String())
		}
	}
	return strings.Join(all, " ")
}

func TestZones(t *testing.T) {
	night := motion.Hours{From: 22 * time.Hour, To: 6 * time.Hour}
	for name, c := range map[string]struct {
		cfg    motion.Config
		back   bool // he walks from right to left
		clock  time.Duration
		zone   string
		line   string
		reason string // of nothing being raised; then zone and line are empty
		from   int    // he is raised at this place at the earliest, and
		until  int    // at this one at the latest, thousandths
	}{
		"none":              {from: 1, until: 250},
		"right half":        {cfg: motion.Config{Zones: []motion.Zone{{Name: "r", Area: right}}}, zone: "r", from: 490, until: 560},
		"left half":         {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left}}}, zone: "l", from: 1, until: 250},
		"first of two":      {cfg: motion.Config{Zones: []motion.Zone{{Name: "r", Area: right}, {Name: "l", Area: left}}}, zone: "l", from: 1, until: 250},
		"beside":            {cfg: motion.Config{Zones: []motion.Zone{{Name: "sky", Area: box(0, 0, 1000, 300)}}}, reason: "outside"},
		"masked":            {cfg: motion.Config{Masks: capture.Masks{capture.Rectangle(0, 400, 1000, 400)}}, reason: ""},
		"awake":             {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Hours: []motion.Hours{night}}}}, clock: time.Hour, zone: "l", from: 1, until: 250},
		"asleep":            {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Hours: []motion.Hours{night}}}}, clock: 12 * time.Hour, reason: "hours"},
		"no clock":          {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Hours: []motion.Hours{night}}}}, clock: -1, zone: "l", from: 1, until: 250},
		"toward":            {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Toward: "right"}}}, zone: "l", from: 1, until: 250},
		"away":              {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Toward: "left"}}}, reason: "direction"},
		"upwards":           {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Toward: "up"}}}, reason: "direction"},
		"large enough":      {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Smallest: [2]int{100, 200}}}}, zone: "l", from: 1, until: 250},
		"too small":         {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Smallest: [2]int{300, 400}}}}, reason: "small"},
		"small, but far":    {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Smallest: [2]int{0, 330}}}}, zone: "l", from: 1, until: 250},
		"small for so near": {cfg: motion.Config{Zones: []motion.Zone{{Name: "l", Area: left, Smallest: [2]int{0, 400}}}}, reason: "small"},
		"line":              {cfg: motion.Config{Lines: []motion.Line{{Name: "gate", From: motion.Point{500, 300}, To: motion.Point{500, 900}}}}, line: "gate", from: 490, until: 560},
		"line back":         {cfg: motion.Config{Lines: []motion.Line{{Name: "gate", From: motion.Point{500, 300}, To: motion.Point{500, 900}}}}, back: true, line: "gate", from: 430, until: 520},
		"line to the left":  {cfg: motion.Config{Lines: []motion.Line{{Name: "gate", From: motion.Point{500, 300}, To: motion.Point{500, 900}, Way: "left"}}}, line: "gate", from: 490, until: 560},
		"line wrong way":    {cfg: motion.Config{Lines: []motion.Line{{Name: "gate", From: motion.Point{500, 300}, To: motion.Point{500, 900}, Way: "right"}}}, reason: "direction"},
		"line too short":    {cfg: motion.Config{Lines: []motion.Line{{Name: "gate", From: motion.Point{500, 100}, To: motion.Point{500, 400}}}}, reason: "outside"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c.cfg)
			s.d.Clock(c.clock)
			a, b := -7, s.w
			if c.back {
				a, b = b, a
			}
			first, _, e := crossing(s, a, b)
			if c.until == 0 {
				if len(s.ids) != 0 || !strings.Contains(refused(s.d), c.reason) {
					t.Errorf("%d events, refused: %s; want none for the reason %q", len(s.ids), refused(s.d), c.reason)
				}
				return
			}
			if len(s.ids) != 1 || e.Zone != c.zone || e.Line != c.line || first < c.from || first > c.until {
				t.Errorf("%d events, zone %q, line %q, raised at %d; refused: %s", len(s.ids), e.Zone, e.Line, first, refused(s.d))
			}
		})
	}
}

// A zone's own sensitivity finds there what the camera's does not find elsewhere.
func TestZoneSensitivity(t *testing.T) {
	far := body{w: 2, h: 3, y: 50, grey: 50}
	found := func(cfg motion.Config, from int) bool {
		s := newStage(t, cfg)
		s.rest(3 * time.Second)
		b := far
		for i := range 60 {
			b.x = from + i/3
			if s.show(capture.LightDay, b).Moving {
				return true
			}
		}
		return false
	}
	cfg := motion.Config{Sensitivity: 2, Zones: []motion.Zone{{Area: left, Sensitivity: 9}, {Area: right}}}
	if !found(cfg, 20) {
		t.Error("in a zone of sensitivity 9 a walker far away is not found")
	}
	if found(cfg, 100) {
		t.Error("in a zone of sensitivity 2 a walker far away is found")
	}
}

// Where zones overlap, the more sensitive one decides what stands out.
func TestZonesOverlap(t *testing.T) {
	s := newStage(t, motion.Config{Sensitivity: 1, Zones: []motion.Zone{{Area: box(0, 0, 1000, 1000), Sensitivity: 1}, {Area: left, Sensitivity: 9}}})
	s.rest(3 * time.Second)
	b := body{w: 2, h: 3, y: 50, x: 20, grey: 50}
	moving := false
	for i := range 60 {
		b.x = 20 + i/3
		moving = moving || s.show(capture.LightDay, b).Moving
	}
	if !moving {
		t.Error("nobody found")
	}
}

func TestEventHasItsTrack(t *testing.T) {
	s := newStage(t, motion.Config{})
	_, _, e := crossing(s, -7, s.w)
	steps := e.Track()
	if len(steps) < 8 || len(steps) > 32 {
		t.Fatalf("%d steps", len(steps))
	}
	for i, p := range steps {
		if i > 0 && (p.At <= steps[i-1].At || p.Point[0] < steps[i-1].Point[0]) {
			t.Errorf("step %d: %+v after %+v", i, p, steps[i-1])
		}
		if p.Point[1] < 620 || p.Point[1] > 690 { // his feet are at 60 of 90
			t.Errorf("step %d: feet at %v", i, p.Point)
		}
	}
	// A long event keeps its bound, from its start to its end.
	s = newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	for range 20 {
		s.walk(from(71), 81)
		s.walk(from(81), 71)
	}
	v := s.show(capture.LightDay, from(71))
	steps = v.Event.Track()
	if n := len(steps); n < 16 || n > 32 || steps[0].At > 5*time.Second || s.at-steps[n-1].At > 4*time.Second {
		t.Errorf("%d steps, from %v to %v, at %v", n, steps[0].At, steps[n-1].At, s.at)
	}
}

func TestRefusalsAreToldAndCounted(t *testing.T) {
	s := newStage(t, motion.Config{Zones: []motion.Zone{{Area: right}}})
	s.rest(3 * time.Second)
	told := 0
	show := func(b ...body) {
		for _, r := range s.show(capture.LightDay, b...).Refused {
			if r.Reason == motion.ReasonOutside {
				told++
				if r.Box.X < 30 || r.Box.X > 45 || r.Box.H < 15 {
					t.Errorf("refused at %+v", r.Box)
				}
			}
		}
	}
	for x := -7; x < 40; x += 2 {
		show(from(x))
	}
	for range 30 {
		show()
	}
	if told != 1 || s.d.Refused(motion.ReasonOutside) != 1 {
		t.Errorf("told %d times, counted %d", told, s.d.Refused(motion.ReasonOutside))
	}
	s.gain = 0.1
	s.extra = func(x, y int) int { return (x / 10 % 2) * 200 }
	s.rest(time.Second)
	if s.d.Refused(motion.ReasonFlood) == 0 {
		t.Errorf("another picture: %s", refused(s.d))
	}
}

func TestBadAreasAreRefused(t *testing.T) {
	zone := func(p motion.Polygon) motion.Config {
		return motion.Config{Zones: []motion.Zone{{Area: left}, {Area: p}}}
	}
	many := make(motion.Polygon, 33)
	for name, c := range map[string]struct {
		cfg       motion.Config
		key, want string
	}{
		"no corners":     {zone(nil), "zone[1].area", "3 to 32 corners, found 0"},
		"two corners":    {zone(motion.Polygon{{0, 0}, {9, 9}}), "zone[1].area", "found 2"},
		"too many":       {zone(many), "zone[1].area", "found 33"},
		"outside":        {zone(box(0, 0, 1001, 10)), "zone[1].area", "outside of the picture"},
		"negative":       {zone(box(-1, 0, 100, 100)), "zone[1].area", "outside of the picture"},
		"bow tie":        {zone(motion.Polygon{{0, 0}, {500, 500}, {500, 0}, {0, 500}}), "zone[1].area", "cross"},
		"corner on side": {zone(motion.Polygon{{0, 0}, {500, 0}, {500, 500}, {250, 0}, {0, 500}}), "zone[1].area", "cross"},
		"corner twice":   {zone(motion.Polygon{{0, 0}, {0, 0}, {500, 0}, {500, 500}}), "zone[1].area", "cross"},
		"a line":         {zone(motion.Polygon{{0, 0}, {500, 0}, {900, 0}}), "zone[1].area", ""},
		"back and forth": {zone(motion.Polygon{{0, 0}, {500, 0}, {200, 0}, {200, 300}}), "zone[1].area", "cross"},
		"empty":          {zone(box(100, 100, 110, 110)), "zone[1].area", "empty"},
		"sensitivity":    {motion.Config{Zones: []motion.Zone{{Area: left, Sensitivity: 11}}}, "zone[0].sensitivity", "1 to 10"},
		"smallest":       {motion.Config{Zones: []motion.Zone{{Area: left, Smallest: [2]int{0, 1001}}}}, "zone[0].smallest", "0 to 1000"},
		"toward":         {motion.Config{Zones: []motion.Zone{{Area: left, Toward: "north"}}}, "zone[0].toward", `"north"`},
		"hours":          {motion.Config{Zones: []motion.Zone{{Area: left, Hours: []motion.Hours{{}}}}}, "zone[0].hours", "22:00-06:30"},
		"mask":           {motion.Config{Masks: capture.Masks{capture.Rectangle(0, 0, 9, 9), capture.Rectangle(0, 0, 0, 0)}}, "mask[1].polygon", "area"},
		"line outside":   {motion.Config{Lines: []motion.Line{{To: motion.Point{0, 1001}}}}, "line[0]", "outside"},
		"line short":     {motion.Config{Lines: []motion.Line{{To: motion.Point{0, 19}}}}, "line[0]", "shorter"},
		"line way":       {motion.Config{Lines: []motion.Line{{To: motion.Point{0, 900}, Way: "up"}}}, "line[0]", `"up"`},
		"too many zones": {motion.Config{Zones: make([]motion.Zone, 17)}, "zone", "at most 16"},
	} {
		var bad *motion.ConfigError
		if err := c.cfg.Validate(); !errors.As(err, &bad) || bad.Key != c.key || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want key %s and a word about %q", name, err, c.key, c.want)
		}
	}
	for name, p := range map[string]motion.Polygon{
		"triangle": {{0, 0}, {1000, 0}, {0, 1000}}, "whole": box(0, 0, 1000, 1000),
		"concave": {{0, 0}, {1000, 0}, {1000, 1000}, {500, 100}, {0, 1000}}, "left turn": {{0, 0}, {0, 500}, {500, 500}, {500, 0}},
		"a corner on its straight side": {{0, 0}, {500, 0}, {900, 0}, {900, 400}},
	} {
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHoursAsText(t *testing.T) {
	var h motion.Hours
	if err := h.UnmarshalText([]byte("22:00-06:30")); err != nil || h != (motion.Hours{From: 22 * time.Hour, To: 6*time.Hour + 30*time.Minute}) {
		t.Errorf("%v, %v", h, err)
	}
	if text, _ := h.MarshalText(); string(text) != "22:00-06:30" {
		t.Errorf("%s", text)
	}
	for _, bad := range []string{"", "22:00", "25:00-01:00", "noon-13:00"} {
		if err := h.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// FuzzPolygon draws any polygon: it is refused, or a zone of it does no harm.
func FuzzPolygon(f *testing.F) {
	f.Add([]byte{0, 0, 250, 0, 250, 250, 0, 250})
	f.Add([]byte{0, 0, 250, 250, 250, 0, 0, 250})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p motion.Polygon
		for i := 0; i+1 < len(b); i += 2 {
			p = append(p, motion.Point{int(b[i]) * 4, int(b[i+1]) * 4})
		}
		d, err := motion.New(motion.Config{Zones: []motion.Zone{{Area: p}}})
		if err != nil {
			var bad *motion.ConfigError
			if !errors.As(err, &bad) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		d.Observe(&capture.Luma{W: 40, H: 30, Pix: make([]uint8, 1200)}, 0, capture.LightDay)
	})
}
