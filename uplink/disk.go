package uplink

import (
	"errors"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
)

// diskTrouble remembers why the disk took a message last time it did not. A disk
// that is nearly full takes what is small and not what is large, so the trouble is
// told until there was none for a while.
type diskTrouble struct {
	reason error // one of spool's; nil for none
	hint   string
	at     time.Duration
}

// note takes what became of storing a message at the monotonic time now. A budget
// that is full of what is more important is no trouble of the disk.
func (d *diskTrouble) note(err error, now time.Duration) {
	var e *spool.Error
	if errors.As(err, &e) && !errors.Is(err, spool.ErrBudget) {
		d.reason, d.hint, d.at = e.Reason, e.Hint(), now
	}
}

// words returns the trouble in a sentence without figures, "" if there is none.
func (d *diskTrouble) words(now time.Duration) string {
	if d.reason == nil || now-d.at >= troubleFor {
		return ""
	}
	words := "pictures are not stored, and are lost unless somebody watches: " + d.reason.Error()
	if d.hint != "" {
		words += " (" + d.hint + ")"
	}
	return words
}
