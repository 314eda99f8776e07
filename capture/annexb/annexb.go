// Package annexb reads the byte streams of H.264 and H.265 cameras: NAL units
// behind start codes (ITU-T H.264 and H.265, annex B). Scanner walks the units of
// one access unit, Inspect says what an access unit is good for, Params keeps the
// parameter sets that a decoder needs first, and Splitter finds the access units
// in a stream.
//
// What this package does not do: it decodes no picture and no slice beyond the
// first bits of its header, repairs nothing, and knows no container. It imports
// nothing else of sealcam and nothing from outside the standard library.
//
// Everything here takes hostile bytes: work is linear in the input, memory is
// bounded by it, and nothing panics.
package annexb

import "bytes"

// Codec is the language of a stream.
type Codec uint8

// The codecs.
const (
	H264 Codec = iota + 1
	H265
)

// String returns "H.264" or "H.265".
func (c Codec) String() string {
	if c == H265 {
		return "H.265"
	}
	return "H.264"
}

// Error is why bytes are not a usable access unit. Its text is short and
// constant, fit to be a counter's name.
type Error string

// The reasons of this package, returned bare.
const (
	ErrNoUnit    Error = "no-nal"        // no start code in it
	ErrCorrupt   Error = "corrupt"       // a NAL unit that no encoder writes
	ErrNoPicture Error = "no-picture"    // parameter sets or remarks alone
	ErrTooLarge  Error = "too-large"     // more than a Splitter's bound
	ErrReordered Error = "reordered"     // pictures that are shown in another order than they come in
	ErrNoParams  Error = "no-parameters" // nothing says how to decode it
)

// Error implements error.
func (e Error) Error() string {
	switch e {
	case ErrNoUnit:
		return "no NAL unit found"
	case ErrCorrupt:
		return "NAL unit is corrupt"
	case ErrNoPicture:
		return "access unit has no picture"
	case ErrTooLarge:
		return "access unit is too large"
	case ErrReordered:
		return "B-frames: pictures come in another order than they are shown in"
	case ErrNoParams:
		return "no parameter sets have come yet"
	}
	return "annex B: " + string(e)
}

// Scanner walks the NAL units of data, which begins with a start code or is
// searched for one. Units lie in data; nothing is copied.
type Scanner struct {
	rest []byte // behind a start code
}

// Scan returns a Scanner over data.
func Scan(data []byte) Scanner {
	_, after := code(data)
	return Scanner{after}
}

// Next returns the next NAL unit, header first and without the zeros behind it.
// Empty units are left out.
func (s *Scanner) Next() (unit []byte, ok bool) {
	for s.rest != nil {
		unit, s.rest = code(s.rest)
		if unit = bytes.TrimRight(unit, "\x00"); len(unit) > 0 {
			return unit, true
		}
	}
	return nil, false
}

// startCode is what stands in front of every unit; more zeros may precede it.
var startCode = []byte{0, 0, 1}

// code returns what is in front of the next start code and what is behind it,
// which is nil if there is none.
func code(b []byte) (before, after []byte) {
	i := bytes.Index(b, startCode)
	if i < 0 {
		return b, nil
	}
	return b[:i], b[i+len(startCode):]
}

// Role is what a NAL unit is for.
type Role uint8

// The roles that matter here.
const (
	Other    Role = iota
	VPS           // video parameter set, H.265 only
	SPS           // sequence parameter set
	PPS           // picture parameter set
	AUD           // access unit delimiter
	Lead          // what else can only stand in front of a picture: remarks (SEI) and reserved
	Slice         // part of a picture that needs others
	KeySlice      // part of a picture that needs no other, and lets none behind it need those before
)

// RoleOf returns the role of a unit. It reports false for one that no encoder
// writes: too short, or with the forbidden bit set.
func RoleOf(c Codec, unit []byte) (Role, bool) {
	if len(unit) < 2 && (c == H265 || len(unit) == 0) || unit[0]&0x80 != 0 {
		return Other, false
	}
	if c == H265 {
		return role265(unit[0] >> 1 & 0x3f), true
	}
	switch t := unit[0] & 0x1f; {
	case t == 1, t == 2:
		return Slice, true
	case t == 5:
		return KeySlice, true
	case t == 6, t >= 14 && t <= 18:
		return Lead, true
	case t == 7:
		return SPS, true
	case t == 8:
		return PPS, true
	case t == 9:
		return AUD, true
	}
	return Other, true
}

// role265 follows table 7-1 of H.265.
func role265(t byte) Role {
	switch {
	case t >= 16 && t <= 21:
		return KeySlice
	case t <= 9:
		return Slice
	case t == 32:
		return VPS
	case t == 33:
		return SPS
	case t == 34:
		return PPS
	case t == 35:
		return AUD
	case t == 39, t >= 41 && t <= 44, t >= 48 && t <= 55:
		return Lead
	}
	return Other
}

// first reports whether a slice is the first of its picture. unit is at least as
// long as RoleOf wants.
func first(c Codec, unit []byte) bool {
	at := 1
	if c == H265 {
		at = 2
	}
	// H.264: first_mb_in_slice is 0, which is coded as one set bit. H.265:
	// first_slice_segment_in_pic_flag.
	return len(unit) > at && unit[at]&0x80 != 0
}

// bidirectional reports whether an H.264 slice is of a B-frame (slice_type 1 or 6).
func bidirectional(unit []byte) bool {
	b := bitReader{b: unit[1:min(len(unit), 12)]}
	b.ue() // first_mb_in_slice
	t := b.ue()
	return !b.short && (t == 1 || t == 6)
}

// Info is what an access unit is good for.
type Info struct {
	Key       bool // decoding can begin here, given the parameter sets
	Params    bool // it brings parameter sets
	Reordered bool // H.264: it has B slices
}

// Inspect looks at the units of an access unit up to its first slice. The error
// is an Error, and costs no allocation.
func Inspect(c Codec, data []byte) (Info, error) {
	var info Info
	s := Scan(data)
	for n := 0; ; n++ {
		u, ok := s.Next()
		if !ok {
			if n == 0 {
				return info, ErrNoUnit
			}
			return info, ErrNoPicture
		}
		r, ok := RoleOf(c, u)
		if !ok {
			return info, ErrCorrupt
		}
		switch r {
		case VPS, SPS, PPS:
			info.Params = true
		case Slice, KeySlice:
			info.Key = r == KeySlice
			info.Reordered = c == H264 && bidirectional(u)
			return info, nil
		}
	}
}
