package jetstream

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// What operators add meets in the bucket, whichever keeper heard of which addition.
func TestAdditionsMeet(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "")
	a, _ := open(t, c.config(t, "a"))
	b, _ := open(t, c.config(t, "b"))
	h := newHouse(t, 1)
	operator, err := seal.NewViewerKey(rand.Reader)
	check(t, err)
	v := operator.Public()
	v.Name, v.Roles = "operator", seal.MayWatch|seal.MayAdd
	next := *h.roster
	next.Version, next.Viewers = 2, append(next.Viewers, v)
	signed, err := seal.SignRoster(h.owner, next)
	check(t, err)
	base, err := seal.OpenRoster(h.id, signed)
	check(t, err)
	with := func() []byte {
		camera, err := seal.CameraIDOf(newKey(t).Public())
		check(t, err)
		addition, err := seal.SignAddition(operator.Signer(), seal.Addition{
			Household: h.id, Roster: 2, Camera: seal.RosterCamera{ID: camera, Name: "new"}, Issued: time.Now().Truncate(time.Second),
		})
		check(t, err)
		more, err := base.Add(addition)
		check(t, err)
		return more.Signed()
	}
	for _, step := range []struct {
		e       *Engine
		roster  []byte
		cameras int
	}{{a, signed, 1}, {a, with(), 2}, {b, with(), 3}, {b, signed, 3}, {a, h.signed, 3}} {
		check(t, step.e.SetRoster(t.Context(), h.id, step.roster))
		check(t, a.Rosters(t.Context(), func(id seal.HouseholdID, text []byte) error {
			r, err := seal.OpenRoster(id, text)
			if err == nil && len(r.Cameras) != step.cameras {
				t.Errorf("%d cameras, want %d", len(r.Cameras), step.cameras)
			}
			return err
		}))
	}
}
