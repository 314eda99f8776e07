package seal

import (
	"errors"
	"fmt"
	"slices"
)

// The state of an Opener is CBOR like everything else. It is the viewer's own
// and not signed: whoever can write it can make the viewer forget.

const stateVersion = 1

// ErrState says that a persisted state cannot be used. A viewer that goes on
// without it accepts again what it has seen before.
var ErrState = errors.New("seal: the remembered state is damaged; without it, messages that were seen before would open again")

type stateClaims struct {
	Version uint64        `cbor:"1,keyasint"`
	Roster  uint64        `cbor:"2,keyasint"`
	Digest  [32]byte      `cbor:"3,keyasint"`
	Counter uint64        `cbor:"4,keyasint"`
	Cameras []cameraState `cbor:"5,keyasint"`
}

type cameraState struct {
	_       struct{} `cbor:",toarray"`
	ID      string
	Durable ledgerState
	Live    ledgerState
	Wills   []positionState
}

type ledgerState struct {
	_      struct{} `cbor:",toarray"`
	Head   positionState
	Floor  uint64
	Gaps   []gapState
	Recent []markState
	Boots  [][16]byte
}

type positionState struct {
	_      struct{} `cbor:",toarray"`
	Seq    uint64
	Hash   [32]byte
	Boot   [16]byte
	Roster uint64
	Taken  uint64
}

type gapState struct {
	_             struct{} `cbor:",toarray"`
	First, Last   uint64
	After, Before [32]byte
	From, To      uint64
	History, Lost bool
}

type markState struct {
	_    struct{} `cbor:",toarray"`
	Seq  uint64
	Hash [32]byte
}

// State returns what an Opener must remember between runs. Persist it after
// Open, before what was opened is shown, as far as a power cut may not bring
// back what was shown. Questions that were asked are not in it.
func (o *Opener) State() []byte {
	s := stateClaims{Version: stateVersion, Roster: o.roster.version, Digest: o.roster.digest, Counter: o.counter, Cameras: []cameraState{}}
	for id, h := range o.cameras {
		c := cameraState{ID: string(id), Durable: h.durable.state(), Live: h.live.state(), Wills: []positionState{}}
		for _, w := range h.wills {
			c.Wills = append(c.Wills, w.state())
		}
		s.Cameras = append(s.Cameras, c)
	}
	slices.SortFunc(s.Cameras, func(a, b cameraState) int { return compareIDs(CameraID(a.ID), CameraID(b.ID)) })
	b, err := encode(s)
	if err != nil {
		panic("seal: " + err.Error()) // nothing in it can fail to encode
	}
	return b
}

func (o *Opener) restore(b []byte) error {
	if len(b) > MaxState {
		return fmt.Errorf("%w (%d bytes)", ErrState, len(b))
	}
	var s stateClaims
	if err := decode(b, &s); err != nil {
		return fmt.Errorf("%w (%v)", ErrState, err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("%w (version %d, this program knows %d)", ErrState, s.Version, stateVersion)
	}
	for i, c := range s.Cameras {
		if _, err := ParseCameraID(c.ID); err != nil || i > 0 && s.Cameras[i-1].ID >= c.ID || len(s.Cameras) > 2*MaxCameras {
			return fmt.Errorf("%w (camera %d)", ErrState, i)
		}
		h := &history{durable: c.Durable.ledger(), live: c.Live.ledger()}
		for _, w := range c.Wills {
			h.wills = append(h.wills, w.position())
		}
		if !h.durable.valid() || !h.live.valid() || len(h.live.gaps) != 0 || len(h.wills) > maxWills {
			return fmt.Errorf("%w (camera %s)", ErrState, c.ID)
		}
		o.cameras[CameraID(c.ID)] = h
	}
	o.roster, o.counter = rosterMark{s.Roster, s.Digest}, s.Counter
	return nil
}

func (l *ledger) state() ledgerState {
	s := ledgerState{Head: l.head.state(), Floor: l.floor, Gaps: []gapState{}, Recent: []markState{}, Boots: [][16]byte{}}
	for _, g := range l.gaps {
		s.Gaps = append(s.Gaps, gapState{First: g.first, Last: g.last, After: g.after, Before: g.before, From: g.from, To: g.to, History: g.history, Lost: g.lost})
	}
	for _, m := range l.recent {
		s.Recent = append(s.Recent, markState{Seq: m.seq, Hash: m.hash})
	}
	s.Boots = append(s.Boots, l.boots...)
	return s
}

func (s *ledgerState) ledger() ledger {
	l := ledger{head: s.Head.position(), floor: s.Floor, boots: s.Boots}
	for _, g := range s.Gaps {
		l.gaps = append(l.gaps, gap{g.First, g.Last, g.After, g.Before, g.From, g.To, g.History, g.Lost})
	}
	for _, m := range s.Recent {
		l.recent = append(l.recent, mark{m.Seq, m.Hash})
	}
	return l
}

// valid checks what the methods of ledger rely on.
func (l *ledger) valid() bool {
	if len(l.gaps) > MaxGaps || len(l.recent) > maxRecent || len(l.boots) > maxBoots || l.head.seq > MaxSeq {
		return false
	}
	after := l.floor
	for _, g := range l.gaps {
		if g.first <= after || g.last < g.first || g.last >= l.head.seq {
			return false
		}
		after = g.last
	}
	after = 0
	for _, m := range l.recent {
		if m.seq <= after || m.seq > l.head.seq {
			return false
		}
		after = m.seq
	}
	return l.floor <= l.head.seq
}

func (p position) state() positionState {
	return positionState{Seq: p.seq, Hash: p.hash, Boot: p.boot, Roster: p.roster, Taken: p.taken}
}

func (s positionState) position() position {
	return position{seq: s.Seq, hash: s.Hash, boot: s.Boot, roster: s.Roster, taken: s.Taken}
}
