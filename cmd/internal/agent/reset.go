package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/sealcam/sealcam/cmd/internal/lighting"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// resetMark is the file that says that a reset was begun. It is the first that
// is written and the last that goes, so that a power cut in between leaves
// neither half a camera nor an old spool under a new key.
const resetMark = "reset"

// ErrReset is what a part of the agent returns to have the camera reset: a
// button that was held long enough, an owner's command. Serve then ends the
// camera, destroys what it was, and starts a new one.
var ErrReset = uplink.ErrReset

// Reset makes the camera of the state directory a new one: it destroys its keys,
// whose it is, and all that it has stored. It is for a camera that does not run
// (ErrRunning); within one that does, a part returns ErrReset.
//
// Keys are overwritten before they are deleted. Flash and journalling file
// systems may keep an old copy all the same, until they need the space: the
// household has to remove the camera too.
func Reset(s Settings) error {
	unlock, err := lockState(s.State)
	if err != nil {
		return err
	}
	defer unlock()
	return destroy(s)
}

// destroy does what Reset says, for the holder of the lock.
func destroy(s Settings) error {
	state := s.State
	mark := filepath.Join(state, resetMark)
	f, err := os.OpenFile(mark, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close(), syncDir(state)); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	if err := errors.Join(
		identity.ResetCamera(filepath.Join(state, IdentityDir)),
		os.RemoveAll(filepath.Join(state, SpoolDir)),
		destroyRecordings(s.recordDir()),
		os.RemoveAll(filepath.Join(state, PrivacyFile)),
		os.RemoveAll(filepath.Join(state, WantedFile)),
		os.RemoveAll(filepath.Join(state, lighting.TraceName)), // when lamps were lit in a home
		os.RemoveAll(filepath.Join(state, lighting.OldTraceName)),
		syncDir(state),
	); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return errors.Join(os.Remove(mark), syncDir(state))
}

// destroyRecordings removes what cameras have recorded in dir, whoever they were:
// a card goes with its camera. One that is not in its slot keeps what it has.
func destroyRecordings(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if _, bad := seal.ParseCameraID(e.Name()); bad == nil {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// finishReset goes on with a reset that the power cut off.
func finishReset(s Settings, log *slog.Logger) error {
	_, err := os.Lstat(filepath.Join(s.State, resetMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	log.Warn("a reset had been begun: it is finished now")
	return destroy(s)
}

// syncDir makes what was made or removed in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
