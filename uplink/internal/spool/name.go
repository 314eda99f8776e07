package spool

import (
	"strconv"
)

// Class is how important a message is. Smaller is more important: it is sent
// first, and given up last.
type Class uint8

// The classes.
const (
	Status   Class = iota + 1 // what the camera says about itself, confessions, answers
	Snapshot                  // one picture of an event; the newest is sent first
	Clip                      // one part of a clip; the newest clip is sent first
	classes
)

// state is what is known of a message's whereabouts.
type state uint8

const (
	waiting      state = iota // no broker has acknowledged it
	acknowledged              // a broker has, which proves little
	delivered                 // a viewer has said so
	states
)

const (
	classLetters = "?spc"
	stateLetters = "wad"
	suffix       = ".sealed"
)

// label is everything about a message that its file's name says, which is
// everything the index needs.
type label struct {
	seq   uint64
	group uint64 // Message.Group
	size  uint32 // bytes
	sum   uint32 // CRC-32C of the bytes, against tired flash, not against people
	class Class
	state state
}

// appendName appends the file name of l to b: sequence, class and state,
// group, size and sum, for example 0000000000002f-sw-0-5a1c-9f86d081.sealed.
func (l label) appendName(b []byte) []byte {
	b = appendHex(b, l.seq, 14)
	b = append(b, '-', classLetters[l.class], stateLetters[l.state], '-')
	b = strconv.AppendUint(b, l.group, 16)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(l.size), 16)
	b = append(b, '-')
	b = appendHex(b, uint64(l.sum), 8)
	return append(b, suffix...)
}

func appendHex(b []byte, v uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[v>>shift&15])
	}
	return b
}

// parseName is the inverse of appendName. Of each label there is exactly one
// name: anything else is a foreign file.
func parseName(name string) (label, bool) {
	var l label
	if len(name) < 14+4+1+2+2+8+len(suffix) || name[14] != '-' || name[17] != '-' {
		return l, false
	}
	ok := true
	l.seq = hexField(name[:14], &ok)
	for l.class = Status; l.class < classes && classLetters[l.class] != name[15]; l.class++ {
	}
	for l.state = waiting; l.state < states && stateLetters[l.state] != name[16]; l.state++ {
	}
	if l.class == classes || l.state == states || l.seq == 0 {
		return l, false
	}
	i := 18
	field := func(end byte) string {
		from := i
		for i < len(name) && name[i] != end {
			i++
		}
		i = min(i+1, len(name))
		return name[from:max(from, i-1)]
	}
	l.group = hexField(field('-'), &ok)
	size := hexField(field('-'), &ok)
	l.size, ok = uint32(size), ok && size <= 1<<31
	l.sum = uint32(hexField(field('.'), &ok))
	var again [96]byte
	return l, ok && string(l.appendName(again[:0])) == name
}

func hexField(s string, ok *bool) uint64 {
	v := uint64(0)
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			if d = s[i] - 'a' + 10; d < 10 || d > 15 {
				*ok = false
			}
		}
		v = v<<4 | uint64(d&15)
	}
	if len(s) == 0 || len(s) > 16 {
		*ok = false
	}
	return v
}
