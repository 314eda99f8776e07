package capture

import "errors"

// SourceError says why a source of frames cannot be used, in the words of who
// named it: which source, what is wrong, what it offers and what to try. All
// sources of sealcam fail with it when they are opened or lost.
type SourceError struct {
	Source string // as it was named: "/dev/video0", "walk.avi"
	Err    error  // one of this package's errors, or what the system said
	Offers string // what it offers instead; may be empty
	Try    string // what to do about it; may be empty
}

// Error returns for example "/dev/video0: no usable format; it offers H264 1920x1080".
func (e *SourceError) Error() string {
	s := e.Source + ": " + e.Err.Error()
	if e.Offers != "" {
		s += "; it offers " + e.Offers
	}
	return s
}

// Unwrap returns what is wrong.
func (e *SourceError) Unwrap() error { return e.Err }

// Hint returns what to do about it, or "".
func (e *SourceError) Hint() string { return e.Try }

// hintOf returns the first hint in err's tree, or "".
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
