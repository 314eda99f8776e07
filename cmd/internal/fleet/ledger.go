package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// account is what one side knows of one camera.
type account struct {
	// Of the camera:
	Number       int               `json:",omitempty"`
	Head         uint64            `json:",omitempty"` // newest durable number
	Waiting      uint64            `json:",omitempty"`
	Acknowledged uint64            `json:",omitempty"` // still stored, and nobody has receipted it
	Dropped      uint64            `json:",omitempty"` // given up for want of space, and confessed
	Told         uint64            `json:",omitempty"` // up to where receipts reach
	Refusals     map[string]uint64 `json:",omitempty"`

	// Of the keeper:
	Count   uint64       `json:",omitempty"` // distinct durable numbers that arrived
	Last    uint64       `json:",omitempty"` // the highest of them
	Missing []seal.Range `json:",omitempty"` // between them
}

// tally is both sides of a moment, by camera.
type tally struct{ sent, kept map[string]*account }

// of returns what both sides know of a camera. What one does not know it has none of.
func (t *tally) of(id string) (sent, kept account) {
	if t == nil {
		return sent, kept
	}
	if a := t.sent[id]; a != nil {
		sent = *a
	}
	if a := t.kept[id]; a != nil {
		kept = *a
	}
	return sent, kept
}

// torn is how many of its messages a camera takes for sent, and nobody has.
func (t *tally) torn(id string) uint64 {
	sent, kept := t.of(id)
	return sent.Head - min(kept.Count+sent.Waiting, sent.Head)
}

// Unkept is a camera with messages that are neither kept nor waiting at the end:
// who had them, and when.
type Unkept struct {
	Camera    int               `json:"camera"`
	Clock     string            `json:"clock"`
	Sequences []seal.Range      `json:"sequences"`
	Sealed    uint64            `json:"sealed"`      // up to which number
	Told      uint64            `json:"receipted"`   // to the camera, up to which
	Refusals  map[string]uint64 `json:"refusals"`    // by this camera
	Before    uint64            `json:"sealed_then"` // up to which number, when the broker was killed
	KeptThen  uint64            `json:"kept_then"`   // the highest number, at that moment
	Torn      uint64            `json:"torn_then"`   // as Report.Torn, of this camera
}

// String is a line about the camera.
func (u Unkept) String() string {
	return fmt.Sprintf("camera %d, clock %s: %v of %d are not kept, it refused %s; at the kill it had sealed %d, of which %d were acknowledged and not kept",
		u.Camera, u.Clock, ranges(u.Sequences), u.Sealed, words(u.Refusals), u.Before, u.Torn)
}

func ranges(all []seal.Range) string {
	var words []string
	for _, r := range all {
		words = append(words, fmt.Sprintf("%d..%d", r.First, r.Last))
	}
	return strings.Join(words, ", ")
}

// settle compares what cameras sealed with what arrived.
func (r *Report) settle(end *tally, w world) {
	for id, c := range end.sent {
		_, kept := end.of(id)
		r.Sealed += c.Head
		r.Arrived += kept.Count
		r.Waiting += c.Waiting
		r.Dropped += c.Dropped
		r.Torn += r.atKill.torn(id)
		missing := end.torn(id)
		r.Doubtful += min(missing, c.Acknowledged)
		r.Lost += missing - min(missing, c.Acknowledged)
		if missing > 0 {
			r.Unkept = append(r.Unkept, r.unkept(id, end, w))
		}
	}
	slices.SortFunc(r.Unkept, func(a, b Unkept) int { return a.Camera - b.Camera })
}

// settleSent adds up what cameras sent to a broker that is not of the run: what has
// become of it there nobody says.
func (r *Report) settleSent(cameras map[string]*account) {
	for _, c := range cameras {
		r.Sealed += c.Head
		r.Acknowledged += c.Acknowledged
		r.Waiting += c.Waiting
		r.Dropped += c.Dropped
		r.Lost += c.Head - min(c.Acknowledged+c.Waiting+c.Dropped, c.Head)
	}
}

// unkept tells of one camera.
func (r *Report) unkept(id string, end *tally, w world) Unkept {
	c, kept := end.of(id)
	then, keptThen := r.atKill.of(id)
	u := Unkept{
		Camera: c.Number, Clock: w.clockWords(c.Number), Sequences: slices.Clone(kept.Missing), Sealed: c.Head, Told: c.Told,
		Refusals: c.Refusals, Before: then.Head, KeptThen: keptThen.Last, Torn: r.atKill.torn(id),
	}
	if kept.Last < c.Head {
		u.Sequences = append(u.Sequences, seal.Range{First: kept.Last + 1, Last: c.Head})
	}
	return u
}

// clockWords says how a camera's clock is.
func (c Config) clockWords(i int) string {
	off, lost := c.clockError(i)
	switch {
	case lost:
		return "since 1970"
	case off == 0:
		return "right"
	}
	return strings.TrimSuffix(off.Round(time.Minute).String(), "0s")
}
