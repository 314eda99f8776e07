package feed

import "github.com/sealcam/sealcam/uplink/seal"

// Archive is a Feed that also has what was published while nobody read it.
type Archive interface {
	Feed
	// Know tells the Feed, before Run, how to learn what its reader has of a camera:
	// all that is above, and what is missing below, comes by itself. Without it the
	// reader is one that has nothing.
	Know(func(seal.CameraID) Known)
	// Fill has the durable messages first..last of a camera brought once more, as
	// Items, as far as the archive has them, and does not wait for it. It is false
	// if there is nobody to ask now, or too much was asked for already. It is safe
	// for concurrent use.
	Fill(camera seal.CameraID, first, last uint64) bool
}

// Known is what a reader has of a camera.
type Known struct {
	Head uint64     // highest durable number, 0 for nothing
	Gaps []seal.Gap // missing below it, and may still come
}
