// Package encode turns Frames into Pictures: what is worth sending, in a form
// that a viewer can show.
//
// A snapshot is a JPEG. A clip is cut out of the Ring, which holds the last
// seconds, by the Cutter: each ClipPart is a whole fragmented MP4 of about a second
// that begins with a key frame and plays alone, with its parameter sets in moov and
// in the stream. Its decode times count from the clip's first frame, in ticks of
// 1/90000 s, each rounded by itself from the driver's time so that none drift; a clip
// is part 0 followed by moof and mdat of the others. A part's Taken and Mono are those of its
// first frame, and Picture.Clip says the rest: where in the clip its event begins,
// which others it shows, why it ended early. In a seal that travels as labels, see
// seal.ClipMarks. The Recorder makes such parts of all frames, without an event: a
// take of the Ring takes the place of a clip. Latest makes them of the newest frames,
// for who watches.
//
// What this package does not do: it decides nothing (capture/motion and the
// agent do), it seals nothing and sends nothing (uplink does).
package encode

import (
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Kind says what a Picture is.
type Kind uint8

// The kinds of Picture.
const (
	Snapshot Kind = iota + 1 // one JPEG
	ClipPart                 // one part of a clip
	Recorded                 // one part of the recording
	Viewed                   // one part of live view
)

// String returns the word that travels in a seal.
func (k Kind) String() string {
	switch k {
	case Snapshot:
		return "snapshot"
	case ClipPart:
		return "clip"
	case Recorded:
		return "recording"
	case Viewed:
		return "view"
	}
	return "unknown"
}

// Cause says why a Picture was taken.
type Cause uint8

// The causes of a Picture.
const (
	CausePeriod  Cause = iota + 1 // the declared period came round
	CauseMotion                   // an event of the motion detector
	CauseRequest                  // a viewer asked
	CauseWatch                    // a viewer watches

	// The camera does not see any more what it was put up to see.
	CauseCovered
	CauseBlinded
	CauseDefocused
	CauseMoved
)

// String returns the word that travels in a seal.
func (c Cause) String() string {
	switch c {
	case CausePeriod:
		return "period"
	case CauseMotion:
		return "motion"
	case CauseRequest:
		return "request"
	case CauseWatch:
		return "watch"
	case CauseCovered:
		return "covered"
	case CauseBlinded:
		return "blinded"
	case CauseDefocused:
		return "defocused"
	case CauseMoved:
		return "moved"
	}
	return "unknown"
}

// Picture is a snapshot or one part of a clip, ready to be sealed. It owns its
// Data.
type Picture struct {
	Kind   Kind
	Media  string // media type of Data, for example "image/jpeg"
	Data   []byte
	Width  int
	Height int

	Taken time.Time     // wall clock of the first frame; meaningful only as far as the clock is
	Mono  time.Duration // Frame.Mono of the first frame

	Cause Cause
	Light capture.Light
	Event uint64 // event the picture belongs to, counted per boot; 0 for none
	Part  uint32 // part number within the event's clip, or the recording's take, from 0
	Last  bool   // the last part of that
	Clip  Clip   // of a ClipPart, and of a Recorded

	Things []Thing   // what was recognised in a Snapshot, the surest first
	Model  *[32]byte // SHA-256 of the model that looked; nil if none did

	Masks []byte // capture.Masks.Hash of the masks that are hidden in it; nil for none
	Nonce []byte // echo of the request that asked for this picture; nil for none
}

// Thing is something that was recognised in a Picture.
type Thing struct {
	Name       string
	Score      float64 // 0 to 1
	X, Y, W, H float64 // in fractions of the picture
}
