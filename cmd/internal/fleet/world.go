package fleet

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// world is where the households and cameras of a run are on disk.
type world struct{ Config }

func (w world) home(i int) string   { return filepath.Join(w.Dir, "homes", fmt.Sprintf("%06d", i)) }
func (w world) camera(i int) string { return filepath.Join(w.Dir, "cameras", fmt.Sprintf("%06d", i)) }
func (w world) spool(i int) string  { return filepath.Join(w.Dir, "spools", fmt.Sprintf("%06d", i)) }
func (w world) kept() string        { return filepath.Join(w.Dir, "kept") }

// operator is who runs the broker: a household of no camera, whose authority is
// the fleet's.
func (w world) operator() string { return filepath.Join(w.Dir, "operator") }

// viewerName is the viewer that every household has; readerName is one more that
// households have who are watched, if a keeper lies to them.
const (
	viewerName = "judge"
	readerName = "reader"
)

// make makes all keys, and the households that know them. done is told how many
// cameras there are.
func (w world) make(ctx context.Context, done func(int)) error {
	key, cert, keeper, err := w.authority()
	if err == nil && w.Broker != "" {
		key, cert, err = w.trusted()
	}
	if err != nil {
		return err
	}
	var made, next atomic.Int64
	var fail error
	var once sync.Once
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for ctx.Err() == nil {
				home := int(next.Add(1)) - 1
				if home >= w.Homes() {
					return
				}
				n, err := w.makeHome(home, key, cert, keeper)
				if err != nil {
					once.Do(func() { fail = err; stop() })
				}
				done(int(made.Add(int64(n))))
			}
		})
	}
	workers.Wait()
	if fail != nil {
		return fail
	}
	return ctx.Err()
}

// keeperName is what every household calls its keeper.
const keeperName = "keeper"

// authority makes what every certificate of the run is signed with, and the keeper
// that all households share.
func (w world) authority() (key, cert []byte, k seal.Keeper, err error) {
	h, err := identity.CreateHousehold(w.operator(), "", time.Now)
	if err != nil {
		return nil, nil, k, err
	}
	if _, err := h.AddKeeper(keeperName, "", "127.0.0.1"); err != nil {
		return nil, nil, k, err
	}
	r, _, err := h.Roster()
	if err != nil {
		return nil, nil, k, err
	}
	key, err = os.ReadFile(filepath.Join(w.operator(), "ca.key"))
	return key, h.Authority(), r.Keepers[0], err
}

// trusted returns the authority that the broker of w.Broker trusts.
func (w world) trusted() (key, cert []byte, err error) {
	h, err := identity.OpenHousehold(w.Household, time.Now)
	if err != nil {
		return nil, nil, err
	}
	key, err = os.ReadFile(filepath.Join(w.Household, "ca.key"))
	return key, h.Authority(), err
}

// makeHome makes one household with its viewer and its cameras.
func (w world) makeHome(home int, key, cert []byte, keeper seal.Keeper) (cameras int, err error) {
	h, err := identity.CreateHouseholdUnder(w.home(home), "", key, cert, time.Now)
	if err != nil {
		return 0, err
	}
	if _, err := h.AddViewer(viewerName); err != nil {
		return 0, err
	}
	if home < w.Watched && slices.Contains(w.Faults, faultLiar) {
		if _, err := h.AddViewer(readerName); err != nil {
			return 0, err
		}
	}
	if err := h.EnrollKeeper(keeper); err != nil {
		return 0, err
	}
	first := home * w.PerHome
	last := min(first+w.PerHome, w.Cameras)
	var all []*identity.Camera
	for i := first; i < last; i++ {
		c, err := identity.OpenCamera(w.camera(i))
		if err != nil {
			return 0, err
		}
		if err := h.AddCamera(c.ID(), fmt.Sprintf("camera %d", i)); err != nil {
			return 0, err
		}
		all = append(all, c)
	}
	for _, c := range all {
		if err := h.Adopt(c); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// serverTLS is how whoever serves in this run shows who it is.
func (w world) serverTLS() (*tls.Config, error) {
	operator, err := identity.OpenHousehold(w.operator(), time.Now)
	if err != nil {
		return nil, err
	}
	return operator.ServerTLS(loopback)
}

// watcherTLS is how the judge reaches the broker: as the viewer of the first
// household.
func (w world) watcherTLS() (*tls.Config, error) {
	v, err := identity.OpenViewer(w.home(0), viewerName)
	if err != nil {
		return nil, err
	}
	return v.TLS(), nil
}
