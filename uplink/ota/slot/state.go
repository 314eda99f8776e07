package slot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Name is a place that the agent can run from.
type Name string

// The places. Factory is what was flashed; the zero Name is none.
const (
	Factory Name = "factory"
	A       Name = "a"
	B       Name = "b"
)

// Held is what a slot holds.
type Held struct {
	Version string `json:"version"` // for people
	Number  uint64 `json:"number"`
	Size    int64  `json:"size"` // bytes
	SHA256  digest `json:"sha256"`
}

// state is what the slots are for. Its zero value is a camera that has never
// been updated.
type state struct {
	Number    uint64 `json:"number"`              // of the newest release that was ever confirmed
	Confirmed Name   `json:"confirmed,omitempty"` // A or B; empty for the factory
	Trial     Name   `json:"trial,omitempty"`     // A or B: what the next start tries, or what is being tried
	Started   bool   `json:"started,omitempty"`   // the trial has had its start
	A         *Held  `json:"a,omitempty"`         // nil: nothing that could run
	B         *Held  `json:"b,omitempty"`
	Fell      string `json:"fell,omitempty"` // why the last trial was given up
}

func (s *state) held(n Name) *Held {
	switch n {
	case A:
		return s.A
	case B:
		return s.B
	}
	return nil
}

func (s *state) hold(n Name, h *Held) {
	if n == A {
		s.A = h
	} else {
		s.B = h
	}
}

// free is the slot that may be written: the one that is not confirmed.
func (s *state) free() Name {
	if s.Confirmed == A {
		return B
	}
	return A
}

// fall gives up what is on trial.
func (s *state) fall(why string) {
	version := "a release"
	if h := s.held(s.Trial); h != nil && h.Version != "" {
		version = h.Version
	}
	s.Fell = clip(version + " was given up: " + why)
	s.Trial, s.Started = "", false
}

// confirm makes what is on trial the slot of all later starts.
func (s *state) confirm() {
	s.Confirmed, s.Number = s.Trial, max(s.Number, s.held(s.Trial).Number)
	s.Trial, s.Started, s.Fell = "", false, ""
}

// unproven is why a trial is given up that ended without Confirm or Reject.
const unproven = "it ended on trial before it had proven itself (a crash, a hang, or the power went)"

// next decides what starts now. intact says whether what a slot holds can be
// trusted to be what was installed there, and factory is the number of the flashed
// binary. The state that it leaves has to be durable before a trial begins. The
// notes are what a person should know, one sentence each.
func (s *state) next(intact func(Name) error, factory uint64) (run Name, notes []string) {
	if s.Trial != "" && s.Started {
		s.fall(unproven)
		notes = append(notes, s.Fell)
	}
	if s.Trial != "" {
		if h := s.held(s.Trial); h.Number <= factory || h.Number < s.Number {
			s.Trial = "" // what runs anyway has overtaken it
		} else if err := intact(s.Trial); err != nil {
			s.fall(err.Error())
			notes = append(notes, s.Fell)
		} else {
			s.Started = true
			return s.Trial, notes
		}
	}
	h := s.held(s.Confirmed)
	if h == nil || h.Number <= factory {
		return Factory, notes
	}
	if err := intact(s.Confirmed); err != nil {
		return Factory, append(notes, fmt.Sprintf("slot %s cannot run, so what was flashed does: %v", s.Confirmed, err))
	}
	return s.Confirmed, notes
}

// check refuses what no sequence of calls leads to.
func (s *state) check() error {
	for _, n := range []Name{s.Confirmed, s.Trial} {
		if n != "" && s.held(n) == nil {
			return fmt.Errorf("slot %q holds nothing", clip(string(n)))
		}
	}
	for _, h := range []*Held{s.A, s.B} {
		if h != nil {
			if err := h.check(); err != nil {
				return err
			}
		}
	}
	switch {
	case s.Confirmed != "" && s.Confirmed == s.Trial:
		return errors.New("one slot is confirmed and on trial")
	case s.Started && s.Trial == "":
		return errors.New("a trial of nothing has started")
	case s.Confirmed != "" && s.held(s.Confirmed).Number > s.Number:
		return errors.New("the confirmed number is not the highest")
	case len(s.Fell) > maxWords || !utf8.ValidString(s.Fell):
		return errors.New("the reason of a fall is no sentence")
	}
	return nil
}

func (h *Held) check() error {
	if h.Size <= 0 || h.Size > MaxSize || h.Number == 0 || len(h.Version) > maxWords || !utf8.ValidString(h.Version) {
		return errors.New("a slot holds what no release is")
	}
	return nil
}

const (
	// MaxSize bounds an agent's binary, in bytes.
	MaxSize = 256 << 20
	// maxRecord bounds a stored record, in bytes.
	maxRecord = 8 << 10
	// maxWords bounds a version and a reason, in bytes.
	maxWords = 512
)

// clip bounds words that come from elsewhere.
func clip(s string) string {
	if len(s) > maxWords {
		s = s[:maxWords]
	}
	return string(bytes.ToValidUTF8([]byte(s), nil))
}

// magic begins every record, and says its format.
const magic = "sealcam-slot 1 "

var errRecord = errors.New("not a whole record of this format")

// encode returns v as a record: a line with the hash of the rest, and JSON.
func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // of our own types
	}
	sum := sha256.Sum256(body)
	return append(append([]byte(magic+hex.EncodeToString(sum[:])+"\n"), body...), '\n')
}

// decode reads a record into v, which is whole by its hash. Fields that v does
// not have are passed over: the flashed launcher, the oldest program of all, reads
// what the newest wrote.
func decode(b []byte, v any) error {
	head, body, ok := bytes.Cut(b, []byte("\n"))
	body, whole := bytes.CutSuffix(body, []byte("\n"))
	if !ok || !whole || len(b) > maxRecord {
		return errRecord
	}
	sum := sha256.Sum256(body)
	if string(head) != magic+hex.EncodeToString(sum[:]) {
		return errRecord
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	return nil
}

// digest is a SHA-256 in hexadecimal where it is stored.
type digest [sha256.Size]byte

// MarshalText returns d in hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return errRecord
	}
	_, err := hex.Decode(d[:], text)
	return err
}
