package agent

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/lighting"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// lived returns the state directory of a camera that has something to destroy.
func lived(t *testing.T) (s Settings, id seal.CameraID) {
	t.Helper()
	s = Defaults()
	s.State = filepath.Join(t.TempDir(), "state")
	c, err := identity.OpenCamera(filepath.Join(s.State, IdentityDir))
	if err != nil {
		t.Fatal(err)
	}
	s.Recording.Directory = filepath.Join(s.State, "card")
	for _, name := range []string{"card/" + string(c.ID()) + "/1.rec", "spool/order/1", "spool/messages/" + string(c.ID()) + "/1", lighting.TraceName, lighting.OldTraceName, PrivacyFile, WantedFile} {
		path := filepath.Join(s.State, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("of the old home"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return s, c.ID()
}

// isNew checks that nothing in the state directory is of the camera id.
func isNew(t *testing.T, s Settings, id seal.CameraID) {
	t.Helper()
	err := filepath.WalkDir(s.State, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("of the old home")) || strings.Contains(path, string(id)) || d.Name() == resetMark {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := identity.OpenCamera(filepath.Join(s.State, IdentityDir)); err != nil || c.ID() == id || c.Claimed() {
		t.Errorf("the old camera, or none: %v", err)
	}
}

func TestReset(t *testing.T) {
	s, id := lived(t)
	unlock, err := lockState(s.State)
	if err != nil {
		t.Fatal(err)
	}
	if err := Reset(s); !errors.Is(err, ErrRunning) {
		t.Errorf("of a camera that runs: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := Reset(s); err != nil {
		t.Fatal(err)
	}
	isNew(t, s, id)
	if err := Reset(s); err != nil {
		t.Errorf("again: %v", err)
	}
}

// Wherever the power fails within a reset, the next start finishes it: neither
// is the old key left with an empty spool, nor an old spool under a new key.
func TestResetThatThePowerCutOff(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, gone := range map[string][]string{
		"before anything": nil,
		"within the keys": {IdentityDir + "/camera.key"},
		"after the keys":  {IdentityDir},
		"after the spool": {IdentityDir, SpoolDir},
	} {
		s, id := lived(t)
		if err := os.WriteFile(filepath.Join(s.State, resetMark), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range gone {
			if err := os.RemoveAll(filepath.Join(s.State, path)); err != nil {
				t.Fatal(err)
			}
		}
		if err := finishReset(s, log); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		isNew(t, s, id)
	}
	s, id := lived(t)
	if err := finishReset(s, log); err != nil {
		t.Fatal(err)
	}
	if c, err := identity.OpenCamera(filepath.Join(s.State, IdentityDir)); err != nil || c.ID() != id {
		t.Errorf("reset without a mark: %v", err)
	}
}
