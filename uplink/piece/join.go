package piece

import (
	"bytes"
	"errors"
	"slices"
	"sort"
)

// What a Joiner keeps at most. A camera has one message under way, and has put
// off a few for more urgent ones.
const (
	maxPartsOfOne = 24 << 20 // bytes of one camera
	maxOfOne      = 8        // messages of one camera
	maxPartsOfAll = 64 << 20
	maxOfAll      = 64
)

// ErrSpoiled says that the parts of a message do not make it up.
var ErrSpoiled = errors.New("the pieces of a message do not fit together")

// Joiner puts messages together. Memory is taken for what has arrived, and not
// for what a piece promises. Where too much is unfinished, the message goes that
// has been without news for longest, first of the same camera. The zero value is
// empty. It is for one goroutine.
type Joiner struct {
	partial []*partial // that with the latest news last
	held    int        // bytes of all
}

// partial is a message of which parts have come.
type partial struct {
	from string
	kind Kind
	name [16]byte
	size int
	held int    // bytes that have come
	part []part // in order, none overlaps another
}

type part struct {
	at   int
	data []byte
}

func (p part) end() int { return p.at + len(p.data) }

// Add takes a piece that came from a camera, as a topic named it. It returns the
// message that this piece completes, nil while there is none. b belongs to the
// Joiner from now on. The error is ErrMalformed or ErrSpoiled.
func (j *Joiner) Add(from string, b []byte) (kind Kind, message []byte, err error) {
	p, err := Parse(b)
	if err != nil {
		return 0, nil, err
	}
	i := slices.IndexFunc(j.partial, func(m *partial) bool {
		return m.name == p.Name && m.size == p.Size && m.kind == p.Kind && m.from == from
	})
	if i < 0 {
		i = len(j.partial)
		j.partial = append(j.partial, &partial{from: from, kind: p.Kind, name: p.Name, size: p.Size})
	}
	m := j.partial[i]
	got := m.add(p.At, p.Data)
	if got == 0 {
		return 0, nil, nil
	}
	j.held += got
	j.partial = append(slices.Delete(j.partial, i, i+1), m)
	if m.held < m.size {
		j.shrink(from)
		return 0, nil, nil
	}
	j.drop(len(j.partial) - 1)
	message = make([]byte, 0, m.size)
	for _, p := range m.part {
		message = append(message, p.data...)
	}
	if Name(message) != m.name {
		return 0, nil, ErrSpoiled
	}
	return m.kind, message, nil
}

// Unfinished returns how many messages are not whole yet, and how many bytes of
// them have come.
func (j *Joiner) Unfinished() (messages, bytes int) { return len(j.partial), j.held }

// add takes in what of data, which begins at at, is new, and returns how much.
func (m *partial) add(at int, data []byte) (got int) {
	i := sort.Search(len(m.part), func(i int) bool { return m.part[i].end() > at })
	for all := len(data); len(data) > 0; {
		fresh, whole := len(data), true
		if i < len(m.part) && m.part[i].at < at+len(data) {
			fresh, whole = max(0, m.part[i].at-at), false
		}
		if fresh > 0 {
			own := data[:fresh]
			if fresh < all { // the rest of it is not kept
				own = bytes.Clone(own)
			}
			m.part = slices.Insert(m.part, i, part{at, own})
			got += fresh
			i++
		}
		if whole {
			break
		}
		known := min(len(data), m.part[i].end()-at)
		at, data = at+known, data[known:]
		i++
	}
	m.held += got
	return got
}

// shrink drops messages until the bounds are kept.
func (j *Joiner) shrink(from string) {
	for {
		messages, held, oldest := 0, 0, -1
		for i, m := range j.partial {
			if m.from != from {
				continue
			}
			if messages, held = messages+1, held+m.held; oldest < 0 {
				oldest = i
			}
		}
		switch {
		case messages > maxOfOne || held > maxPartsOfOne:
			j.drop(oldest)
		case len(j.partial) > maxOfAll || j.held > maxPartsOfAll:
			j.drop(0)
		default:
			return
		}
	}
}

func (j *Joiner) drop(i int) {
	j.held -= j.partial[i].held
	j.partial = slices.Delete(j.partial, i, i+1)
}
