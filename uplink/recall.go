package uplink

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/recording"
	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Answer is what a camera says to a fetch, in messages of kind answer that echo
// its nonce: first what will come, and at the end what has gone out. It travels as
// JSON.
type Answer struct {
	State string `json:"state"` // "sending", then "done"; "replaced" by a newer fetch; "none": nothing is recorded here
	// From and To are what was asked for, in seconds since 1970.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	// Unclocked says that the camera does not know the time: the span was reckoned
	// back from when the command was issued.
	Unclocked bool          `json:"unclocked,omitempty"`
	Parts     int           `json:"parts"` // that overlap the span, or that have gone out
	Bytes     int64         `json:"bytes"`
	Missing   []AnswerRange `json:"missing,omitempty"`
	More      bool          `json:"more,omitempty"` // of Missing, than an answer holds
}

// AnswerRange is time of which there is no recording.
type AnswerRange struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Why  string    `json:"why"` // "overwritten", "private", "power", "stopped", "camera", "limit", "disk", "damaged", "never", "yet"
}

// maxMissing bounds Answer.Missing.
const maxMissing = 200

// fetch is a viewer's wish, verified and used up.
type fetch struct {
	from, to uint64
	issued   time.Time
	nonce    []byte
}

// recalled is the stored part that is to be published next.
type recalled struct {
	sealed  []byte
	at      int       // bytes that the broker has
	strikes int       // connections that ended without more of it
	flying  bool      // on this connection
	gone    chan bool // told once: whether the broker has it
}

// wish hands a fetch to Recall. It replaces one that waits.
func (u *Uplink) wish(c *seal.Command) {
	f := fetch{from: c.From, to: c.To, issued: c.Issued, nonce: bytes.Clone(c.Nonce)}
	for {
		select {
		case u.fetches <- f:
			return
		default:
		}
		select {
		case <-u.fetches:
		default:
		}
	}
}

// Recall answers what viewers fetch of the recording until ctx ends: one at a
// time, the newest, behind all else that is to be sent.
func (u *Uplink) Recall(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-u.fetches:
			for next := &f; next != nil; {
				next = u.recall(ctx, *next)
			}
		}
	}
}

// recall answers one fetch, and returns the one that has replaced it.
func (u *Uplink) recall(ctx context.Context, f fetch) (newer *fetch) {
	a := Answer{State: "none", From: f.from, To: f.to}
	store := u.recorder.openedOrNil()
	if f.to == 0 {
		return nil // it has ended the one before
	}
	if store == nil {
		u.answer(f, a)
		return nil
	}
	now := recording.Now{Boot: u.boot, Wall: u.config.Now(), Mono: u.config.Mono()}
	if u.clock() == seal.ClockNone {
		a.Unclocked, now.Wall = true, f.issued
	}
	open := func(bytes bool) *recording.Cursor {
		return store.Read(time.Unix(int64(f.from), 0), time.Unix(int64(f.to), 0).Add(time.Second), now, bytes)
	}
	a.State = "sending"
	c := open(false)
	for it, ok := c.Next(); ok && ctx.Err() == nil; it, ok = c.Next() {
		a.add(it)
	}
	c.Close()
	u.answer(f, a)
	a.State, a.Parts, a.Bytes, a.Missing, a.More = "done", 0, 0, nil, false
	c = open(true)
	defer c.Close()
	for it, ok := c.Next(); ok; it, ok = c.Next() {
		if !it.Hole {
			sent, next := u.sendRecalled(ctx, it.Part.Bytes)
			if next != nil {
				a.State = "replaced"
				u.answer(f, a)
				return next
			}
			if ctx.Err() != nil {
				return nil
			}
			if !sent {
				it.Hole, it.Why = true, recording.WhyDamaged
			}
		}
		a.add(it)
	}
	u.answer(f, a)
	return nil
}

func (r *recorder) openedOrNil() *recording.Store {
	if r == nil {
		return nil
	}
	return r.opened()
}

// add counts a part, or notes a hole.
func (a *Answer) add(it recording.Item) {
	if !it.Hole {
		a.Parts++
		a.Bytes += int64(it.Size)
		return
	}
	if n := len(a.Missing); n > 0 && a.Missing[n-1].Why == it.Why.String() && a.Missing[n-1].To.Equal(it.From) {
		a.Missing[n-1].To = it.To
		return
	}
	if len(a.Missing) == maxMissing {
		a.More = true
		return
	}
	a.Missing = append(a.Missing, AnswerRange{From: it.From, To: it.To, Why: it.Why.String()})
}

// sendRecalled has one part published, and waits until the broker has it. It
// reports false for a part that the broker will not take.
func (u *Uplink) sendRecalled(ctx context.Context, sealed []byte) (sent bool, newer *fetch) {
	r := &recalled{sealed: sealed, gone: make(chan bool, 1)}
	u.mu.Lock()
	u.recalled = r
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.recalled = nil
		u.mu.Unlock()
	}()
	u.signal()
	select {
	case sent = <-r.gone:
		return sent, nil
	case f := <-u.fetches:
		return false, &f
	case <-ctx.Done():
		return false, nil
	}
}

// answer seals what became of a fetch. It outlives a lost connection, and is sent
// before the parts that are still to come.
func (u *Uplink) answer(f fetch, a Answer) {
	text, err := json.Marshal(a)
	if err == nil {
		m := u.meta()
		m.Kind, m.Media, m.Nonce = seal.KindAnswer, statusMedia, f.nonce
		err = u.durable(m, text, spool.Status, groupAnswer)
	}
	if err != nil {
		u.log.Warn("a fetch was not answered", "err", err)
	}
}

// recordingTopic is the last part of the topic that parts of the recording go to,
// whole or in pieces: nobody reads it but who has asked.
const recordingTopic = "recording"

// nextRecalled makes sure that s.recording is the stored part that goes out now:
// one is on its way at a time.
func (s *session) nextRecalled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.recalled
	if s.recording != nil && s.recording.recalled == r || r != nil && r.flying {
		return
	}
	s.recording = nil
	if r != nil {
		r.flying = true
		s.recording = &outgoing{
			class: spool.Clip, whole: mqtt.Message{Topic: s.topic(recordingTopic), Payload: r.sealed, QoS: 1}, at: r.at, recalled: r,
		}
	}
}

// landed takes note of what the broker has of a recalled part.
func (s *session) landed(f flight) {
	f.recalled.at, f.recalled.strikes = f.end, 0
	if f.last {
		f.recalled.gone <- true
	}
}

// grounded brings back the part whose connection has ended. One that connections
// end on again and again is given up.
func (s *session) grounded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.recalled
	if r == nil || !r.flying {
		return
	}
	r.flying = false
	if r.strikes++; r.strikes >= maxStrikes && r.at < len(r.sealed) {
		select {
		case r.gone <- false:
		default:
		}
	}
}
