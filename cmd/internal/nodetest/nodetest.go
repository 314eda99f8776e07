// Package nodetest is what tests that drive JavaScript share: the programs they
// need, and the npm packages that a lock file pins.
//
// What this package does not do: it is no part of the product; only tests
// import it. It installs nothing into the tree.
package nodetest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tool returns the path of the first of names that is installed, and ends the
// test if none is.
func Tool(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: make test-deps installs it, or names the command that does", names[0])
	return ""
}

// Modules installs what the package-lock.json in dir names into the user's
// cache, outside the tree, once for each version of that file. It returns the
// directory that holds node_modules.
func Modules(t testing.TB, dir string) string {
	t.Helper()
	npm := Tool(t, "npm")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	contents := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		contents[name] = b
		sum.Write(b)
	}
	target := filepath.Join(cache, "sealcam", "node-tests", hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(filepath.Join(target, "complete")); err == nil {
		return target
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range contents {
		if err := os.WriteFile(filepath.Join(target, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = target
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s\nthe npm registry has to be reached once; make test-deps does that", err, out)
	}
	if err := os.WriteFile(filepath.Join(target, "complete"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return target
}
