package page

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// TestModuleIsKeptByContent: a second build of the same source compiles
// nothing, and what was kept is what was built.
func TestModuleIsKeptByContent(t *testing.T) {
	m, err := BuildModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := sourceKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := ReadModule(filepath.Join(cache, "sealcam", "opener", key))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept.Wasm, m.Wasm) || !bytes.Equal(kept.Glue, m.Glue) {
		t.Error("what is kept is not what was built")
	}
	if !bytes.HasPrefix(m.Wasm, []byte{0x1f, 0x8b}) || !bytes.Contains(m.Glue, []byte("class")) {
		t.Error("not a gzip file, or not a script")
	}
}

func TestNoGoCommand(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := BuildModule(t.Context())
	var m *moduleError
	if !errors.As(err, &m) || cli.HintOf(err) == "" {
		t.Errorf("without a go command: %v, hint %q", err, cli.HintOf(err))
	}
}

// TestOutsideTheTree: the go command is there, the source is not.
func TestOutsideTheTree(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := BuildModule(t.Context())
	if err == nil || cli.HintOf(err) == "" {
		t.Errorf("outside the tree: %v, hint %q", err, cli.HintOf(err))
	}
}

func TestModuleFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	m := &Module{Wasm: []byte("w"), Glue: []byte("g")}
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
	again, err := ReadModule(dir)
	if err != nil || string(again.Wasm) != "w" || string(again.Glue) != "g" {
		t.Errorf("%+v, %v", again, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
