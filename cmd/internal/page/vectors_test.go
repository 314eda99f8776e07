package page

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/nodetest"
)

// TestVectors runs the published vectors of the seal through the opener that
// browsers get, and through uplink/seal's own runner compiled in the same way:
// in node, and in headless Chromium.
func TestVectors(t *testing.T) {
	site, vectors := vectorSite(t)
	node := nodetest.Tool(t, "node")
	script := func(name string) string {
		path, err := filepath.Abs(filepath.Join("testdata", "browser", name))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("node", func(t *testing.T) {
		judgeVectors(t, vectors, exec.CommandContext(t.Context(), node, script("vectors_node.mjs"), site))
	})
	t.Run("Chromium", func(t *testing.T) {
		if testing.Short() {
			t.Skip("needs Chromium; run without -short")
		}
		srv := httptest.NewServer(http.FileServer(http.Dir(site)))
		t.Cleanup(srv.Close)
		chromium := nodetest.Tool(t, "chromium", "chromium-browser", "google-chrome")
		cmd := exec.CommandContext(t.Context(), node, script("vectors_chromium.mjs"), srv.URL, chromium)
		cmd.Env = append(os.Environ(), "SEALCAM_MODULES="+nodetest.Modules(t, filepath.Join("testdata", "browser")))
		judgeVectors(t, vectors, cmd)
	})
}

// vectorSite makes a folder with everything that a browser needs to run the
// vectors, and returns how many there are.
func vectorSite(t *testing.T) (dir string, vectors int) {
	t.Helper()
	m, err := BuildModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "all.wasm"), "./testdata/allvectors")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	z, err := gzip.NewReader(bytes.NewReader(m.Wasm))
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := os.ReadFile(filepath.Join("testdata", "browser", "vectors.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "uplink", "seal", "testdata", "vectors", "*"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		if filepath.Base(path) == "README.md" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(text)
	}
	list, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"index.html": []byte("<!doctype html><title>vectors</title><link rel=icon href=data:,>"),
		"seal.wasm":  wasm, "wasm_exec.js": m.Glue, "vectors.mjs": runner, "vectors.json": list,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, len(texts)
}

// judgeVectors demands that the command ran all vectors, and that most of them
// were for the page's opener.
func judgeVectors(t *testing.T, vectors int, cmd *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &said)
	}
	type outcome struct {
		Passed int
		Failed []string
	}
	var got struct {
		Agent     string
		Page, All outcome
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%d vectors through the page's opener, %d through the runner  %s", got.Page.Passed, got.All.Passed, got.Agent)
	for _, f := range append(got.Page.Failed, got.All.Failed...) {
		t.Errorf("the opener for browsers does not agree: %s", f)
	}
	if got.All.Passed+len(got.All.Failed) != vectors || got.Page.Passed+len(got.Page.Failed) < vectors*2/3 { // what cameras and keepers are told it does not read
		t.Errorf("of %d vectors %d ran, and %d through the page's opener", vectors, got.All.Passed, got.Page.Passed)
	}
}

// TestScripts runs the tests of the page's scripts in node, as modules.
func TestScripts(t *testing.T) {
	node := nodetest.Tool(t, "node")
	dir := t.TempDir()
	if err := os.CopyFS(dir, web); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"package.json": []byte(`{"type":"module"}`)}
	run := []string{"--test"}
	for _, name := range []string{"unit.test.mjs", "clip.test.mjs"} {
		test, err := os.ReadFile(filepath.Join("testdata", "browser", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = test
		run = append(run, name)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, run...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
