package agent

import (
	"context"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/tamper"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// job is a frame on its way to becoming a Picture.
type job struct {
	want want
	held *held
}

// eye is what looks at frames. Only the frame goroutine touches it, and looking
// allocates nothing: what it needs is made once, and what it keeps is copied
// into frames that circulate between free and jobs.
type eye struct {
	luma    capture.LumaReader
	motion  *motion.Detector
	tamper  *tamper.Detector
	chooser chooser
	best    *held // copy of the best frame of the open event
	asked   []uplink.Request
	meter   *meter

	pace      pace
	nextLook  time.Duration
	lastMono  time.Duration
	bitrate   *motion.Bitrate // of compressed video; nil as motion is
	toldVideo bool

	faultsAt time.Duration // when the lighting was last asked for faults
	blink    bool          // the scene is another than before: nothing in it has moved
}

// frames carries light to kept frames until ctx ends or a source that can end
// has ended. It closes jobs, so that what was kept is still sealed; seal then
// ends the run.
func (a *Agent) frames(ctx context.Context) error {
	runtime.LockOSThread() // the meter reads this thread's CPU clock
	defer runtime.UnlockOSThread()
	defer close(a.jobs)
	a.eye.meter = newMeter(&a.cpu)
	defer a.gate.leave()
	var err error
	for {
		inside, over := a.gate.pass(ctx, a.alive)
		if over != nil {
			break
		}
		err = a.loop.Run(inside, a.frame)
		if inside.Err() == nil || ctx.Err() != nil {
			break
		}
		a.forget() // the camera is closed for privacy
		a.gate.leave()
	}
	if w, ok := a.eye.chooser.flush(); ok {
		a.hand(w, nil)
	}
	a.clips.close()
	a.view.close()
	a.tape.close()
	if ctx.Err() != nil {
		return nil
	}
	a.ended = err == nil
	return err
}

// frame takes one frame. It runs for every frame of the camera's life, and looks at
// fewer of them when there is no time for more.
func (a *Agent) frame(f *capture.Frame) error {
	began := a.mono()
	err := a.look(f)
	a.show(f)
	now, e := a.mono(), &a.eye
	if e.pace.add(now, now-began) && e.pace.judge(now, a.loop.Stats().Dropped) {
		a.rate.Store(math.Float64bits(e.pace.rate()))
		a.log.Info("the pace of motion follows the load", "part", "motion", "frames a second", math.Round(10*e.pace.rate())/10)
	}
	return err
}

// look looks at one frame.
func (a *Agent) look(f *capture.Frame) error {
	e := &a.eye
	e.meter.mark(StageCapture)
	f.Light = capture.Light(a.lightNow.Load())
	if c := encode.CodecOf(f.Format.Pixel); c != 0 {
		a.video(f, c)
		return nil
	}
	if !e.due(f.Mono) {
		a.keepForClips(f)
		e.meter.mark(StageKeep)
		return nil
	}
	luma, err := e.luma.Read(f)
	e.meter.mark(StageLuma)
	if err != nil {
		a.badLuma.Add(1)
		a.keepForClips(f)
		return nil
	}
	if a.light != nil {
		f.Light = a.light.Step(f.Mono, a.now(), luma)
		a.noteLight(f)
	}
	a.watchSight(luma, f)
	e.meter.mark(StageLight)
	var v motion.Verdict
	if e.motion != nil {
		e.motion.Clock(ofDay(a.now()))
		light := f.Light
		if e.blink {
			light, e.blink = capture.LightSwitching, false
		}
		v = e.motion.Observe(luma, f.Mono, light)
		if v.Started {
			a.event()
		}
	}
	e.meter.mark(StageMotion)
	wants, keep := e.chooser.see(f.Mono, v, e.requests(a.up.Requests()))
	if keep {
		e.best.keep(f, a.now(), a.mono())
		e.best.boxes.take(luma, v)
	}
	for _, w := range wants {
		a.hand(w, f)
	}
	a.examine(f)
	a.stir(v)
	if hurry := a.clips.watch(v, encode.Moment{Frame: f.Mono, Mono: a.mono(), Wall: a.now()}); hurry {
		if w, ok := e.chooser.flush(); ok {
			a.hand(w, nil)
		}
	}
	a.keepForClips(f)
	e.meter.mark(StageKeep)
	if len(a.free) > 0 { // else sealing has fallen behind, or hangs
		a.alive()
	}
	return nil
}

// faultsEach is how often the lighting is asked what does not work.
const faultsEach = 2 * time.Second

// bounded is a Lighting that knows what the camera cannot do.
type bounded interface {
	// Limits returns that, one sentence each. It is not changed once returned.
	Limits() []string
}

// noteLight keeps what status says about the light.
func (a *Agent) noteLight(f *capture.Frame) {
	a.lightNow.Store(uint32(f.Light))
	e := &a.eye
	if f.Mono < e.faultsAt || f.Mono-e.faultsAt >= faultsEach {
		e.faultsAt = f.Mono
		if now, before := a.light.Faults(), a.faults.Load(); before == nil && len(now) > 0 || before != nil && !slices.Equal(*before, now) {
			a.faults.Store(&now)
		}
		if l, ok := a.light.(bounded); ok {
			now := l.Limits()
			a.limits.Store(&now)
		}
	}
}

// lost puts to rest what depends on frames.
func (a *Agent) lost() {
	if a.light != nil {
		a.light.Lost()
	}
	if a.clips != nil {
		a.clips.ring.Cut(encode.EndCamera)
		a.clips.signal()
		a.tape.signal()
	}
}

// due reports whether the frame at mono is one to look at: at most one each
// step, evenly, whatever the camera's rate.
func (e *eye) due(mono time.Duration) bool {
	if mono < e.lastMono { // another device, or the file from its start
		e.nextLook = mono
	}
	e.lastMono = mono
	if mono < e.nextLook {
		return false
	}
	e.nextLook = max(e.nextLook+e.pace.step, mono-e.pace.step)
	return true
}

// requests returns what viewers have asked since the last look, a few at most.
func (e *eye) requests(from <-chan uplink.Request) []uplink.Request {
	e.asked = e.asked[:0]
	for len(e.asked) < cap(e.asked) {
		select {
		case r := <-from:
			e.asked = append(e.asked, r)
		default:
			return e.asked
		}
	}
	return e.asked
}

// hand gives the frame of w to the sealing goroutine: f, or the one kept as the
// best of its event. When sealing has fallen behind by every frame there is to
// circulate, the Picture is skipped and counted: the camera never waits.
func (a *Agent) hand(w want, f *capture.Frame) {
	var h *held
	select {
	case h = <-a.free:
	default:
		a.skipped.Add(1)
		a.clips.ready(w.event)
		return
	}
	if w.best {
		h, a.eye.best = a.eye.best, h
	} else {
		h.keep(f, a.now(), a.mono())
	}
	a.jobs <- job{w, h} // never blocks: as many places as there are frames to circulate
}
