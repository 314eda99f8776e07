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
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/nodetest"
)

// node runs one of the scripts in testdata with arguments, and fails the test
// if it finds a disagreement.
func node(t *testing.T, script string, args ...string) {
	t.Helper()
	node, modules := nodetest.Tool(t, "node"), nodetest.Modules(t, "testdata")
	dir := t.TempDir()
	scripts, err := filepath.Glob(filepath.Join("testdata", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(scripts, filepath.Join("testdata", "package.json")) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{filepath.Join(dir, script)}, args...)...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the second opener does not agree: %v", err)
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
