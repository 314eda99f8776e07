package drill

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// The days, in hours after dawn.
const (
	copied   = 6 * time.Hour  // somebody copies the flash of every household's second camera
	restart  = 12 * time.Hour // power fails: every camera boots again
	reset    = 24 * time.Hour // every household's first camera is reset, and is a new one
	storm    = 30 * time.Hour // all viewers lose their connection at once
	night    = 36 * time.Hour // the end
	interval = 3 * time.Hour  // between events
	liveFor  = time.Minute    // until a live picture expires
	forever  = time.Duration(math.MaxInt64)
)

// mediaSize is how large pictures are, roughly: small, so that the drill tries
// seals and not SHA-256.
const mediaSize = 2000

// live lets the cameras of h live, and signs its rosters.
func (h *household) live(seed uint64) error {
	first := h.cameras[0]
	first.until = reset
	again, err := h.addCamera(seed, first.name+" after its reset", reset)
	if err != nil {
		return err
	}
	for _, from := range []time.Duration{0, reset} {
		if err := h.sign(from); err != nil {
			return err
		}
	}
	for i, c := range h.cameras {
		l := &life{camera: c, r: numbersOf(seed, c.name+" days"), boot: 1}
		if err := l.live(c == again, i == 1); err != nil {
			return err
		}
		h.days = append(h.days, c.days...)
	}
	sortByTime(h.days)
	for i, m := range h.days {
		m.index = i
	}
	return nil
}

// life is a camera's memory of what it has sealed.
type life struct {
	camera *camera
	r      *rand.Rand
	boot   byte
	flash  byte // which flash it runs from: a copy has another number
	seq    uint64
	prev   [32]byte
	shots  uint64 // live, since boot
	event  uint64 // since boot

	footage *footage // that the next message is a part of
}

// live fills the camera's days. isCopied says that somebody copies its flash.
func (l *life) live(afterReset, isCopied bool) error {
	c := l.camera
	end := min(c.until, night) - time.Minute
	var flash life
	if err := l.status(c.from); err != nil {
		return err
	}
	for slot := c.from; slot < end; slot += interval {
		if slot == restart && !afterReset {
			if err := l.reboot(); err != nil {
				return err
			}
		}
		if slot == copied && isCopied {
			flash = *l
		}
		if err := l.happen(slot + 5*time.Minute + time.Duration(l.r.IntN(100))*time.Minute); err != nil {
			return err
		}
	}
	if err := l.status(end); err != nil {
		return err
	}
	c.days[len(c.days)-1].last = true
	if isCopied {
		return flash.clone()
	}
	return nil
}

// happen seals the durable picture of an event, two live ones and a clip; sometimes the camera loses
// one before it is sent, and confesses.
func (l *life) happen(at time.Duration) error {
	if l.r.IntN(6) == 0 {
		if err := l.confess(at); err != nil {
			return err
		}
	}
	l.seq++
	l.event++
	if err := l.add(at, seal.Meta{Stream: seal.Durable, Kind: seal.KindSnapshot, Event: l.event}); err != nil {
		return err
	}
	if err := l.clip(at); err != nil {
		return err
	}
	for i := range 2 {
		l.shots++
		shot := at + time.Duration(5+20*i)*time.Second
		if err := l.add(shot, seal.Meta{Stream: seal.Live, Kind: seal.KindSnapshot}); err != nil {
			return err
		}
	}
	return nil
}

// confess tells of two messages that were sealed, and lost before they left.
func (l *life) confess(at time.Duration) error {
	first := l.seq + 1
	for range 2 {
		l.seq++
		if _, err := l.seal(at, seal.Meta{Stream: seal.Durable, Kind: seal.KindSnapshot}); err != nil {
			return err
		}
	}
	last := l.seq
	l.seq++
	return l.add(at-time.Second, seal.Meta{Stream: seal.Durable, Kind: seal.KindGap, Lost: []seal.Range{{First: first, Last: last}}})
}

// reboot lets the broker publish the will, and skips numbers that may have been
// used, naming the last message that it knows.
func (l *life) reboot() error {
	if err := l.add(restart-time.Second, seal.Meta{Stream: seal.Will, Kind: seal.KindStatus}); err != nil {
		return err
	}
	l.boot, l.shots, l.event = l.boot+1, 0, 0
	l.seq += 2
	return l.status(restart + time.Duration(l.r.IntN(60))*time.Second)
}

func (l *life) status(at time.Duration) error {
	l.seq++
	return l.add(at, seal.Meta{Stream: seal.Durable, Kind: seal.KindStatus})
}

// clone lets a copy of the flash live in another camera since the restart,
// beside the true one and seconds after it.
func (l *life) clone() error {
	l.flash, l.boot, l.shots = 1, l.boot+1, 0
	for _, own := range l.camera.days {
		if own.at < restart || own.stream == seal.Will {
			continue
		}
		m := seal.Meta{Stream: own.stream, Kind: seal.KindSnapshot}
		if own.stream == seal.Durable {
			l.seq++
		} else {
			l.shots++
		}
		got, err := l.seal(own.at+8*time.Second, m)
		if err != nil {
			return err
		}
		got.index, got.clone = -1, true
		l.camera.clones = append(l.camera.clones, got)
	}
	return nil
}

// add seals a message that leaves the camera at the time at.
func (l *life) add(at time.Duration, m seal.Meta) error {
	got, err := l.seal(at, m)
	if err == nil {
		l.camera.days = append(l.camera.days, got)
	}
	return err
}

// seal seals a message and notes the truth about it.
func (l *life) seal(at time.Duration, m seal.Meta) (*message, error) {
	home := l.camera.home
	i := len(home.rosters) - 1
	for home.rosters[i].from > at {
		i--
	}
	s, err := seal.NewSealer(seal.SealerConfig{
		Key: signer{l.camera.key}, Roster: home.rosters[i].opened, Boot: l.bootID(), Firmware: "drill",
	})
	if err != nil {
		return nil, err
	}
	got := &message{camera: l.camera, at: at, stream: m.Stream, kind: m.Kind}
	m.Taken, m.Clock = dawn.Add(at), seal.ClockNTP
	switch m.Stream {
	case seal.Durable:
		m.Seq, m.Prev = l.seq, l.prev
	case seal.Live:
		m.Seq = uint64(l.boot)<<32 + l.shots
		got.expires = (at + liveFor).Truncate(time.Second)
		m.Expires = dawn.Add(got.expires)
	case seal.Will:
		m.Seq = l.seq
	}
	got.seq = m.Seq
	if m.Kind == seal.KindSnapshot {
		m.Media = "image/jpeg"
	} else if m.Kind == seal.KindStatus {
		m.Media = "application/json"
	} else if m.Kind == seal.KindClip {
		m.Media = clipMedia
	}
	if m.Media != "" {
		got.media = l.picture(m)
		if m.Kind == seal.KindClip {
			got.media = slices.Concat(l.footage.head, fragment(got.media))
		}
	}
	sealed, err := s.Seal(m, got.media)
	if err != nil {
		return nil, err
	}
	if m.Stream == seal.Durable {
		l.prev = sealed.Hash
	}
	got.sealed = sealed.Bytes
	return got, nil
}

// bootID is the id of the camera's boot.
func (l *life) bootID() [16]byte {
	boot := sha256.Sum256(fmt.Appendf(nil, "%s boot %d flash %d", l.camera.id, l.boot, l.flash))
	return [16]byte(boot[:16])
}

// picture returns media that no other message has.
func (l *life) picture(m seal.Meta) []byte {
	text := fmt.Sprintf("%s %s %d flash %d\n", l.camera.id, m.Stream, m.Seq, l.flash)
	return bytes.Repeat([]byte(text), mediaSize/len(text))
}

func sortByTime(list []*message) {
	slices.SortStableFunc(list, func(a, b *message) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(string(a.camera.id), string(b.camera.id)))
	})
}

func sortRoster(r *seal.Roster) {
	slices.SortFunc(r.Cameras, func(a, b seal.RosterCamera) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.Sort(r.Revoked)
}
