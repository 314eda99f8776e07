package repo

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Handler serves the public part of the repository in dir, as any server of
// static files does: with ranges and tags, and without lists of what there is.
func Handler(dir string) (http.Handler, error) {
	public := filepath.Join(dir, "public")
	if info, err := os.Stat(public); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", public)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		root, err := os.OpenRoot(public)
		if err != nil {
			http.Error(w, "the repository is not there", http.StatusServiceUnavailable)
			return
		}
		defer root.Close()
		f, err := root.Open(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			http.NotFound(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/metadata/") {
			w.Header().Set("Cache-Control", "no-cache")
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()))
		http.ServeContent(w, r, "", info.ModTime(), f)
	}), nil
}
