// Package mjpeg reads what motion JPEG cameras really send: JPEG frames without
// Huffman tables, cut short, padded, two in one buffer, or not JPEG at all. Scan
// walks the markers of one frame, AppendComplete makes a file of it that every
// decoder reads, Splitter finds the frames in a byte stream, and DC reads the
// small grey picture that is the frame's DC coefficients. Masker takes parts out
// of a frame without decoding it. The other way round, Encoder compresses the
// frames of raw cameras.
//
// What this package does not do: it decodes no colours and no full resolution
// (image/jpeg does), repairs no broken frame, reads no container (capture/stream
// reads AVI) and knows no lossless, arithmetic-coded or 12-bit JPEG. It imports
// nothing else of sealcam and nothing from outside the standard library.
//
// Everything here takes hostile bytes: work is linear in the input, memory is
// bounded by it, and nothing panics.
package mjpeg

import "fmt"

// Error is why bytes are not a usable JPEG frame. Its text is short and
// constant, fit to be a counter's name.
type Error string

// The reasons of this package. Scan returns them bare, so that they can be
// compared with == and cost no allocation.
const (
	ErrEmpty       Error = "empty"       // no bytes at all
	ErrNotJPEG     Error = "not-jpeg"    // no start of a JPEG in it
	ErrTruncated   Error = "truncated"   // ends, or the next frame begins, before its end marker
	ErrHeader      Error = "header"      // a segment in front of the coded data is malformed
	ErrCorrupt     Error = "corrupt"     // a byte sequence in the coded data that no encoder writes
	ErrTooLarge    Error = "too-large"   // more than MaxPixels, or than a Splitter's bound
	ErrUnsupported Error = "unsupported" // a JPEG of a kind that no camera of this class sends
)

// Error implements error.
func (e Error) Error() string {
	switch e {
	case ErrEmpty:
		return "JPEG frame is empty"
	case ErrNotJPEG:
		return "no JPEG frame found"
	case ErrTruncated:
		return "JPEG frame is cut short"
	case ErrHeader:
		return "JPEG header is malformed"
	case ErrCorrupt:
		return "JPEG data is corrupt"
	case ErrTooLarge:
		return "JPEG frame is too large"
	case ErrUnsupported:
		return "this kind of JPEG is not supported"
	}
	return "JPEG: " + string(e)
}

// MaxPixels bounds width times height of a frame: 8K video. Scan refuses what
// declares more before anything is allocated for it.
const MaxPixels = 7680 * 4320

// Component is one colour plane as the frame header declares it.
type Component struct {
	ID uint8 // identifier that scans refer to
	H  uint8 // horizontal sampling factor, 1..4
	V  uint8 // vertical sampling factor, 1..4
	Tq uint8 // quantization table, 0..3
}

// Header is what Scan learned about a frame. All offsets count from the start
// of the slice that was scanned.
type Header struct {
	Width, Height   int // pixels
	Components      int // 1 grey, 3 YCbCr (or RGB), 4 CMYK
	Component       [4]Component
	Progressive     bool
	Extended        bool // sequential, and marked as more than baseline
	RestartInterval int  // MCUs between restart markers in the first scan; 0 for none
	HasDHT          bool // every Huffman table that the scans use is in the frame
	Doubled         bool // another JPEG begins close behind End

	Start  int // the SOI marker
	Tables int // where missing Huffman tables belong: behind leading APPn and COM segments
	SOS    int // the first SOS marker
	Data   int // first byte of the first scan's entropy-coded data
	End    int // first byte behind the EOI marker
}

// String returns for example "1920x1080 4:2:2".
func (h Header) String() string {
	return fmt.Sprintf("%dx%d %s", h.Width, h.Height, h.sampling())
}

// sampling names how the colours are sampled.
func (h Header) sampling() string {
	switch h.Components {
	case 1:
		return "grey"
	case 4:
		return "CMYK"
	}
	y, c := h.Component[0], h.Component[1]
	switch [4]uint8{y.H, y.V, c.H, c.V} {
	case [4]uint8{1, 1, 1, 1}:
		return "4:4:4"
	case [4]uint8{2, 1, 1, 1}:
		return "4:2:2"
	case [4]uint8{2, 2, 1, 1}:
		return "4:2:0"
	case [4]uint8{1, 2, 1, 1}:
		return "4:4:0"
	case [4]uint8{4, 1, 1, 1}:
		return "4:1:1"
	}
	return fmt.Sprintf("%dx%d:%dx%d", y.H, y.V, c.H, c.V)
}
