package repo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/tuf"
	"github.com/sealcam/sealcam/uplink/ota/tuf/repo"
)

// maker is a repository and the time its maker lives in.
type maker struct {
	*repo.Repo
	t            *testing.T
	dir, offline string
	now          time.Time
}

func newMaker(t *testing.T, o repo.Options) *maker {
	m := &maker{t: t, dir: filepath.Join(t.TempDir(), "releases"), offline: o.Offline, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	if m.Repo, err = repo.Init(m.dir, o, func() time.Time { return m.now }); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *maker) reopen(offline string) {
	m.t.Helper()
	var err error
	if m.Repo, err = repo.Open(m.dir, offline, func() time.Time { return m.now }); err != nil {
		m.t.Fatal(err)
	}
}

func (m *maker) add(number uint64, share int) repo.Entry {
	m.t.Helper()
	file := filepath.Join(m.t.TempDir(), "sealcamd")
	if err := os.WriteFile(file, fmt.Append(nil, "program ", number), 0o755); err != nil {
		m.t.Fatal(err)
	}
	e, err := m.Add(file, repo.Release{Kind: "agent", Version: fmt.Sprintf("v1.%d.0", number), Number: number,
		Boards: []string{"*"}, Arch: "armv7", Channel: "stable", Share: share})
	if err != nil {
		m.t.Fatal(err)
	}
	return e
}

func (m *maker) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *maker) versions() string {
	m.t.Helper()
	states, err := m.States()
	m.must(err)
	var s []string
	for _, st := range states {
		s = append(s, fmt.Sprint(st.Role, " ", st.Version))
	}
	return strings.Join(s, ", ")
}

// camera returns a client with a directory and a clock of its own.
func (m *maker) camera(id string) *tuf.Client {
	m.t.Helper()
	handler, err := repo.Handler(m.dir)
	m.must(err)
	server := httptest.NewServer(handler)
	m.t.Cleanup(server.Close)
	root, err := os.ReadFile(filepath.Join(m.dir, "public", "metadata", "1.root.json"))
	m.must(err)
	metadata, targets, err := tuf.Folders(server.URL, nil)
	m.must(err)
	c, err := tuf.New(tuf.Config{Dir: m.t.TempDir(), Root: root, Metadata: metadata, Targets: targets,
		Camera: tuf.Camera{ID: id, Board: "emulated", Arch: "armv7", Channel: "stable", Kind: ota.Agent},
		Now:    func() time.Time { return m.now }})
	m.must(err)
	return c
}

func (m *maker) gets(c *tuf.Client, want uint64) {
	m.t.Helper()
	r, err := c.Check(context.Background())
	m.must(err)
	if got := r; got == nil && want != 0 || got != nil && got.Number != want {
		m.t.Fatalf("camera gets %+v, want number %d", got, want)
	}
}

// TestLife is a repository's life: releases, a staged roll-out, renewals, every
// key rotated, a release withdrawn; a camera follows all of it over HTTP.
func TestLife(t *testing.T) {
	m := newMaker(t, repo.Options{RootKeys: 3, RootThreshold: 2})
	c := m.camera("camera-1")
	m.gets(c, 0)
	e := m.add(1, 100)
	m.gets(c, 0)
	m.must(m.Publish())
	m.gets(c, 1)
	r, err := c.Check(t.Context())
	m.must(err)
	path, err := c.Fetch(t.Context(), *r)
	m.must(err)
	if data, err := os.ReadFile(path); err != nil || string(data) != "program 1" {
		t.Fatalf("%q, %v", data, err)
	}

	next := m.add(2, 0)
	m.must(m.Publish())
	m.gets(c, 1)
	m.must(m.SetShare(next.Path, 100))
	m.must(m.Publish())
	m.gets(c, 2)

	m.now = m.now.Add(25 * 24 * time.Hour)
	m.must(m.Renew())
	m.now = m.now.Add(25 * 24 * time.Hour)
	m.gets(c, 2)
	for _, role := range repo.Roles {
		made, err := m.Rotate(role)
		m.must(err)
		if want := map[string]int{"root": 3}[role]; len(made) != max(want, 1) {
			t.Errorf("%s: %d new keys", role, len(made))
		}
		m.gets(c, 2)
		m.reopen("")
	}
	m.must(m.Remove(next.Path))
	m.must(m.Publish())
	m.gets(c, 1)
	if got := m.Entries(); len(got) != 1 || got[0].Path != e.Path {
		t.Errorf("entries %+v", got)
	}
	m.gets(m.camera("camera-2"), 1) // from the first root on
	if v := m.versions(); v != "root 5, targets 6, snapshot 9, timestamp 10" {
		t.Error(v)
	}
}

// TestNothingNew: publishing again changes the timestamp alone.
func TestNothingNew(t *testing.T) {
	m := newMaker(t, repo.Options{RootKeys: 1, RootThreshold: 1})
	m.add(1, 50)
	m.must(m.Publish())
	m.must(m.Publish())
	m.reopen("")
	m.must(m.Renew())
	if v := m.versions(); v != "root 1, targets 2, snapshot 2, timestamp 4" {
		t.Error(v)
	}
}

// TestOffline: the keys of root and targets lie elsewhere. Without them a machine
// can renew, and nobody can release.
func TestOffline(t *testing.T) {
	safe := filepath.Join(t.TempDir(), "safe")
	m := newMaker(t, repo.Options{RootKeys: 2, RootThreshold: 2, Offline: safe})
	m.add(1, 100)
	m.must(m.Publish())
	m.reopen("")
	m.now = m.now.Add(20 * 24 * time.Hour)
	m.must(m.Renew())
	m.now = m.now.Add(25 * 24 * time.Hour)
	c := m.camera("camera")
	m.gets(c, 1)
	m.add(2, 100)
	var missing *repo.KeysError
	if err := m.Publish(); !errors.As(err, &missing) || missing.Role != "targets" {
		t.Errorf("publishing without the keys: %v", err)
	}
	if _, err := m.Rotate("timestamp"); !errors.As(err, &missing) || missing.Have != 0 || missing.Need != 2 {
		t.Errorf("rotating without the keys: %v", err)
	}
	m.gets(c, 1)
	m.reopen(safe)
	m.must(m.Publish())
	m.gets(c, 2)
	for dir, want := range map[string]int{safe: 3, filepath.Join(m.dir, "keys"): 2} {
		files, _ := filepath.Glob(filepath.Join(dir, "*.key"))
		if len(files) != want {
			t.Errorf("%s holds %v", dir, files)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", f, info.Mode(), err)
			}
		}
	}
}

// TestRefuses: what no camera could take is refused before it is signed.
func TestRefuses(t *testing.T) {
	m := newMaker(t, repo.Options{RootKeys: 1, RootThreshold: 1})
	good := repo.Release{Kind: "agent", Version: "v1", Number: 1, Boards: []string{"*"}, Arch: "armv7", Channel: "stable", Share: 100}
	file := filepath.Join(t.TempDir(), "f")
	m.must(os.WriteFile(file, []byte("x"), 0o600))
	for name, change := range map[string]func(r *repo.Release){
		"kind": func(r *repo.Release) { r.Kind = "firmware" }, "version": func(r *repo.Release) { r.Version = "v 1" },
		"number": func(r *repo.Release) { r.Number = 0 }, "boards": func(r *repo.Release) { r.Boards = nil },
		"board": func(r *repo.Release) { r.Boards = []string{"../x"} }, "arch": func(r *repo.Release) { r.Arch = "arm" },
		"channel": func(r *repo.Release) { r.Channel = "" }, "share": func(r *repo.Release) { r.Share = 101 },
	} {
		r := good
		change(&r)
		if _, err := m.Add(file, r); err == nil {
			t.Errorf("%s: %+v was added", name, r)
		}
	}
	_, err := m.Add(file, good)
	m.must(err)
	if _, err := m.Add(file, good); err == nil {
		t.Error("added twice")
	}
	again := good
	again.Version = "v2"
	if _, err := m.Add(file, again); err == nil {
		t.Error("two versions with one number")
	}
	if _, err := repo.Init(m.dir, repo.Options{RootKeys: 1, RootThreshold: 1}, time.Now); !errors.Is(err, repo.ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	for _, o := range []repo.Options{{RootKeys: 1, RootThreshold: 2}, {RootKeys: 0, RootThreshold: 0}, {RootKeys: 17, RootThreshold: 1}} {
		if _, err := repo.Init(filepath.Join(t.TempDir(), "r"), o, time.Now); err == nil {
			t.Errorf("made with %+v", o)
		}
	}
}

// TestServesPublicOnly: keys never leave.
func TestServesPublicOnly(t *testing.T) {
	m := newMaker(t, repo.Options{RootKeys: 1, RootThreshold: 1})
	handler, err := repo.Handler(m.dir)
	m.must(err)
	keys, _ := filepath.Glob(filepath.Join(m.dir, "keys", "*"))
	for _, path := range []string{"/", "/metadata/", "/../keys/" + filepath.Base(keys[0]), "/..%2fkeys%2f" + filepath.Base(keys[0]), "/../releases.json"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		handler.ServeHTTP(w, r)
		if w.Code != 404 || bytes.Contains(w.Body.Bytes(), []byte("PRIVATE")) {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/metadata/timestamp.json", nil))
	if !json.Valid(w.Body.Bytes()) || w.Header().Get("ETag") == "" {
		t.Errorf("timestamp: %d %s", w.Code, w.Body)
	}
}
