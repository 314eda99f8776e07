package agent

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// tape is what records: it reads the ring of the clips beside them. A nil *tape
// records nothing.
type tape struct {
	recorder *encode.Recorder
	wake     chan struct{} // there are frames
	ended    chan struct{} // there will be no more
	done     chan struct{} // the last part is kept, or never will be

	sealing sync.Mutex // held while a part is made and kept
}

// newTape returns nil where the settings want no recording.
func newTape(s Settings, masks capture.Masks, c *clips) *tape {
	if !s.Recording.Enabled {
		return nil
	}
	return &tape{
		recorder: encode.NewRecorder(c.ring, &encode.JPEG{Masks: masks}),
		wake:     make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{}),
	}
}

// recording returns where the recording is kept, nil where the settings want none.
func (s Settings) recording() (*uplink.RecordingConfig, error) {
	r := s.Recording
	if !r.Enabled {
		return nil, nil
	}
	if r.Directory == "" {
		if err := os.MkdirAll(s.recordDir(), 0o700); err != nil {
			return nil, err
		}
	}
	return &uplink.RecordingConfig{Dir: s.recordDir(), Budget: r.Budget.Bytes, Rate: r.Rate.Bytes}, nil
}

func (s Settings) recordDir() string {
	if s.Recording.Directory != "" {
		return s.Recording.Directory
	}
	return filepath.Join(s.State, RecordDir)
}

// signal wakes record.
func (t *tape) signal() {
	if t == nil {
		return
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// close ends the recording with the frames there are.
func (t *tape) close() {
	if t != nil {
		t.recorder.Close(encode.EndStopped)
		close(t.ended)
	}
}

// drop forgets the part that is being made, and by forget what the ring holds,
// and returns when nothing of it is being kept any more.
func (t *tape) drop(forget func()) {
	if t == nil {
		forget()
		return
	}
	t.sealing.Lock()
	defer t.sealing.Unlock()
	forget()
	t.recorder.Drop()
}

// record turns all frames into parts and Sealed, and keeps them, until the frames
// end. It runs beside clips and snapshots: a card that is slow holds up neither.
func (a *Agent) record() error {
	if a.tape == nil {
		return nil
	}
	defer close(a.tape.done)
	for {
		select {
		case <-a.tape.wake:
			a.keepParts()
		case <-a.tape.ended:
			a.keepParts()
			return nil
		}
	}
}

// keepParts keeps all parts that there are. What is not kept is counted by the
// uplink, which tells why.
func (a *Agent) keepParts() {
	for {
		ok, err := a.keepPart()
		if err == nil && !ok {
			return
		}
		if err != nil && !errors.Is(err, uplink.ErrPrivate) {
			a.log.Debug("a part was not recorded", "err", err)
		}
	}
}

func (a *Agent) keepPart() (ok bool, err error) {
	a.tape.sealing.Lock()
	defer a.tape.sealing.Unlock()
	p, ok, err := a.tape.recorder.Next()
	if err == nil && ok {
		p.Masks = a.masks
		err = a.up.Record(p)
	}
	return ok, err
}
