package agent

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/uplink"
)

// statusLook is how often the agent looks whether there is something to say.
const statusLook = time.Second

// status seals a status at the start, once a period, and whenever what a person
// would want to know has changed.
func (a *Agent) status(ctx context.Context) error {
	began := a.mono()
	tick := time.NewTicker(statusLook)
	defer tick.Stop()
	var said uplink.Status
	var at time.Duration
	refusals := 0
	var answer []byte // nonce of an order that was carried out
	due := true
	for {
		now := a.statusNow(began)
		now.Nonce = answer
		// A first refusal of its kind is news; there are few kinds, so that a flood
		// makes no flood of messages.
		st := a.up.Stats()
		kinds := len(st.Refusals)
		a.mood.Store(&mood{trouble: now.State == "trouble", connected: st.Connected})
		if due || kinds != refusals || a.mono()-at >= a.settings.Uplink.Status.Duration || news(now, said) {
			if err := a.up.Status(now); err != nil {
				if !errors.Is(err, uplink.ErrRevoked) {
					a.log.Warn("status not sealed", "err", err)
				}
			}
			said = now // what could not be said once is said with the next news, or in time
			at, refusals = a.mono(), kinds
		}
		answer, due = nil, false
		select {
		case <-ctx.Done():
			return nil
		case answer = <-a.answers:
			due = true
		case <-tick.C:
		}
	}
}

// news says whether a person would want to know that said has become now.
func news(now, said uplink.Status) bool {
	return now.State != said.State || now.Light != said.Light || !samePrivacy(now.Privacy, said.Privacy) || !slices.Equal(now.Troubles, said.Troubles) || !sameHealth(now.Health, said.Health) || !sameSoftware(now.Software, said.Software) || !sameSettings(now.Settings, said.Settings)
}

func (a *Agent) statusNow(began time.Duration) uplink.Status {
	st := a.Stats()
	s := uplink.Status{State: "running", Machine: a.system.now(), Uptime: int64((a.mono() - began) / time.Second)}
	if a.program != nil {
		p := a.program()
		s.Software = &p
	}
	if a.wanted != nil {
		s.Settings = a.wanted.status()
	}
	if st.Light != capture.LightUnknown {
		s.Light = st.Light.String()
	}
	closed := a.closure.Load()
	if s.Troubles = a.troubles(st, began, closed); len(s.Troubles) > 0 {
		s.State = "trouble"
	}
	if closed != nil {
		if s.Privacy = &closed.said; closed.said.On {
			s.State = "privacy"
		}
	}
	if a.unkept.Load() {
		s.Troubles = append(s.Troubles, "what was said last about privacy is not kept: the camera's memory cannot be written")
	}
	s.Certificate = a.cert.Status(a.up.Time())
	s.Health = a.health(s)
	c := st.Capture
	if a.namer != nil {
		s.Model = &uplink.ModelStatus{Source: a.namer.Words(), Named: st.Named, Failed: st.Unnamed, Unwanted: st.Unwanted}
	}
	s.Capture = map[string]any{
		"format": c.Format.String(), "frames": c.Frames, "dropped": c.Dropped, "bad": c.Bad, "reopened": c.Reopened, "looks": math.Round(10*st.Rate) / 10,
		"events": st.Events, "pictures": st.Sealed, "skipped": st.Skipped, "unmasked": st.Unmasked,
	}
	if a.clips != nil && !a.clips.shown {
		s.Capture["clips"] = map[string]any{
			"whole": st.Clips, "parts": st.Parts, "lost": st.Ring.Lost, "skipped": st.Ring.Skipped, "left_out": st.Cutter.Bad, "crowded": st.Cutter.Crowded, "encoder_failed": st.EncoderFailed,
			"memory": st.Ring.Bytes, "pre_roll_ms": st.Ring.Span.Milliseconds(),
		}
	}
	if a.tape != nil {
		s.Capture["recording"] = map[string]any{"missed": st.Ring.Missed, "left_out": a.tape.recorder.Bad()} // frames
	}
	if limits := a.limits.Load(); limits != nil && len(*limits) > 0 {
		s.Capture["limits"] = *limits // it runs without, so this is no trouble
	}
	return s
}

// bareFor is how long a camera may give video without parameter sets until that is
// a trouble: some send them once in many seconds.
const bareFor = 10 * time.Second

// troubles returns what does not work, in words for a person; the caller owns them.
func (a *Agent) troubles(st Stats, began time.Duration, closed *closure) (all []string) {
	all = slices.Clone(st.Faults)
	switch c := st.Capture; {
	case closed != nil && closed.said.On:
		if closed.stuck {
			all = append(all, "the camera should be closed, and its driver does not let go of it")
		}
	case c.Frames > 0 && !c.Connected || c.Frames == 0 && a.mono()-began > 5*time.Second:
		all = append(all, strings.TrimSuffix("no frames from the camera: "+c.LastError, ": "))
	default:
		if trouble := st.Sight.Sentence(); trouble != "" {
			all = append(all, trouble)
		}
		if st.Ring.Bare >= bareFor {
			all = append(all, "nothing can be made of the camera's video: it comes without parameter sets, which a decoder needs first (have its encoder repeat them before each key frame)")
		}
	}
	if st.Uplink.Disk != "" {
		all = append(all, st.Uplink.Disk)
	}
	if r := a.up.Recording(); r != nil && r.Trouble != "" {
		all = append(all, r.Trouble)
	}
	if a.clips != nil {
		if trouble := a.clips.coder.trouble.Load(); trouble != nil {
			all = append(all, *trouble)
		}
	}
	if a.settings.Passed.Closed {
		all = append(all, a.settings.Passed.words())
	}
	if st.Unmasked > 0 {
		all = append(all, "pictures are held back: the privacy masks could not be applied to some frames")
	}
	return all
}
