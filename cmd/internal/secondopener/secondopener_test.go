// Package secondopener holds an opener of sealed messages that was written from
// uplink/seal/SPEC.md alone, in JavaScript, on WebCrypto and the npm package
// age-encryption (testdata/*.mjs), so that the format is not defined by one
// implementation. These tests run both over the published vectors and over
// random histories: they must agree in every verdict and every reason.
//
// What this package does not do: it is no part of the product. The page's
// opener is uplink/seal itself, as WebAssembly.
package secondopener

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/drill"
	"github.com/sealcam/sealcam/cmd/internal/nodetest"
)

// scripts puts the opener and what it needs into a directory.
func scripts(t *testing.T) (dir string) {
	t.Helper()
	modules, dir := nodetest.Modules(t, "testdata"), t.TempDir()
	all, err := filepath.Glob(filepath.Join("testdata", "*.mjs"))
	check(t, err)
	for _, path := range append(all, filepath.Join("testdata", "package.json")) {
		b, err := os.ReadFile(path)
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o644))
	}
	check(t, os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")))
	return dir
}

// node runs one of the scripts with arguments, and fails the test if it finds a
// disagreement.
func node(t *testing.T, script string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), nodetest.Tool(t, "node"), append([]string{filepath.Join(scripts(t), script)}, args...)...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the second opener does not agree: %v", err)
	}
}

// TestDrill puts the second opener through the drill, next to uplink/seal: what
// it shows and refuses, and why, is the same, delivery by delivery.
func TestDrill(t *testing.T) {
	c := drill.Config{Deliveries: 900, Sessions: 4, Households: 2, Cameras: 2, Seed: 11, Stderr: os.Stderr}
	ours, err := drill.Run(t.Context(), c)
	check(t, err)
	c.Exec = []string{nodetest.Tool(t, "node"), filepath.Join(scripts(t), "adapter.mjs")}
	theirs, err := drill.Run(t.Context(), c)
	check(t, err)
	if !theirs.Passed() {
		t.Errorf("%d shown wrongly, %d unaccounted for: %q", theirs.WrongShown, theirs.AuthenticUnaccounted, theirs.Examples)
	}
	for name, row := range ours.Attacks {
		row.Alarms = 0 // which the protocol does not tell
		if got := theirs.Attacks[name]; !reflect.DeepEqual(got, row) {
			t.Errorf("%s: the second opener had %v, uplink/seal %v", name, got, row)
		}
	}
	if ours.Clips.Shown == 0 || !reflect.DeepEqual(theirs.Clips, ours.Clips) {
		t.Errorf("clips as they came: the second opener had %v, uplink/seal %v", theirs.Clips, ours.Clips)
	}
	if theirs.AuthenticShown != ours.AuthenticShown {
		t.Errorf("it showed %d authentic messages, uplink/seal %d", theirs.AuthenticShown, ours.AuthenticShown)
	}
}

// TestVectors runs every published vector.
func TestVectors(t *testing.T) {
	vectors, err := filepath.Abs(filepath.Join("..", "..", "..", "uplink", "seal", "testdata", "vectors"))
	if err != nil {
		t.Fatal(err)
	}
	node(t, "vectors.mjs", vectors)
}
