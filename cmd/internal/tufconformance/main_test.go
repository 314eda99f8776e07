package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf/repo"
)

// TestCommandLine drives the command as the suite does: a first root, a refresh, a
// download twice, of which the second asks the server for no file; then a
// repository that may not be followed.
func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	r, err := repo.Init(filepath.Join(dir, "repo"), repo.Options{RootKeys: 1, RootThreshold: 1}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	entry, err := r.Add(file, repo.Release{Kind: "agent", Version: "v1", Number: 1, Boards: []string{"*"}, Arch: "armv7", Channel: "stable", Share: 100})
	if err == nil {
		err = r.Publish()
	}
	if err != nil {
		t.Fatal(err)
	}
	handler, err := repo.Handler(filepath.Join(dir, "repo"))
	if err != nil {
		t.Fatal(err)
	}
	var targets atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/targets/") {
			targets.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	kept, got := filepath.Join(dir, "metadata"), filepath.Join(dir, "targets")
	for _, d := range []string{kept, got} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	do := func(good bool, args ...string) {
		t.Helper()
		if err := run(t.Context(), args, io.Discard); (err == nil) != good {
			t.Fatalf("%v: %v", args, err)
		}
	}
	url := server.URL + "/metadata/"
	do(true, "--metadata-dir", kept, "init", filepath.Join(dir, "repo/public/metadata/1.root.json"))
	do(true, "--metadata-dir", kept, "--metadata-url", url, "refresh")
	for _, role := range []string{"root", "timestamp", "snapshot", "targets"} {
		if _, err := os.Stat(filepath.Join(kept, role+".json")); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		do(true, "--metadata-dir", kept, "--metadata-url", url, "--target-name", entry.Path, "--target-base-url", server.URL+"/targets", "--target-dir", got, "download")
	}
	files, _ := filepath.Glob(filepath.Join(got, "*"))
	if len(files) != 1 || targets.Load() != 1 {
		t.Errorf("files %v, asked for %d", files, targets.Load())
	}
	do(false, "--metadata-dir", kept, "--metadata-url", url, "--target-name", "missing", "--target-base-url", server.URL+"/targets", "--target-dir", got, "download")
	do(false, "--metadata-dir", kept, "--metadata-url", server.URL+"/nowhere", "refresh")
	do(false, "--metadata-dir", kept, "publish")
	do(false, "refresh")
}
