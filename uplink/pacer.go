package uplink

import "time"

const (
	// quickAck is how quickly a frame is acknowledged, beyond the link's own delay,
	// where more would be carried: up to then the next need not wait for it, and after some of them the
	// picture grows.
	quickAck = 150 * time.Millisecond
	// slowAck is from when on a picture is too large for its link. It is four times
	// quickAck, as a halved picture has a quarter of the pixels: what has grown does
	// not shrink again at once.
	slowAck = 4 * quickAck

	maxHalvings  = 3
	firstHalving = 2  // a first picture arrives soon on any link, and grows as acknowledgements come
	maxViews     = 8  // frames on their way
	maxCalm      = 64 // quick acknowledgements before a picture that was too large is tried again
)

// pacer fits live view to its link by how long its frames take to be acknowledged,
// beyond what the link's own delay is. Their rate follows by itself, since the next is made when there is
// room for it; where even two a second would be too many, the picture is halved.
// It is a pure function of what it is told.
type pacer struct {
	level int           // halvings
	last  time.Duration // to the newest acknowledgement; quickAck before the first of this level
	calm  int           // quick ones in a row
	need  int           // so many of them let the picture grow
}

func newPacer() pacer { return pacer{level: firstHalving, last: quickAck, need: 1} }

// acked takes note that a frame was acknowledged after the time took.
func (p *pacer) acked(took time.Duration) {
	p.last = took
	switch {
	case took > slowAck:
		p.calm = 0
		if p.level < maxHalvings {
			p.level++
			p.last = quickAck
			p.need = min(2*p.need, maxCalm)
		}
	case took >= quickAck:
		p.calm = 0
	default:
		p.calm++
		if p.calm < p.need {
			return
		}
		p.calm = 0
		if p.level > 0 {
			p.level--
			p.last = quickAck
		} else {
			p.need = 1 // it has been well for long
		}
	}
}

// window is how many frames may be on their way.
func (p *pacer) window() int {
	if p.last < quickAck {
		return maxViews
	}
	return 1
}
