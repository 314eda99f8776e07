package uplink

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Send seals p and stores it. When it returns nil, p survives a power cut and
// will be offered to the broker until it has it, and to viewers as long as
// there is room.
func (u *Uplink) Send(p encode.Picture) error {
	class, group := spool.Snapshot, uint64(0)
	if p.Kind == encode.ClipPart {
		// Events are counted per boot.
		class, group = spool.Clip, u.spool.Boot()<<32|p.Event&(1<<32-1)
	}
	return u.durable(u.pictureMeta(p), p.Data, class, group)
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
	if u.private {
		return ErrPrivate
	}
	var err error
	if m.Seq, err = u.lives.next(u.config.Now()); err != nil {
		return err
	}
	s, err := u.sealer.Seal(m, p.Data)
	if err != nil {
		return err
	}
	u.lives.seq = m.Seq
	u.count(s)
	now := u.config.Mono() // Picture.Mono may be of a film
	if len(p.Nonce) > 0 && len(u.answers) < maxRequests {
		u.answers = append(u.answers, fleeting{sealed: s.Bytes, until: now + seal.NonceLife})
	} else {
		u.live = &fleeting{sealed: s.Bytes, until: now + u.config.LiveFor}
	}
	u.signal()
	return nil
}

// Groups of messages of class spool.Status.
const (
	groupStatus     = 0
	groupConfession = 1
	groupAnswer     = 2
)

// manyLost is how many ranges are lost before they are confessed at once,
// connected or not: the spool can remember a bounded number.
const manyLost = seal.MaxGaps / 2

// durable seals m as the next of the durable stream and stores it. When much
// was lost, it confesses.
func (u *Uplink) durable(m seal.Meta, media []byte, class spool.Class, group uint64) error {
	err := u.keep(m, media, class, group)
	if err == nil && len(u.spool.Lost(manyLost)) == manyLost && m.Kind != seal.KindGap {
		if err := u.confess(nil); err != nil {
			u.log.Debug("what was lost is not confessed yet", "err", err)
		}
	}
	return err
}

// keep is durable without the confession.
func (u *Uplink) keep(m seal.Meta, media []byte, class spool.Class, group uint64) (err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	defer func() { u.disk.note(err, u.config.Mono()) }()
	if u.sealer == nil {
		return ErrRevoked
	}
	if u.private && m.Kind != seal.KindStatus && m.Kind != seal.KindGap && m.Kind != seal.KindAnswer {
		return ErrPrivate
	}
	next, err := u.spool.Next()
	if err != nil {
		return err
	}
	m.Stream, m.Seq, m.Prev = seal.Durable, next.Seq, next.Prev
	s, err := u.sealer.Seal(m, media)
	if err != nil {
		return err
	}
	if err := u.spool.Put(spool.Message{Seq: s.Seq, Hash: s.Hash, Class: class, Group: group, Bytes: s.Bytes}); err != nil {
		return err
	}
	u.count(s)
	u.signal()
	if ctx := context.Background(); u.log.Enabled(ctx, slog.LevelDebug) { // what a trial compares with what viewers see
		u.log.Debug("sealed", "seq", s.Seq, "hash", hex.EncodeToString(s.Hash[:]), "kind", m.Kind)
	}
	return nil
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
	if err := u.durable(m, nil, spool.Status, groupConfession); err != nil {
		return fmt.Errorf("confess what was lost: %w", err)
	}
	u.spool.Confessed(lost)
	return nil
}

func (u *Uplink) count(s seal.Sealed) {
	u.counters.Sealed++
	u.counters.SealedBytes += uint64(len(s.Bytes))
}

// pictureMeta returns what is said about p.
func (u *Uplink) pictureMeta(p encode.Picture) seal.Meta {
	m := u.meta()
	if m.Clock != seal.ClockNone && !p.Taken.IsZero() {
		m.Taken = p.Taken
	}
	m.Mono, m.Kind, m.Media, m.Cause = p.Mono, p.Kind.String(), p.Media, p.Cause.String()
	if l := p.Light.String(); l != "unknown" {
		m.Light = l
	}
	m.Event, m.Part, m.Last, m.Nonce, m.Masks = p.Event, p.Part, p.Last, p.Nonce, p.Masks
	m.Width, m.Height = p.Width, p.Height
	if p.Kind == encode.ClipPart || p.Kind == encode.Recorded && p.Clip.Ended != encode.EndWhole {
		marks := seal.ClipMarks{PreRoll: p.Clip.PreRoll, Also: p.Clip.Also}
		if p.Clip.Ended != encode.EndWhole {
			marks.Ended = p.Clip.Ended.String()
		}
		m.Labels = append(m.Labels, marks.Labels()...)
	}
	if p.Kind == encode.Snapshot {
		m.Labels = append(m.Labels, thingLabels(p)...)
	}
	return m
}

// thingLabels returns what was recognised as labels, as many as travel.
func thingLabels(p encode.Picture) []seal.Label {
	if p.Model == nil {
		return nil
	}
	labels := []seal.Label{seal.ModelLabel(*p.Model)}
	for _, t := range p.Things[:min(len(p.Things), seal.MaxLabels-1)] {
		part := func(v float64, most uint16) uint16 { return uint16(max(0, min(v*1000+0.5, float64(most)))) }
		b := seal.Box{X: part(t.X, 1000), Y: part(t.Y, 1000)}
		b.W, b.H = part(t.W, 1000-b.X), part(t.H, 1000-b.Y)
		labels = append(labels, seal.Label{Name: t.Name, Score: max(1, part(t.Score, 1000)), Box: b})
	}
	return labels
}
