package capture

import (
	"maps"
	"sync"
	"time"
)

// Stats is what a Loop counted since it was made.
type Stats struct {
	Connected bool   // good frames arrive
	Format    Format // of the last good frame
	Frames    uint64 // good frames, handed on
	Dropped   uint64 // frames lost before they reached us: gaps in Frame.Seq
	Reopened  uint64 // times frames came again after the camera was lost

	// Bad counts unusable frames by BadFrame.Reason. Frames counted as "doubled"
	// were handed on: only the second JPEG in their buffer was lost.
	Bad map[string]uint64

	LastFrame time.Time // when the last good frame came; zero before the first
	LastError string    // why the camera was last lost; "" while it never was
}

// tally keeps Stats for the Loop's goroutine and its readers.
type tally struct {
	mu sync.Mutex
	s  Stats
}

// snapshot returns a copy that the caller owns.
func (t *tally) snapshot() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.s
	s.Bad = maps.Clone(t.s.Bad)
	return s
}

// good counts a frame that is handed on, and the gap in front of it.
func (t *tally) good(f *Frame, lost uint64, at time.Time) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = !t.s.Connected
	if first && t.s.Frames > 0 {
		t.s.Reopened++
	}
	t.s.Connected, t.s.Format, t.s.LastFrame = true, f.Format, at
	t.s.Frames++
	t.s.Dropped += lost
	return first
}

// bad counts an unusable frame, and reports whether it is the first for reason.
func (t *tally) bad(reason string) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.s.Bad == nil {
		t.s.Bad = make(map[string]uint64)
	}
	t.s.Bad[reason]++
	return t.s.Bad[reason] == 1
}

// lost notes that the camera is to be opened again.
func (t *tally) lost(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.s.Connected, t.s.LastError = false, err.Error()
}
