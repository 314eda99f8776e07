package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/ota"
)

// exam is what a version on trial has shown so far: that a frame becomes a picture
// that is sealed, opened again, and acknowledged.
type exam struct {
	wanted atomic.Bool              // the next frame is to be examined
	passed atomic.Pointer[examined] // nil: not yet
	failed atomic.Pointer[string]   // why the last one did not pass
	asked  bool                     // Healthy's own: a status is on its way
}

// examined is how far the uplink was when the exam was passed.
type examined struct{ published, delivered uint64 }

// Healthy returns nil once this camera has captured a frame, sealed it, opened it
// again and had something acknowledged since then, by a viewer or at least by its
// broker; before that an error says what is missing. It is asked again and again,
// by one goroutine. Of a camera that is closed for privacy it says ota.ErrNotNow.
func (a *Agent) Healthy(context.Context) error {
	if c := a.closure.Load(); c != nil && c.said.On {
		return fmt.Errorf("the camera is closed for privacy: %w", ota.ErrNotNow)
	}
	if a.loop.Stats().Frames == 0 {
		return errors.New("no frame has come from the camera")
	}
	done := a.exam.passed.Load()
	if done == nil {
		a.exam.wanted.Store(true)
		if why := a.exam.failed.Load(); why != nil {
			return errors.New(*why)
		}
		return errors.New("no frame has been sealed and opened again")
	}
	if !a.exam.asked {
		select {
		case a.answers <- nil: // a status now, through the spool
			a.exam.asked = true
		case <-time.After(statusLook):
		}
	}
	if st := a.up.Stats(); st.Published == done.published && st.DeliveredTo == done.delivered {
		return errors.New("neither the broker nor a viewer has acknowledged anything")
	}
	return nil
}

// examine takes f for the exam, if one is wanted. Only the frame goroutine calls it.
func (a *Agent) examine(f *capture.Frame) {
	if a.exam.wanted.CompareAndSwap(true, false) {
		a.hand(want{cause: encode.CausePeriod, live: true, exam: true}, f)
	}
}

// sit is the exam itself, of a frame on its way to becoming a Picture. The picture
// then goes out as a live one, if the frame is one that a viewer can be shown.
func (a *Agent) sit(j job) error {
	a.sealing.Lock()
	defer a.sealing.Unlock()
	p, still, err := a.examPicture(j)
	before := a.up.Stats()
	if err == nil {
		err = a.up.Exam(p)
	}
	if err == nil && still {
		err = a.up.Live(p)
	}
	if err != nil {
		why := "a frame could not be sealed and opened again: " + err.Error()
		a.exam.failed.Store(&why)
		return err
	}
	a.exam.passed.Store(&examined{before.Published, before.DeliveredTo})
	return nil
}

// examPicture makes a Picture of the frame of j, or of its bytes as they are where
// that takes a decoder.
func (a *Agent) examPicture(j job) (p encode.Picture, still bool, err error) {
	if encode.CodecOf(j.held.frame.Format.Pixel) == 0 {
		p, err = a.picture(j)
		return p, true, err
	}
	return encode.Picture{
		Kind: encode.Snapshot, Media: "application/octet-stream", Data: j.held.frame.Data,
		Taken: j.held.taken, Mono: j.held.mono, Cause: j.want.cause,
	}, false, nil
}
