package bench

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
)

// house is a household on the bench with one camera in it.
type house struct {
	*identity.Household
	camera *identity.Camera
	name   string // the household's label of the camera
}

// newHouse makes a household in dir and a new camera that its roster names.
func newHouse(dir, name string) (*house, error) {
	h, err := identity.CreateHousehold(filepath.Join(dir, "household"), "", time.Now)
	if err != nil {
		return nil, err
	}
	c, err := identity.OpenCamera(filepath.Join(dir, "camera"))
	if err != nil {
		return nil, err
	}
	if err := h.AddCamera(c.ID(), name); err != nil {
		return nil, err
	}
	return &house{h, c, name}, nil
}

// trust returns the authorities of all houses: the bench's broker serves them
// all, as a cloud's broker would.
func trust(houses ...*house) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, h := range houses {
		if !pool.AppendCertsFromPEM(h.Authority()) {
			return nil, fmt.Errorf("the authority of household %s is not a certificate", h.ID())
		}
	}
	return pool, nil
}
