package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/nodetest"
	"github.com/sealcam/sealcam/uplink/seal"
)

// openAnyRoster opens a roster of whoever signed it.
func openAnyRoster(b []byte) (*seal.Roster, error) {
	var refused *seal.Refusal
	_, err := seal.OpenRoster("", b)
	if !errors.As(err, &refused) {
		return nil, err
	}
	var id seal.HouseholdID
	if _, err := fmt.Sscanf(refused.Detail, "roster of household %52s", &id); err != nil {
		return nil, err
	}
	return seal.OpenRoster(id, b)
}

// stage is a page that is being served, with the world behind it.
type stage struct {
	world  *world
	link   string // address with the key
	open   func() // lets the opener load
	cancel context.CancelFunc
}

// serve starts the real server on loopback over a world.
func serve(t *testing.T, w *world, m *Module) *stage {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	gate := make(chan struct{})
	s := &stage{world: w, cancel: cancel, open: sync.OnceFunc(func() { close(gate) })}
	p, err := New(Config{
		Feed: w, Bench: w, Pairing: &w.pair, PairToken: ownerToken, Roster: w.rosterNow, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Module: func(ctx context.Context) (*Module, error) {
			select {
			case <-gate:
				return m, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(ctx, "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	var ends sync.WaitGroup
	ends.Go(func() { p.Run(ctx) })
	ends.Go(func() { p.Serve(ctx, l) })
	ends.Go(func() { w.pump(ctx) })
	t.Cleanup(func() { cancel(); ends.Wait() })
	if s.link, err = URL("http://"+l.Addr().String(), w.id, w.viewer, "Linden Street"); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBrowser drives the page in headless Chromium through every state that a
// person can meet, and leaves a picture of each in build/screenshots.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium; run without -short")
	}
	node, chromium := nodetest.Tool(t, "node"), nodetest.Tool(t, "chromium", "chromium-browser", "google-chrome")
	modules := nodetest.Modules(t, filepath.Join("testdata", "browser"))
	m, err := BuildModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shots, err := filepath.Abs(filepath.Join("..", "..", "..", "build", "screenshots"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	control := newControl(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	script, err := filepath.Abs(filepath.Join("testdata", "browser", "run.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]any{"all": os.Getenv("SEALCAM_SHOTS") == "all", "control": control, "shots": shots, "chromium": chromium, "profile": t.TempDir(), "owner": ownerToken})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node, script)
	cmd.Env = append(os.Environ(), "SEALCAM_MODULES="+modules, "SEALCAM_PAGE_TEST="+string(settings), "SEALCAM_ONLY="+os.Getenv("SEALCAM_ONLY"))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the page failed in Chromium: %v", err)
	}
}

// newControl serves the browser script's wishes: a new world with its page, and
// steps in it. It returns the address.
func newControl(t *testing.T, m *Module) string {
	t.Helper()
	var now *stage
	seen := newScenery(t)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /world", func(w http.ResponseWriter, r *http.Request) {
		if now != nil {
			now.cancel()
		}
		now = serve(t, newWorld(t, seen, r.URL.Query()["camera"]...), m)
		ids := []string{}
		for _, c := range now.world.cameras {
			ids = append(ids, string(c.id))
		}
		json.NewEncoder(w).Encode(map[string]any{"link": now.link, "cameras": ids})
	})
	mux.HandleFunc("POST /published", func(w http.ResponseWriter, _ *http.Request) {
		media, proof, err := now.world.publish()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(map[string][]byte{"media": media, "proof": proof})
	})
	mux.HandleFunc("POST /film", func(w http.ResponseWriter, r *http.Request) {
		var saved struct{ Film, Proof []byte }
		if err := json.NewDecoder(r.Body).Decode(&saved); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		parts := 0
		f, sound, err := clip.Check(bytes.NewReader(saved.Film), bytes.NewReader(saved.Proof), func(p clip.Piece) {
			if p.Err == nil && p.Proven != nil && p.Proven.Camera == now.world.cameras[0].id {
				parts++
			}
		})
		json.NewEncoder(w).Encode(map[string]any{"parts": parts, "sound": sound, "whole": err == nil && f.Whole()})
	})
	mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) {
		what := r.URL.Query().Get("what")
		camera, _ := strconv.Atoi(r.URL.Query().Get("camera"))
		switch what {
		case "open":
			now.open()
		case "gone":
			now.cancel()
		default:
			if err := now.world.do(what, camera); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			json.NewEncoder(w).Encode(now.world.told)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return "http://" + l.Addr().String()
}
