package daynight

import (
	"math"
	"time"
)

// trouble notices actuators that do not act.
type trouble struct {
	Health Health `json:"health"`
	Still  int    `json:"still"` // moves of the filter in a row that changed nothing
}

// stillMoves is how many moves of the filter may change nothing. Light without
// infrared, of lamps and streets, shows no move; three in a row in daylight do.
const stillMoves = 3

// filterMoved compares the light on both sides of the filter.
func (t *trouble) filterMoved(closed, open float64) {
	if closed <= 0 || open <= 0 || closed < linear(blackLevel) {
		return
	}
	if math.Abs(math.Log(open/closed)) > 0.1 {
		t.Still, t.Health.Filter = 0, ""
		return
	}
	if t.Still++; t.Still >= stillMoves {
		t.Health.Filter = "the infrared cut filter does not change the picture: it may be stuck or wired to another pin"
	}
}

// lampLit compares the picture before and after the lamp was lit.
func (t *trouble) lampLit(dark, lit, usable, darkLevel, litLevel float64) {
	t.Health.Lamp = ""
	if lit < 1.15*dark && lit-dark < 0.2*usable || litLevel < darkLevel+2 && lit < dark+0.2*usable {
		t.Health.Lamp = "the infrared lamp does not brighten the picture: it may be dead, or nothing is near enough to light"
	}
}

// checkInputs names inputs that cannot be relied on.
func (c *Controller) checkInputs() {
	h, s := &c.s.Trouble.Health, &c.s.Sensor
	h.Ambient, h.Exposure = "", ""
	switch {
	case s.Answered && c.s.At-s.Last > silentFor:
		h.Ambient = "the ambient light sensor is silent: the picture decides alone"
	case s.Answered && s.constant(c.s.At):
		h.Ambient = "the ambient light sensor always reads the same: the picture decides alone"
	case s.Fooled >= 3:
		h.Ambient = "the ambient light sensor sees light where the picture is dark: it is believed less"
	}
	m := &c.s.Meter
	if m.Low > 0 && !m.Trusted && c.s.At > constantFor {
		h.Exposure = "the driver's exposure never changes: the picture decides alone"
	}
}

const (
	silentFor   = 30 * time.Second
	constantFor = 14 * time.Hour // longer than an evening and a night
)
