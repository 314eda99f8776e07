package seal

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Stream says which order a message stands in.
type Stream uint8

// The streams. Each camera has one of each.
const (
	Durable   Stream = iota + 1 // what must not be lost: gapless sequence and chain of hashes; never expires
	Live                        // only the newest counts: own counter, expires, loss is no gap
	Will                        // sealed ahead of time for the broker to publish: outside both
	Recording                   // what the camera keeps and gives out when it is asked: counted and chained per boot, never news
	View                        // live view, for who watches right now: own counter, so that Live is not disturbed; proven by a nonce
)

// String returns the stream's name.
func (s Stream) String() string {
	switch s {
	case Durable:
		return "durable"
	case Live:
		return "live"
	case Will:
		return "will"
	case Recording:
		return "recording"
	case View:
		return "view"
	}
	return fmt.Sprintf("stream(%d)", uint8(s))
}

// chained says whether messages of the stream name the one before.
func (s Stream) chained() bool { return s == Durable || s == Recording }

// Kinds of message that this version of sealcam knows. The format allows any
// token: a viewer that does not know a kind verifies it and does not show it.
const (
	KindSnapshot = "snapshot"
	KindClip     = "clip"
	KindStatus   = "status"
	KindGap      = "gap"    // confesses in Meta.Lost what will never come
	KindAnswer   = "answer" // answers a request, Meta.Nonce says which
	// KindRecording is a part of the recording: exactly what travels in stream
	// Recording. It is of no event and answers nobody.
	KindRecording = "recording"
	KindView      = "view" // a frame of live view, or some of them
)

// Clock qualities.
const (
	ClockNone = "none" // never set: times mean nothing
	ClockRTC  = "rtc"  // carried over from before
	ClockNTP  = "ntp"  // set from the network since boot
)

// Meta is everything that is said about a message besides its media.
type Meta struct {
	// Visible to everybody.

	Stream Stream
	// Seq counts Durable messages from 1 without a hole, over reboots and
	// power cuts. For Live it must only rise, over reboots too (boot count << 32
	// plus a counter does). For Will it may be anything, also 0, but may not fall
	// within one boot. For Recording it counts the parts of one boot from 1. For
	// View it must rise as for Live.
	Seq uint64
	// Prev is the Sealed.Hash of the Durable message before; zero when Seq is 1,
	// or when the camera has lost its memory of it. In that case Seq must leave
	// out at least one number, lest it seem to contradict the message before.
	// Of Recording the same within one boot; a number that is left out is a part
	// that the camera could not keep.
	Prev [32]byte
	// Expires is when a Live message stops being shown, whole seconds. Seal wants
	// it for Live with a clock, and refuses it for everything else.
	Expires time.Time

	// Hidden: only viewers see it.

	Kind   string        // a token, see the Kind constants
	Media  string        // media type of the media, "" exactly when there is none
	Taken  time.Time     // wall clock, whole microseconds; zero if unknown
	Mono   time.Duration // monotonic clock of the camera since boot, whole microseconds
	Clock  string        // quality of Taken and Expires: ClockNone, ClockRTC or ClockNTP
	Cause  string        // token, "" for none
	Light  string        // token, "" for unknown
	Event  uint64        // event the message belongs to, counted per boot; 0 for none
	Part   uint32        // part of the event's clip, from 0
	Last   bool          // the clip's last part
	Labels []Label       // what was recognised, at most MaxLabels
	Nonce  []byte        // of the request that this answers; nil for none, which a View message never has
	Masks  []byte        // SHA-256 of the privacy masks in force; nil for none
	Width  int           // pixels; 0 for none
	Height int
	Lost   []Range // Durable, KindGap: what was dropped and will never come, rising

	// Filled by Open; Seal takes them from its SealerConfig instead.

	Boot         [16]byte
	Roster       uint64 // version of the roster it was sealed under
	Firmware     string
	FirmwareHash []byte // SHA-256, or nil
}

// Label is one thing recognised in a Picture.
type Label struct {
	Name  string `cbor:"1,keyasint"`           // for example "person"
	Score uint16 `cbor:"2,keyasint,omitempty"` // confidence, thousandths, at most 1000
	Box   Box    `cbor:"3,keyasint"`
}

// Box is a rectangle in thousandths of the width and height.
type Box struct {
	_          struct{} `cbor:",toarray"`
	X, Y, W, H uint16
}

// Range is an inclusive range of sequence numbers.
type Range struct {
	_           struct{} `cbor:",toarray"`
	First, Last uint64
}

// truncate brings times to the precision in which they travel.
func (m *Meta) truncate() {
	if !m.Taken.IsZero() {
		m.Taken = time.UnixMicro(m.Taken.UnixMicro()).UTC()
	}
	if !m.Expires.IsZero() {
		m.Expires = time.Unix(m.Expires.Unix(), 0).UTC()
	}
	m.Mono = m.Mono.Truncate(time.Microsecond)
}

func (m *Meta) check(mediaSize int) error {
	if err := m.checkVisible(); err != nil {
		return err
	}
	for _, t := range []struct{ name, s string }{{"kind", m.Kind}, {"clock", m.Clock}, {"cause", m.Cause}, {"light", m.Light}} {
		if err := checkToken(t.s); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if m.Kind == "" {
		return errors.New("no kind")
	}
	if m.Clock != ClockNone && m.Clock != ClockRTC && m.Clock != ClockNTP {
		return fmt.Errorf("clock %q is not none, rtc or ntp", m.Clock)
	}
	if err := checkPrintable(m.Media, 2*MaxName); err != nil {
		return fmt.Errorf("media type: %w", err)
	}
	if (m.Media == "") != (mediaSize == 0) {
		return errors.New("media without a media type, or the other way round")
	}
	if err := m.checkExpiry(); err != nil {
		return err
	}
	return m.checkRest()
}

func (m *Meta) checkVisible() error {
	switch m.Stream {
	case Durable:
		if m.Seq == 1 && m.Prev != ([32]byte{}) {
			return errors.New("the first durable message has no previous one")
		}
	case Recording:
		if m.Seq == 1 && m.Prev != ([32]byte{}) {
			return errors.New("the first part of a recording has no previous one")
		}
	case Live, Will, View:
		if m.Prev != ([32]byte{}) {
			return fmt.Errorf("a %v message has no previous one", m.Stream)
		}
	default:
		return fmt.Errorf("unknown %v", m.Stream)
	}
	if m.Seq > MaxSeq || m.Seq == 0 && m.Stream != Will {
		return fmt.Errorf("sequence %d is not in 1..%d", m.Seq, uint64(MaxSeq))
	}
	return nil
}

// checkExpiry wants an expiry exactly where one means something.
func (m *Meta) checkExpiry() error {
	if want := m.Stream == Live && m.Clock != ClockNone; want == m.Expires.IsZero() {
		if want {
			return errors.New("a live message of a camera with a clock must say when it expires")
		}
		return errors.New("only a live message of a camera with a clock expires")
	}
	if m.Clock != ClockNone && m.Taken.IsZero() {
		return errors.New("a clock but no time")
	}
	if !m.Expires.IsZero() && !m.Expires.After(m.Taken) {
		return errors.New("expires before it was taken")
	}
	return nil
}

func (m *Meta) checkRest() error {
	if m.Mono < 0 || uint64(m.Mono/time.Microsecond) > MaxSeq {
		return errors.New("monotonic time out of range")
	}
	for _, t := range []time.Time{m.Taken, m.Expires} {
		if us := t.UnixMicro(); !t.IsZero() && (us <= 0 || us > MaxSeq) {
			return fmt.Errorf("time %v out of range", t)
		}
	}
	if m.Event > MaxSeq || m.Width < 0 || m.Height < 0 || m.Width > 1<<16 || m.Height > 1<<16 {
		return errors.New("event, width or height out of range")
	}
	if n := len(m.Nonce); n != 0 && (n < MinNonce || n > MaxNonce) {
		return fmt.Errorf("nonce of %d bytes", n)
	}
	if m.Stream == View && len(m.Nonce) == 0 {
		return errors.New("a view message that answers no watch")
	}
	if n := len(m.Masks); n != 0 && n != 32 {
		return fmt.Errorf("masks' hash of %d bytes", n)
	}
	if n := len(m.FirmwareHash); n != 0 && n != 32 {
		return fmt.Errorf("firmware hash of %d bytes", n)
	}
	if err := checkPrintable(m.Firmware, MaxName); err != nil {
		return fmt.Errorf("firmware: %w", err)
	}
	if len(m.Labels) > MaxLabels {
		return fmt.Errorf("%d labels, at most %d", len(m.Labels), MaxLabels)
	}
	for _, l := range m.Labels {
		if err := l.check(); err != nil {
			return err
		}
	}
	if (m.Kind == KindRecording) != (m.Stream == Recording) || m.Stream == Recording && (m.Event != 0 || len(m.Nonce) != 0) {
		return errors.New("kind recording belongs to the stream of that name, of no event and answering nobody, and to no other")
	}
	if (len(m.Lost) != 0) != (m.Kind == KindGap) || len(m.Lost) != 0 && m.Stream != Durable {
		return errors.New("ranges lost are told in a durable message of kind gap, and in no other")
	}
	if len(m.Lost) != 0 && m.Lost[len(m.Lost)-1].Last >= m.Seq {
		return errors.New("ranges lost must lie before the message that tells of them")
	}
	return checkRanges(m.Lost)
}

func (l Label) check() error {
	if l.Name == "" || checkName(l.Name) != nil {
		return fmt.Errorf("label %.60q is not a name", l.Name)
	}
	if l.Score > 1000 || uint32(l.Box.X)+uint32(l.Box.W) > 1000 || uint32(l.Box.Y)+uint32(l.Box.H) > 1000 {
		return fmt.Errorf("label %.60q: score or box beyond 1000 thousandths", l.Name)
	}
	return nil
}

// checkRanges wants at most MaxGaps ranges within 1..MaxSeq that rise and
// neither overlap nor touch.
func checkRanges(ranges []Range) error {
	if len(ranges) > MaxGaps {
		return fmt.Errorf("%d ranges, at most %d", len(ranges), MaxGaps)
	}
	after := uint64(0)
	for i, r := range ranges {
		if r.First <= after && !(i == 0 && r.First == 1) || r.First == 0 || r.Last < r.First || r.Last > MaxSeq {
			return fmt.Errorf("range %d..%d is out of order or out of range", r.First, r.Last)
		}
		after = r.Last + 1 // the next may not touch
	}
	return nil
}

// checkToken allows "" and short words of a-z, 0-9, '.', '-' and '_'.
func checkToken(s string) error {
	if len(s) > MaxName {
		return fmt.Errorf("%d bytes, at most %d", len(s), MaxName)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return fmt.Errorf("%.60q is not a word of a-z, 0-9, '.', '-' and '_'", s)
		}
	}
	return nil
}

// checkPrintable allows printable ASCII of at most size bytes.
func checkPrintable(s string, size int) error {
	if len(s) > size {
		return fmt.Errorf("%d bytes, at most %d", len(s), size)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return errors.New("not printable ASCII")
		}
	}
	return nil
}

// checkName allows what a person may call something, up to MaxName bytes, but
// nothing that could make a terminal or a page show it as something else:
// control characters and marks that change the direction of text.
func checkName(s string) error {
	if len(s) > MaxName || !utf8.ValidString(s) {
		return fmt.Errorf("name of %d bytes: at most %d bytes of UTF-8", len(s), MaxName)
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("name has the character %U, which cannot be shown safely", r)
		}
	}
	return nil
}
