package agent

import (
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/encode"
)

// video looks at a frame that only a decoder could see into: events are told by
// the encoder's bit rate, and become clips without a snapshot. Light, tampering
// and what viewers ask for need a picture, which such a camera does not give.
func (a *Agent) video(f *capture.Frame, c annexb.Codec) {
	e := &a.eye
	if !e.toldVideo {
		e.toldVideo = true
		a.log.Warn("this camera gives "+c.String()+" only: clips by the encoder's bit rate and live view, no snapshots and no live pictures",
			"hint", "with a camera that also gives motion JPEG, set camera.format to mjpeg; the encoder must not be set to a constant bit rate")
	}
	info, err := annexb.Inspect(c, f.Data)
	var v motion.Verdict
	if err == nil && e.bitrate != nil {
		v = e.bitrate.Observe(len(f.Data), info.Key, f.Mono, f.Light)
	}
	e.meter.mark(StageMotion)
	a.clips.watch(v, encode.Moment{Frame: f.Mono, Mono: a.mono(), Wall: a.now()})
	a.examine(f)
	a.stir(v)
	if v.Started {
		a.event()
		a.clips.ready(v.Event.ID)
	}
	a.keepForClips(f)
	e.meter.mark(StageKeep)
}
