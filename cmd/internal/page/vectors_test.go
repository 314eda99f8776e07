package page

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/nodetest"
)

// TestVectors runs the published vectors of the seal through the opener that
// browsers get, in node.
func TestVectors(t *testing.T) {
	node := nodetest.Tool(t, "node")
	m, err := BuildModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
	vectors := filepath.Join("..", "..", "..", "uplink", "seal", "testdata", "vectors")
	out, err := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "browser", "vectors.mjs"), dir, vectors).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the opener for browsers does not agree with the vectors: %v", err)
	}
}

// TestScripts runs the tests of the page's scripts in node, as modules.
func TestScripts(t *testing.T) {
	node := nodetest.Tool(t, "node")
	dir := t.TempDir()
	if err := os.CopyFS(dir, web); err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile(filepath.Join("testdata", "browser", "unit.test.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"unit.test.mjs": test, "package.json": []byte(`{"type":"module"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "--test", "unit.test.mjs")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
