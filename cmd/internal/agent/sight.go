package agent

import (
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/tamper"
	"github.com/sealcam/sealcam/encode"
)

// firstSight is the number of the first event of the camera's sight. Events of
// movement are counted from 1, so that the two never meet, and both fit in 32 bits.
const firstSight = 1 << 31

// sightCauses are the causes of the pictures that tell of it.
var sightCauses = [...]encode.Cause{
	tamper.Covered: encode.CauseCovered, tamper.Blinded: encode.CauseBlinded,
	tamper.Defocused: encode.CauseDefocused, tamper.Moved: encode.CauseMoved,
}

// watchSight notices when the camera does not see any more what it was put up to
// see: one picture when it begins, and a trouble in status until it is over.
func (a *Agent) watchSight(l *capture.Luma, f *capture.Frame) {
	if a.eye.tamper == nil {
		return
	}
	v := a.eye.tamper.Observe(l, f.Mono, f.Light)
	if v.Started {
		a.event()
		a.log.Warn("sight", "trouble", v.Kind.Sentence())
		a.hand(want{cause: sightCauses[v.Kind], event: firstSight + v.ID}, f)
	}
	if v.Ended {
		a.log.Info("sight", "trouble", "over")
	}
	a.sight.Store(uint32(v.Kind))
}
