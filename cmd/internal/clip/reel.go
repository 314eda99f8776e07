package clip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// MaxReel bounds the number of parts that a Reel takes: a day and a half of
// seconds.
const MaxReel = 1 << 17

// ErrTwice says that a part has come before, which changes nothing.
var ErrTwice = errors.New("it has come before")

// Reel is a span of one camera's recording, of which parts have come in any order.
// Their media goes to its Store; in memory it keeps what is said about each.
type Reel struct {
	camera seal.CameraID
	store  Store
	parts  []reelPart
	there  map[place]int // index in parts
	heads  [][]byte      // ways to decode them
	end    int64         // of the Store
	late   int
}

// maxHeads bounds the ways in which the parts of a Reel are decoded.
const maxHeads = 64

// place is where a part stands in the recording.
type place struct {
	boot [16]byte
	seq  uint64
}

type reelPart struct {
	place
	take       uint64 // parts of one boot and take have one clock
	prev, hash [32]byte
	taken      time.Time
	mono       time.Duration
	span       span
	head       int // index in heads
	at         int64
	size       int
}

// NewReel returns an empty Reel of a camera, over an empty store.
func NewReel(camera seal.CameraID, store Store) *Reel {
	return &Reel{camera: camera, store: store, there: map[place]int{}}
}

// Add adds a part. The error is ErrTwice for one that is there already; it wraps
// ErrPart for what is no part of this camera's recording, or contradicts one that
// is; others are the store's. Nothing has changed then.
func (r *Reel) Add(v *seal.Verified) error {
	camera, data := v.Media()
	if camera != r.camera {
		return fmt.Errorf("%w: it is of camera %.12s", ErrPart, camera)
	}
	return r.add(v.Meta(), v.Hash(), data)
}

func (r *Reel) add(m seal.Meta, hash [32]byte, data []byte) error {
	switch {
	case m.Stream != seal.Recording || m.Media != Media || uint64(m.Part) >= m.Seq:
		return fmt.Errorf("%w: %v message %d is no recording", ErrPart, m.Stream, m.Seq)
	case len(r.parts) == MaxReel:
		return fmt.Errorf("%w: more than %d parts", ErrPart, MaxReel)
	}
	p := reelPart{place: place{m.Boot, m.Seq}, take: m.Seq - uint64(m.Part), prev: m.Prev, hash: hash, mono: m.Mono}
	if m.Clock != seal.ClockNone {
		p.taken = m.Taken
	}
	if i, ok := r.there[p.place]; ok {
		if r.parts[i].hash != p.hash {
			return fmt.Errorf("%w: two different parts have number %d", ErrPart, m.Seq)
		}
		return ErrTwice
	}
	head, body, err := Split(data)
	if err != nil {
		return err
	}
	if p.span = spanOf(head, body); p.span.end <= p.span.begin || p.span.end > p.span.begin+time.Hour {
		return fmt.Errorf("%w: number %d does not say how long it is", ErrPart, m.Seq)
	}
	if len(head) > maxHead || len(r.heads) == maxHeads {
		return fmt.Errorf("%w: number %d is of one format too many", ErrPart, m.Seq)
	}
	if p.head = slices.IndexFunc(r.heads, func(h []byte) bool { return slices.Equal(h, head) }); p.head < 0 {
		p.head, r.heads = len(r.heads), append(r.heads, slices.Clone(head))
	}
	if _, err := r.store.WriteAt(body, r.end); err != nil {
		return err
	}
	p.at, p.size = r.end, len(body)
	if n := len(r.parts); n > 0 && r.parts[n-1].boot == p.boot && r.parts[n-1].seq > p.seq {
		r.late++
	}
	r.end += int64(len(body))
	r.there[p.place] = len(r.parts)
	r.parts = append(r.parts, p)
	return nil
}

// Parts returns how many parts have come.
func (r *Reel) Parts() int { return len(r.parts) }

// Size returns how many bytes they have.
func (r *Reel) Size() int64 { return r.end }

// Late returns how many parts have come behind a later one.
func (r *Reel) Late() int { return r.late }

// ordered returns the parts in the order in which they were recorded: boots by
// when they were known to be, and where that is not known as they came.
func (r *Reel) ordered() []reelPart {
	first, came := map[[16]byte]time.Time{}, map[[16]byte]int{}
	for i, p := range r.parts {
		if t, ok := first[p.boot]; !ok || t.IsZero() || !p.taken.IsZero() && p.taken.Before(t) {
			first[p.boot] = p.taken
		}
		if _, ok := came[p.boot]; !ok {
			came[p.boot] = i
		}
	}
	all := slices.Clone(r.parts)
	slices.SortFunc(all, func(a, b reelPart) int {
		if a.boot == b.boot {
			return compare(a.seq, b.seq)
		}
		s, t := first[a.boot], first[b.boot]
		if !s.IsZero() && !t.IsZero() && !s.Equal(t) {
			return s.Compare(t)
		}
		return compare(came[a.boot], came[b.boot])
	})
	return all
}

func compare[T int | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Break is a place at which the parts that have come do not follow each other.
type Break struct {
	First, Last uint64    // numbers that are not there; Last is below First if none is missing
	From, To    time.Time // between which; zero when the camera did not know the time
	// LeftOut says that the camera itself left these parts out, under its seal.
	LeftOut bool
	// Forged says that the part behind names another one before it: the camera's
	// key is in two places.
	Forged bool
}

// String names it.
func (b Break) String() string {
	numbers := fmt.Sprintf("parts %d to %d", b.First, b.Last)
	if b.First == b.Last {
		numbers = fmt.Sprintf("part %d", b.First)
	}
	switch {
	case b.Forged:
		return fmt.Sprintf("part %d does not continue part %d: the camera's key may be in two places", b.First, b.First-1)
	case b.LeftOut:
		return numbers + " left out by the camera"
	}
	return numbers + " missing"
}

// Breaks returns where parts of one boot do not follow each other, in the order of
// the recording. What is missing before the first and behind the last part of a
// boot nothing tells but the camera's answer.
func (r *Reel) Breaks() (all []Break) {
	parts := r.ordered()
	for i := 1; i < len(parts); i++ {
		a, b := parts[i-1], parts[i]
		if a.boot != b.boot || b.prev == a.hash && b.seq == a.seq+1 {
			continue
		}
		k := Break{First: a.seq + 1, Last: b.seq - 1, LeftOut: b.prev == a.hash, Forged: b.seq == a.seq+1, To: b.taken}
		if !a.taken.IsZero() {
			k.From = a.taken.Add(a.span.end - a.span.begin)
		}
		all = append(all, k)
	}
	return all
}

// Last returns when the part that came last ends, false before one came whose
// camera knew the time.
func (r *Reel) Last() (time.Time, bool) {
	for i := len(r.parts) - 1; i >= 0; i-- {
		if p := &r.parts[i]; !p.taken.IsZero() {
			return p.taken.Add(p.span.end - p.span.begin), true
		}
	}
	return time.Time{}, false
}

// Take is a film of the parts that have come: as many as one player can show in
// one. A camera that changes its format makes another.
type Take struct {
	reel  *Reel
	head  []byte
	parts []reelPart
	begin []uint64 // of each, in ticks on the film's clock
}

// Takes returns the films that the parts make, in the order of the recording.
func (r *Reel) Takes() (takes []*Take) {
	var t *Take
	for _, p := range r.ordered() {
		if t == nil || t.parts[0].head != p.head {
			t = &Take{reel: r, head: r.heads[p.head]}
			takes = append(takes, t)
		}
		t.add(p)
	}
	return takes
}

// longestPause bounds a pause in a film.
const longestPause = 24 * time.Hour

// add puts p behind the part before it: as far as the clock says that both have,
// else as the wall clock says, and never into it.
func (t *Take) add(p reelPart) {
	scale := timescale(t.head)
	at := uint64(0)
	if n := len(t.parts); n > 0 {
		q := t.parts[n-1]
		end := t.begin[n-1] + inTicks(q.span.end-q.span.begin, scale)
		switch {
		case p.boot == q.boot && p.take == q.take:
			at = t.begin[n-1] + inTicks(p.span.begin-q.span.begin, scale)
		case !p.taken.IsZero() && !q.taken.IsZero():
			at = t.begin[n-1] + inTicks(p.taken.Sub(q.taken), scale)
		case p.boot == q.boot:
			at = t.begin[n-1] + inTicks(p.mono-q.mono, scale)
		}
		at = max(at, end)
	}
	t.parts, t.begin = append(t.parts, p), append(t.begin, at)
}

// inTicks is the inverse of ticks, rounded and within 0 and longestPause.
func inTicks(d time.Duration, scale uint64) uint64 {
	d = min(max(d, 0), longestPause)
	whole, rest := uint64(d/time.Second), uint64(d%time.Second)
	return whole*scale + (rest*scale+uint64(time.Second)/2)/uint64(time.Second)
}

// Parts returns how many parts the film has.
func (t *Take) Parts() int { return len(t.parts) }

// Length returns how long the film is, pauses included.
func (t *Take) Length() time.Duration {
	n := len(t.parts) - 1
	last := t.parts[n]
	return ticks(t.begin[n], timescale(t.head)) + last.span.end - last.span.begin
}

// From returns when the film begins, false if the camera did not know.
func (t *Take) From() (time.Time, bool) { return t.parts[0].taken, !t.parts[0].taken.IsZero() }

// WriteTo writes the film, whose clock begins at 0: the parts are numbered anew and
// their times shifted, and all else is as it was sealed.
func (t *Take) WriteTo(w io.Writer) (written int64, err error) {
	n, err := w.Write(t.head)
	written = int64(n)
	var b []byte
	for i, p := range t.parts {
		if err != nil {
			return written, err
		}
		b = slices.Grow(b[:0], p.size)[:p.size]
		if _, err := t.reel.store.ReadAt(b, p.at); err != nil && err != io.EOF {
			return written, err
		}
		if err := shift(b, uint32(i+1), t.begin[i]); err != nil {
			return written, err
		}
		n, err = w.Write(b)
		written += int64(n)
	}
	return written, err
}

// shift gives a fragment another number and another time to begin at.
func shift(body []byte, number uint32, begin uint64) error {
	mfhd, tfdt := find(body, "moof", "mfhd"), find(body, "moof", "traf", "tfdt")
	if len(mfhd) < 8 || len(tfdt) < 12 || tfdt[0] != 1 {
		return fmt.Errorf("%w: no clock of 64 bits", ErrPart)
	}
	binary.BigEndian.PutUint32(mfhd[4:], number)
	binary.BigEndian.PutUint64(tfdt[4:], begin)
	return nil
}
