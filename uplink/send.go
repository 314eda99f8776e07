package uplink

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Status is what a camera says about itself, sealed like a picture. It travels
// as JSON; a viewer ignores what it does not know.
type Status struct {
	State    string         `json:"state"` // "running", "trouble"; "offline" in the will
	Light    string         `json:"light,omitempty"`
	Troubles []string       `json:"troubles,omitempty"` // in words, for a person
	Capture  map[string]any `json:"capture,omitempty"`  // format and counters
	Uplink   *UplinkStatus  `json:"uplink,omitempty"`
	Firmware string         `json:"firmware,omitempty"`
	Uptime   int64          `json:"uptime_s,omitempty"`
}

// UplinkStatus is the part of a Status that the uplink fills in.
type UplinkStatus struct {
	Waiting   int    `json:"waiting"`
	Dropped   uint64 `json:"dropped"`
	Refused   uint64 `json:"refused"` // commands and rosters that were not obeyed
	Connects  uint64 `json:"connects"`
	SpoolUsed int64  `json:"spool_bytes"`
}

const statusMedia = "application/json"

// Send seals p and stores it. When it returns nil, p survives a power cut and
// will be offered to the broker until it has it, and to viewers as long as
// there is room.
func (u *Uplink) Send(p encode.Picture) error {
	class, group := spool.Snapshot, uint64(0)
	if p.Kind == encode.ClipPart {
		class, group = spool.Clip, p.Event
	}
	_, err := u.durable(u.pictureMeta(p), p.Data, class, group)
	return err
}

// Live seals p as the newest live picture. It replaces one that has not been
// published yet; the answer to a request replaces nothing and is not replaced.
// Nothing is stored.
func (u *Uplink) Live(p encode.Picture) error {
	m := u.pictureMeta(p)
	m.Stream = seal.Live
	if m.Clock != seal.ClockNone {
		m.Expires = m.Taken.Add(u.config.LiveFor + time.Second) // travels in whole seconds
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sealer == nil {
		return ErrRevoked
	}
	m.Seq = u.liveSeq + 1
	s, err := u.sealer.Seal(m, p.Data)
	if err != nil {
		return err
	}
	u.liveSeq = m.Seq
	u.count(s)
	if len(p.Nonce) > 0 && len(u.answers) < maxRequests {
		u.answers = append(u.answers, s.Bytes)
	} else {
		u.live = s.Bytes
	}
	u.signal()
	return nil
}

// Status seals and stores what the camera says about itself; the part about the
// uplink is filled in.
func (u *Uplink) Status(s Status) error {
	st := u.Stats()
	s.Uplink = &UplinkStatus{Waiting: st.Waiting, Dropped: st.Dropped, Refused: st.Refused, Connects: st.Connects, SpoolUsed: st.Bytes}
	s.Firmware = u.config.Firmware
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	m := u.meta()
	m.Stream, m.Kind, m.Media, m.Light = seal.Durable, seal.KindStatus, statusMedia, s.Light
	_, err = u.durable(m, text, spool.Status, 0)
	return err
}

// durable seals m as the next of the durable stream and stores it.
func (u *Uplink) durable(m seal.Meta, media []byte, class spool.Class, group uint64) (seal.Sealed, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sealer == nil {
		return seal.Sealed{}, ErrRevoked
	}
	next, err := u.spool.Next()
	if err != nil {
		return seal.Sealed{}, err
	}
	m.Stream, m.Seq, m.Prev = seal.Durable, next.Seq, next.Prev
	s, err := u.sealer.Seal(m, media)
	if err != nil {
		return seal.Sealed{}, err
	}
	if err := u.spool.Put(spool.Message{Seq: s.Seq, Hash: s.Hash, Class: class, Group: group, Bytes: s.Bytes}); err != nil {
		return seal.Sealed{}, err
	}
	if m.Clock != seal.ClockNone {
		u.spool.SetClock(m.Taken.Unix())
	}
	u.count(s)
	u.signal()
	return s, nil
}

// confess tells viewers, in a sealed record, what will never come.
func (u *Uplink) confess(gone spool.Ranges) error {
	lost := u.spool.Lost(seal.MaxGaps)
	for _, r := range gone {
		lost.Add(r)
	}
	if len(lost) == 0 {
		return nil
	}
	if len(lost) > seal.MaxGaps {
		lost = lost[:seal.MaxGaps] // the rest is told when it is asked for again
	}
	m := u.meta()
	m.Kind = seal.KindGap
	for _, r := range lost {
		m.Lost = append(m.Lost, seal.Range{First: r.First, Last: r.Last})
	}
	if _, err := u.durable(m, nil, spool.Status, 0); err != nil {
		return fmt.Errorf("confess what was lost: %w", err)
	}
	u.spool.Confessed(lost)
	return nil
}

func (u *Uplink) count(s seal.Sealed) {
	u.counters.Sealed++
	u.counters.SealedBytes += uint64(len(s.Bytes))
}

// meta returns what is said about every message: when, and how sure of it.
func (u *Uplink) meta() seal.Meta {
	m := seal.Meta{Mono: u.config.Mono(), Clock: u.clock()}
	if m.Clock != seal.ClockNone {
		m.Taken = u.config.Now()
	}
	return m
}

func (u *Uplink) pictureMeta(p encode.Picture) seal.Meta {
	m := u.meta()
	if m.Clock != seal.ClockNone {
		m.Taken = p.Taken
	}
	m.Mono, m.Kind, m.Media, m.Cause = p.Mono, p.Kind.String(), p.Media, p.Cause.String()
	if l := p.Light.String(); l != "unknown" {
		m.Light = l
	}
	m.Event, m.Part, m.Last, m.Nonce = p.Event, p.Part, p.Last, p.Nonce
	m.Width, m.Height = p.Width, p.Height
	return m
}

// before2024 is before this program was written: a clock that says so was never
// set.
var before2024 = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// clockSlack is how far a believed clock may be behind one that was believed
// before: a correction, and no lost clock.
const clockSlack = 26 * time.Hour

// clock says how good the wall clock is. The last time that was believed, kept
// over reboots, is a floor: a clock that is far behind it has been lost.
func (u *Uplink) clock() string {
	now := u.config.Now()
	if now.Before(before2024) || now.Before(time.Unix(u.spool.Clock(), 0).Add(-clockSlack)) {
		return seal.ClockNone
	}
	if u.config.Clock != nil {
		return u.config.Clock()
	}
	return seal.ClockRTC
}
