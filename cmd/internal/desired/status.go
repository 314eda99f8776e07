package desired

import (
	"fmt"
	"time"

	"github.com/sealcam/sealcam/uplink"
)

// Unfit says which of what holds could not be applied at this start, and why: the
// camera's own file has changed since. It lasts until it is said again.
func (b *Book) Unfit(why map[Target]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unfit = why
}

// Status returns what is known of each target, in the order of application.
func (b *Book) Status() (all []uplink.WantedSettings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.record.Targets {
		w := uplink.WantedSettings{For: string(e.For)}
		if e.Holds != nil {
			w.Version, w.By, w.Since = e.Holds.Version, e.Holds.By, e.Holds.Since
		}
		w.Newest, _ = e.newest()
		switch {
		case !b.groups(e.For):
			w.State = uplink.LeftGroup
		case e.Trial != nil:
			w.State = uplink.Trying
		case e.Next != nil:
			w.State = uplink.Waits
		case e.Fell != nil && (e.Holds == nil || e.Fell.Version > e.Holds.Version):
			w.State, w.Why = e.Fell.State, e.Fell.Why
		case b.unfit[e.For] != "":
			w.State, w.Why = uplink.Unfit, b.unfit[e.For]
		default:
			w.State = uplink.Applied
		}
		all = append(all, w)
	}
	return all
}

// Words says what of w asks for care, "" for nothing.
func Words(w uplink.WantedSettings) string {
	name := "settings " + VersionWords(w.Newest) + " for " + w.For
	if w.For == string(Camera) {
		name = "settings " + VersionWords(w.Newest) + " for this camera"
	}
	before := "; those from before hold"
	if w.Version == 0 {
		before = "; the camera's own hold"
	}
	switch w.State {
	case uplink.RolledBack:
		return name + " were rolled back: " + w.Why + before
	case uplink.Refused:
		return name + " cannot be used here: " + w.Why + before
	case uplink.Unfit:
		return name + " do not go together with the camera's own file any more, and are left out: " + w.Why
	}
	return ""
}

// VersionWords writes a version for people. Those that sealcam gives are the
// milliseconds since 1970 at which they were signed.
func VersionWords(v uint64) string {
	at := time.UnixMilli(int64(min(v, 1<<53)))
	if y := at.Year(); y < 2020 || y > 2200 {
		return fmt.Sprint(v)
	}
	return "of " + at.Local().Format(time.DateTime)
}
