package identity_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/identity"
)

// What a power cut leaves beside a file that was being replaced changes
// nothing, and is no hindrance later.
func TestHalfWrittenFilesAreNoHindrance(t *testing.T) {
	h := newHousehold(t)
	c, dir := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"roster.new", "guard.new", "pairing.json.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("hal"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again := openCamera(t, dir)
	if !again.Claimed() {
		t.Error("claim lost")
	}
	if err := again.SetGuardState([]byte("x")); err != nil {
		t.Error(err)
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	h := newHousehold(t)
	for _, file := range []string{"pairing.json", "roster"} {
		c, dir := newCamera(t)
		if err := c.Claim(pair(t, h, c, file)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data[:len(data)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = identity.OpenCamera(dir)
		var damaged *identity.DamagedError
		if !errors.As(err, &damaged) || damaged.Path != path || !strings.Contains(damaged.Hint(), dir) {
			t.Errorf("half of %s: %v", file, err)
		}
	}
}

func TestSecretsThatOthersCanReadAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits; the package does not look at them there")
	}
	c, dir := newCamera(t)
	for _, name := range []string{"camera.key", "tls.key"} {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s was written with mode %v, %v", name, st.Mode(), err)
		}
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o666} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			_, err := identity.OpenCamera(dir)
			var open *identity.PermissionError
			if !errors.As(err, &open) || open.Hint() != "chmod 600 "+path {
				t.Errorf("%s with mode %v: %v", name, mode, err)
			}
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := identity.OpenCamera(dir)
	var open *identity.PermissionError
	if !errors.As(err, &open) || open.Hint() != "chmod 700 "+dir {
		t.Errorf("directory open to all: %v", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if again := openCamera(t, dir); again.ID() != c.ID() {
		t.Error("another camera")
	}
}

// Only root could read another's secret, and what it wrote beside it the other
// could not read.
func TestSecretsOfOthersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away, and only root has to be refused")
	}
	_, dir := newCamera(t)
	path := filepath.Join(dir, "camera.key")
	if err := os.Chown(path, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	_, err := identity.OpenCamera(dir)
	var other *identity.OwnerError
	if !errors.As(err, &other) || other.Owner != 4711 || other.Path != path || !strings.Contains(other.Hint(), "sudo -u '#4711'") {
		t.Errorf("%v", err)
	}
}

func TestPermissionHintQuotesThePath(t *testing.T) {
	e := &identity.PermissionError{Path: "/a b/it's; rm x", Want: 0o600}
	if got, want := e.Hint(), `chmod 600 '/a b/it'\''s; rm x'`; got != want {
		t.Errorf("hint %s, want %s", got, want)
	}
}

// A write that fails (disk full, here a name that cannot be written) changes
// neither the file nor what the camera believes.
func TestFailedWriteChangesNothing(t *testing.T) {
	h := newHousehold(t)
	c, dir := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "roster.new", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := h.AddCamera(openCamera(t, filepath.Join(t.TempDir(), "o")).ID(), "Door"); err != nil {
		t.Fatal(err)
	}
	_, newer, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetRoster(newer); err == nil {
		t.Fatal("no error")
	}
	if c.Roster().Version != 2 || openCamera(t, dir).Roster().Version != 2 {
		t.Errorf("roster %d in memory, %d in the file, want 2", c.Roster().Version, openCamera(t, dir).Roster().Version)
	}
	if err := os.RemoveAll(filepath.Join(dir, "roster.new")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetRoster(newer); err != nil || openCamera(t, dir).Roster().Version != 3 {
		t.Errorf("once it can be written: %v", err)
	}
}
