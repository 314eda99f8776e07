package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A module whose mistakes depend on where it shall run: each is found there, in
// tests too, and nowhere else.
func TestFindsWhatACompilerFinds(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":        "module example.org/m\n\ngo 1.26\n",
		"large.go":      "package m\n\nimport \"time\"\n\nvar large int = 1 << 40\n\nvar _ = time.Now\n",
		"large_test.go": "package m\n\nimport \"testing\"\n\nfunc TestLarge(t *testing.T) { var n int = 3 << 40; _ = n }\n",
		"sys/sys.go":    "package sys\n\nimport \"syscall\"\n\nfunc Stop() error { return syscall.Kill(1, syscall.SIGSTOP) }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		system, processor string
		want              []string
	}{
		{"linux", "amd64", nil},
		{"linux", "arm", []string{"large.go", "large_test.go"}},
		{"windows", "amd64", []string{"sys.go"}},
	} {
		n, mistakes, err := check(dir, c.system, c.processor, []string{"./..."})
		if err != nil || n < 2 {
			t.Fatalf("%s/%s: %d packages, %v", c.system, c.processor, n, err)
		}
		found := make(map[string]bool)
		for _, m := range mistakes {
			found[filepath.Base(strings.SplitN(m.Pos, ":", 2)[0])] = true
		}
		if len(found) != len(c.want) {
			t.Errorf("%s/%s: %v, want mistakes in %q", c.system, c.processor, mistakes, c.want)
		}
		for _, name := range c.want {
			if !found[name] {
				t.Errorf("%s/%s: nothing said of %s: %v", c.system, c.processor, name, mistakes)
			}
		}
	}
}

// What cannot be looked at is not taken for good.
func TestNothingToLookAt(t *testing.T) {
	for _, target := range []string{"linux/arm", "linux=./...", "linux/arm=./no/such/package"} {
		var said bytes.Buffer
		if exit := run([]string{target}, &said, &said); exit == 0 {
			t.Errorf("%s: exit 0\n%s", target, &said)
		}
	}
}
