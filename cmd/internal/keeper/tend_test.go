package keeper

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// asked returns what a camera is asked for in one round, of which all is sent.
func (t *tending) asked(c store.Camera, now time.Time) (all []string) {
	for _, e := range t.plan(c, now, 0) {
		if e.command.Verb == seal.VerbResend {
			to := fmt.Sprint(e.command.To)
			if e.command.To == seal.MaxSeq {
				to = ""
			}
			all = append(all, fmt.Sprintf("%d-%s", e.command.From, to))
		}
		if e.sent != nil {
			e.sent()
		}
	}
	return all
}

// What a keeper has missed it asks for, also when something newer has been stored
// before it came to ask: of a camera that it had nothing of, that is all before the
// first; of another, the gap shows in its list.
func TestMissedIsAskedFor(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := &seal.Roster{Household: "h", Cameras: []seal.RosterCamera{{ID: "c"}}}
	arrives := func(t *tending, seqs ...uint64) {
		for _, seq := range seqs {
			t.arrived(seal.Visible{Camera: "c", Household: "h", Stream: seal.Durable, Seq: seq})
		}
	}
	for name, test := range map[string]struct {
		arrive      []uint64
		first, last uint64 // that the store has
		want        []string
	}{
		"nothing came since":     {nil, 0, 0, []string{"1-"}},
		"the third came first":   {[]uint64{4, 3}, 3, 4, []string{"1-2", "5-"}},
		"the first came":         {[]uint64{1, 2}, 1, 2, []string{"3-"}},
		"kept since before":      {[]uint64{9}, 2, 9, []string{"10-"}},
		"nothing of it was kept": {[]uint64{3}, 0, 3, []string{"4-"}}, // the owner has deleted all
	} {
		tending := newTending()
		tending.missed(r)
		arrives(tending, test.arrive...)
		c := store.Camera{ID: "c", First: test.first, Last: test.last}
		if got := tending.asked(c, now); !slices.Equal(got, test.want) {
			t.Errorf("%s: asks for %v, want %v", name, got, test.want)
		}
		if got := tending.asked(c, now); len(got) != 0 {
			t.Errorf("%s: asks again for %v", name, got)
		}
		tending.missed(r) // the connection was lost
		if got := tending.asked(c, now); len(got) != 1 {
			t.Errorf("%s: asks after a new connection for %v", name, got)
		}
	}
}
