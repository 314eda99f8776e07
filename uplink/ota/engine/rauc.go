package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sealcam/sealcam/uplink/ota"
)

// RAUC is a board with RAUC (rauc.io), driven by its command line; its service
// has to run. A release is a bundle, which RAUC checks by its own keyring too. Its
// boot loader has to count attempts (boot-attempts, and mark-good by nobody but
// this program: no rauc-mark-good service), for that is what ends a trial that hangs.
type RAUC struct{ Runner }

// Booted implements Backend. It returns the boot name, such as "A".
func (r RAUC) Booted(ctx context.Context) (string, error) {
	out, err := r.run(ctx, asking, "rauc", "status", "--output-format=json")
	if err != nil {
		return "", err
	}
	var st struct {
		Booted string `json:"booted"`
	}
	if err := json.Unmarshal(out, &st); err != nil {
		return "", fmt.Errorf("rauc status: %w: %q", err, clip(out))
	}
	if st.Booted == "" {
		return "", errors.New("rauc does not know which slot runs (is rauc.slot= on the kernel's command line?)")
	}
	return st.Booted, nil
}

// Write implements Backend. RAUC makes what it installs the slot of the next start;
// that is taken back until Activate.
func (r RAUC) Write(ctx context.Context, _ ota.Release, path string) error {
	if _, err := r.run(ctx, installing, "rauc", "install", path); err != nil {
		return err
	}
	return r.mark(ctx, "active", "booted")
}

// Activate implements Backend.
func (r RAUC) Activate(ctx context.Context) error { return r.mark(ctx, "active", "other") }

// Good implements Backend.
func (r RAUC) Good(ctx context.Context) error { return r.mark(ctx, "good", "booted") }

// Bad implements Backend.
func (r RAUC) Bad(ctx context.Context) error {
	return errors.Join(r.mark(ctx, "active", "other"), r.mark(ctx, "bad", "booted"))
}

func (r RAUC) mark(ctx context.Context, as, slot string) error {
	_, err := r.run(ctx, asking, "rauc", "status", "mark-"+as, slot)
	return err
}
