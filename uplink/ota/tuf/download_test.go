package tuf_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// film returns n bytes that no two blocks of are the same.
func film(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8(sha256.Sum256([]byte("film")))
	_, _ = r.Read(b)
	return b
}

// release publishes data as release 1 and returns a camera that knows it.
func release(t testing.TB, data []byte) (*sim, *camera) {
	s := newSim(t)
	s.add("agent", 1, data, nil)
	s.all()
	return s, newCamera(t, s)
}

// fetch checks and fetches, as after a restart.
func (c *camera) fetch(ctx context.Context) (string, error) {
	c.t.Helper()
	client := c.client()
	r, err := client.Check(ctx)
	if err != nil {
		c.t.Fatalf("Check: %v", err)
	}
	return client.Fetch(ctx, *r)
}

// targetServer serves the targets of s over HTTP, through handle where that is not nil.
func targetServer(t testing.TB, s *sim, handle func(w http.ResponseWriter, r *http.Request, data []byte)) tuf.Remote {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := s.files["targets"+r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if handle != nil {
			handle(w, r, data)
			return
		}
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(server.Close)
	remote, err := tuf.NewRemote(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	return remote
}

func mustHold(t testing.TB, path string, err error, want []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes in the file, want these %d (error %v)", len(got), len(want), err)
	}
}

// TestFetch: over HTTP, from a directory, and a second time from what is there.
func TestFetch(t *testing.T) {
	data := film(100_000)
	s, c := release(t, data)
	var yields int
	c.conf.Yield = func(context.Context) error { yields++; return nil }
	c.conf.Targets = targetServer(t, s, nil)
	path, err := c.fetch(t.Context())
	mustHold(t, path, err, data)
	if yields < 2*len(data)/(16<<10) {
		t.Errorf("yielded %d times over %d bytes that are read twice", yields, len(data))
	}
	c.conf.Targets = targetServer(t, s, func(w http.ResponseWriter, _ *http.Request, _ []byte) { t.Error("asked for what is there") })
	path, err = c.fetch(t.Context())
	mustHold(t, path, err, data)

	dir := t.TempDir()
	for name, b := range s.files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	c.conf.Dir = t.TempDir()
	if c.conf.Metadata, c.conf.Targets, err = tuf.Folders("file://"+filepath.ToSlash(dir), nil); err != nil {
		t.Fatal(err)
	}
	path, err = c.fetch(t.Context())
	mustHold(t, path, err, data)
}

// TestResume: every connection brings a piece and is cut, every second one by a
// restart of the camera. Nothing that arrived is asked for again, but what was
// not durable when the camera went down.
func TestResume(t *testing.T) {
	data := film(400_000)
	for _, tag := range []string{`"one"`, ""} {
		s, c := release(t, data)
		var sent atomic.Int64
		c.conf.Targets = targetServer(t, s, func(w http.ResponseWriter, r *http.Request, data []byte) {
			if tag != "" {
				w.Header().Set("ETag", tag)
			}
			cut := &cutWriter{ResponseWriter: w, left: 60_000, sent: &sent}
			http.ServeContent(cut, r, "", time.Time{}, bytes.NewReader(data))
		})
		c.conf.Limits.Tries = 1 // a restart at every cut
		var path string
		var err error
		for range 20 {
			if path, err = c.fetch(t.Context()); err == nil {
				break
			}
			if !errors.Is(err, tuf.ErrUnreachable) {
				t.Fatal(err)
			}
		}
		mustHold(t, path, err, data)
		if n := sent.Load(); n > int64(len(data))+20*16<<10 {
			t.Errorf("tag %q: %d bytes were sent for %d", tag, n, len(data))
		}
	}
}

// cutWriter cuts the connection after so many bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
	sent *atomic.Int64
}

func (w *cutWriter) Write(b []byte) (int, error) {
	if len(b) > w.left {
		_, _ = w.ResponseWriter.Write(b[:w.left])
		w.sent.Add(int64(w.left))
		panic(http.ErrAbortHandler)
	}
	w.left -= len(b)
	w.sent.Add(int64(len(b)))
	return w.ResponseWriter.Write(b)
}

// TestServers: servers that do something else than continue.
func TestServers(t *testing.T) {
	data := film(50_000)
	half := len(data) / 2
	whole := func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data)
	}
	for _, test := range []struct {
		name   string
		second func(w http.ResponseWriter, r *http.Request, data []byte)
		want   error
	}{
		{"ignores ranges", whole, nil},
		{"cannot satisfy the range, then sends all", func(w http.ResponseWriter, r *http.Request, data []byte) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			whole(w, r, data)
		}, nil},
		{"has another tag, and sends all", func(w http.ResponseWriter, r *http.Request, data []byte) {
			w.Header().Set("ETag", `"two"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}, nil},
		{"does not say how long", func(w http.ResponseWriter, _ *http.Request, data []byte) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(data)
		}, nil},
		{"goes on for ever", func(w http.ResponseWriter, r *http.Request, data []byte) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(data)
			for r.Context().Err() == nil {
				_, _ = w.Write(data)
			}
		}, nil},
		{"sends another part", func(w http.ResponseWriter, r *http.Request, data []byte) {
			if r.Header.Get("Range") == "" {
				whole(w, r, data)
				return
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data)
		}, nil},
		{"announces more", func(w http.ResponseWriter, _ *http.Request, data []byte) {
			w.Header().Set("Content-Length", "60000")
			_, _ = w.Write(data)
		}, tuf.ErrLength},
		{"announces less", func(w http.ResponseWriter, _ *http.Request, data []byte) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write(data[:10])
		}, tuf.ErrLength},
		{"sends other bytes", func(w http.ResponseWriter, r *http.Request, data []byte) {
			whole(w, r, make([]byte, len(data)))
		}, tuf.ErrHash},
		{"is gone", func(w http.ResponseWriter, r *http.Request, _ []byte) { http.NotFound(w, r) }, tuf.ErrAbsent},
		{"is overloaded", func(w http.ResponseWriter, r *http.Request, _ []byte) { w.WriteHeader(http.StatusServiceUnavailable) }, tuf.ErrUnreachable},
		{"redirects in a circle", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, tuf.ErrUnreachable},
		{"redirects to plain HTTP", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "http://mirror.invalid/x", http.StatusFound)
		}, tuf.ErrUnreachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := release(t, data)
			c.conf.Limits.Tries = 1
			c.conf.Targets = targetServer(t, s, func(w http.ResponseWriter, _ *http.Request, data []byte) {
				w.Header().Set("ETag", `"one"`)
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				_, _ = w.Write(data[:half])
			})
			if _, err := c.fetch(t.Context()); !errors.Is(err, tuf.ErrUnreachable) {
				t.Fatalf("half a file: %v", err)
			}
			c.conf.Targets = targetServer(t, s, test.second)
			path, err := c.fetch(t.Context())
			if test.want != nil {
				if !errors.Is(err, test.want) {
					t.Fatalf("got %s, %v; want %v", path, err, test.want)
				}
				return
			}
			mustHold(t, path, err, data)
		})
	}
}

// TestWrongHash: a wrong file is removed, and not asked for at every check; once
// the server has the right one, it is taken.
func TestWrongHash(t *testing.T) {
	data := film(1000)
	s, c := release(t, data)
	var asked int
	wrong := true
	c.conf.Targets = targetServer(t, s, func(w http.ResponseWriter, _ *http.Request, data []byte) {
		asked++
		if wrong {
			data = make([]byte, len(data))
		}
		_, _ = w.Write(data)
	})
	var held int
	for range 40 {
		switch _, err := c.fetch(t.Context()); {
		case errors.Is(err, tuf.ErrHeldOff):
			held++
		case !errors.Is(err, tuf.ErrHash):
			t.Fatal(err)
		}
	}
	if asked < 4 || asked > 6 || held != 40-asked {
		t.Errorf("asked %d times, held off %d times in 40 checks", asked, held)
	}
	files, _ := filepath.Glob(filepath.Join(c.conf.Dir, "download", "*"))
	if len(files) != 1 || filepath.Base(files[0]) != "wrong" {
		t.Errorf("left behind: %v", files)
	}
	wrong = false
	for range 100 {
		if path, err := c.fetch(t.Context()); err == nil {
			mustHold(t, path, err, data)
			return
		}
	}
	t.Error("the right file was never taken")
}

// TestPowerCut: bytes that were written but not said to be durable are not
// believed, whatever a power cut made of them.
func TestPowerCut(t *testing.T) {
	data := film(3 << 20)
	s, c := release(t, data)
	ctx, cut := context.WithCancel(t.Context())
	n := 0
	c.conf.Yield = func(ctx context.Context) error {
		if n++; n == 150 {
			cut()
		}
		return ctx.Err()
	}
	if _, err := c.fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	part := partOf(t, c)
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(make([]byte, 5000)) // as file systems leave them
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	var from int64
	c.conf.Targets = watched{folder{s, "targets"}, &from}
	c.conf.Yield = nil
	path, err := c.fetch(t.Context())
	mustHold(t, path, err, data)
	if from < 2<<20 {
		t.Errorf("went on at byte %d", from)
	}
}

func partOf(t testing.TB, c *camera) string {
	files, _ := filepath.Glob(filepath.Join(c.conf.Dir, "download", "*.part"))
	if len(files) != 1 {
		t.Fatalf("parts: %v", files)
	}
	return files[0]
}

type watched struct {
	folder
	from *int64
}

func (w watched) Open(ctx context.Context, name string, from int64, tag string) (*tuf.Content, error) {
	*w.from = from
	return w.folder.Open(ctx, name, from, tag)
}

// TestDiskLies: what the disk gives back counts, and not what was received.
func TestDiskLies(t *testing.T) {
	data := film(100_000)
	_, c := release(t, data)
	n := 0
	c.conf.Yield = func(context.Context) error {
		if n++; n == len(data)/(16<<10)+1 { // the last block has been written
			f, err := os.OpenFile(partOf(t, c), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt([]byte{data[0] + 1}, 0)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		return nil
	}
	if _, err := c.fetch(t.Context()); !errors.Is(err, tuf.ErrHash) {
		t.Errorf("error %v", err)
	}
}

// TestDamagedPart: whatever becomes of what has arrived, the file arrives.
func TestDamagedPart(t *testing.T) {
	data := film(40_000)
	for _, content := range []string{"", "{}", "nonsense", `{"tag":"\u0000","bytes":9}`, `{"bytes":-1}`, `{"bytes":99999}`, `{"bytes":40000}`, strings.Repeat("x", 5000)} {
		_, c := release(t, data)
		c.conf.Yield = func(context.Context) error { return errors.New("camera is switched off") }
		if _, err := c.fetch(t.Context()); err == nil {
			t.Fatal("fetched")
		}
		part := partOf(t, c)
		if err := os.WriteFile(strings.TrimSuffix(part, ".part")+".have", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c.conf.Yield = nil
		path, err := c.fetch(t.Context())
		mustHold(t, path, err, data)
	}
}

// TestNoRoom: what does not fit is not begun.
func TestNoRoom(t *testing.T) {
	_, c := release(t, film(1000))
	c.conf.Limits.Spare = 1 << 60
	if _, err := c.fetch(t.Context()); !errors.Is(err, tuf.ErrSpace) {
		t.Errorf("error %v", err)
	}
}
