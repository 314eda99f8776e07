package encode

import "time"

// End says why a clip ended before its event and the seconds behind it did.
type End uint8

// The reasons.
const (
	EndWhole   End = iota // it did not: the clip is whole
	EndLongest            // it is as long as a clip may be
	EndCamera             // the camera gave no more frames
	EndFormat             // the camera changed its format in the middle
	EndStopped            // the agent was stopped
	EndNoKey              // no key frame came for so long that no further part could begin
)

// String returns the word that travels in a seal.
func (e End) String() string {
	switch e {
	case EndWhole:
		return "whole"
	case EndLongest:
		return "longest"
	case EndCamera:
		return "camera"
	case EndFormat:
		return "format"
	case EndStopped:
		return "stopped"
	case EndNoKey:
		return "no-key-frame"
	}
	return "unknown"
}

// Clip is what a part says of the clip that it belongs to.
type Clip struct {
	// PreRoll is how long after the clip's first frame its event began, on the
	// clip's own clock, the one of the parts' decode times.
	PreRoll time.Duration
	// Also are further events within the clip up to this part, at most MaxAlso of
	// them: they began before it was over, and have no clip of their own.
	Also []uint64
	// Ended is why the clip ended early. It is said in the last part.
	Ended End
	// Length is how long this part is.
	Length time.Duration
}

// MaxAlso bounds Clip.Also; later events go unnamed.
const MaxAlso = 8

// Moment is one instant on all clocks.
type Moment struct {
	Frame time.Duration // Frame.Mono
	Mono  time.Duration // the camera's monotonic clock, as in Picture.Mono
	Wall  time.Time
}

// plan is a clip that is to be cut. The times of plan are Frame.Mono.
type plan struct {
	event   uint64
	also    []uint64
	began   Moment        // when the event was found
	start   time.Duration // when it began, a little earlier
	end     time.Duration // of the clip, as far as is known; grows while the event goes on
	longest time.Duration
	going   bool   // the event goes on
	held    bool   // until its snapshot is on its way
	first   uint64 // number of its first frame
	take    uint64
	cut     End // the clip is to end with the frames there are
}

// CutterConfig is how clips are cut.
type CutterConfig struct {
	Before  time.Duration // pre-roll
	After   time.Duration // post-roll, and how close events have to follow to be one clip
	Longest time.Duration // length of a clip at most, pre-roll included
}

// maxPlans is how many clips may wait for the disk.
const maxPlans = 4
