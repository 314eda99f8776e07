//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Home is a household on the host, with its broker: what a guest's sealcamd
// belongs to and talks to.
type Home struct {
	Household string // directory, with one viewer: "lab"
	Broker    *Broker

	dir   string
	owner *identity.Household
}

// homeViewer is the one viewer of a Home.
const homeViewer = "lab"

// NewHome makes a household below dir and starts its broker, which guests
// reach at Host and programs of the host at 127.0.0.1. The end of ctx ends the
// broker.
func NewHome(ctx context.Context, dir string) (*Home, error) {
	h := &Home{dir: dir, Household: filepath.Join(dir, "household")}
	var err error
	if h.owner, err = identity.CreateHousehold(h.Household, "", time.Now); err != nil {
		return nil, err
	}
	if _, err := h.owner.AddViewer(homeViewer); err != nil {
		return nil, err
	}
	cert, key, err := h.owner.IssueServer(Host, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	broker := filepath.Join(dir, "broker")
	if err := os.Mkdir(broker, 0o700); err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{"authority.crt": h.owner.Authority(), "server.crt": cert, "server.key": key} {
		if err := os.WriteFile(filepath.Join(broker, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	if h.Broker, err = StartBroker(ctx, broker, []string{identity.ViewerPrefix + homeViewer}); err != nil {
		return nil, err
	}
	return h, h.owner.SetBroker(fmt.Sprintf("mqtts://%s:%d", Host, h.Broker.Port))
}

// URL returns the broker's address for programs of the host.
func (h *Home) URL() string { return fmt.Sprintf("mqtts://127.0.0.1:%d", h.Broker.Port) }

// Camera is a camera of a Home: what a guest needs to be it.
type Camera struct {
	ID    seal.CameraID
	Files map[string]string // for Guest.Files: sealcamd, and the paired identity below cameraDir
}

// cameraDir is where a guest finds the identity that the household paired.
const cameraDir = "/lab/camera"

// NewCamera makes a camera that belongs to the household, and builds its
// sealcamd.
func (h *Home) NewCamera(ctx context.Context, name string, arch Arch) (*Camera, error) {
	dir := filepath.Join(h.dir, "camera-"+name)
	paired, err := identity.OpenCamera(dir)
	if err != nil {
		return nil, err
	}
	request, err := paired.CertificateRequest()
	if err != nil {
		return nil, err
	}
	if err := h.owner.AddCamera(paired.ID(), name); err != nil {
		return nil, err
	}
	pairing, err := h.owner.Pair(paired.ID(), request)
	if err != nil {
		return nil, err
	}
	if err := paired.Claim(pairing); err != nil {
		return nil, err
	}
	c := &Camera{ID: paired.ID(), Files: make(map[string]string)}
	if c.Files["/bin/sealcamd"], err = Build(ctx, arch, "cmd/sealcamd"); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			c.Files[filepath.Join(cameraDir, e.Name())] = filepath.Join(dir, e.Name())
		}
	}
	return c, nil
}
