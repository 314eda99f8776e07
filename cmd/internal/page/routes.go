package page

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

//go:embed web
var web embed.FS

// maxUp bounds what the page publishes: a receipt with its gaps, a request, a
// roster of a large household.
const maxUp = 256 << 10

// types names the media type of every kind of file that the page is made of.
// The system's own table may say anything, and with nosniff it has to be right.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// routes lists everything that the server answers.
func (p *Page) routes() (*http.ServeMux, error) {
	mux := http.NewServeMux()
	files, err := fs.Sub(web, "web")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		at := "/" + name
		if name == "index.html" {
			at = "/{$}"
		}
		mux.Handle("GET "+at, static(types[path.Ext(name)], data, name == "worker.js"))
		return nil
	})
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /"+glueFile, p.serveGlue)
	mux.HandleFunc("GET /seal.wasm", p.serveWasm)
	mux.HandleFunc("GET /roster", p.serveRoster)
	mux.HandleFunc("GET /feed", p.serveFeed)
	mux.HandleFunc("POST /up", p.serveUp)
	mux.HandleFunc("POST /fill", p.serveFill)
	if p.conf.Bench != nil {
		mux.HandleFunc("POST /bench/hostile", p.serveSwitch(p.conf.Bench.Hostile))
		mux.HandleFunc("POST /bench/network", p.serveSwitch(p.conf.Bench.Network))
	}
	if p.conf.Pairing != nil {
		p.pairRoutes(mux)
	}
	return mux, nil
}

// static answers with data. Only the worker may compile WebAssembly.
func static(mediaType string, data []byte, worker bool) http.Handler {
	etag := tag(data)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if worker {
			w.Header().Set("Content-Security-Policy", policyWorker)
		}
		answer(w, r, mediaType, etag, data)
	})
}

func tag(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

func answer(w http.ResponseWriter, r *http.Request, mediaType, etag string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// wait returns the opener once it is there, or answers why it is not.
func (p *Page) wait(w http.ResponseWriter, r *http.Request) *Module {
	select {
	case <-p.loaded:
	case <-r.Context().Done():
		return nil
	}
	if p.moduleErr != nil {
		msg := p.moduleErr.Error()
		var h interface{ Hint() string }
		if errors.As(p.moduleErr, &h) {
			msg += "\nWhat to do: " + h.Hint()
		}
		http.Error(w, msg, http.StatusServiceUnavailable)
		return nil
	}
	return p.module
}

func (p *Page) serveGlue(w http.ResponseWriter, r *http.Request) {
	if m := p.wait(w, r); m != nil {
		answer(w, r, types[".js"], tag(m.Glue), m.Glue)
	}
}

func (p *Page) serveWasm(w http.ResponseWriter, r *http.Request) {
	m := p.wait(w, r)
	if m == nil {
		return
	}
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		answer(w, r, "application/wasm", tag(m.Wasm), m.Wasm)
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(m.Wasm))
	if err != nil {
		http.Error(w, "the opener is damaged", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/wasm")
	_, _ = io.Copy(w, z)
}

// serveRoster answers with the household's signed roster. It is no secret to
// who may open this page, and the page checks its signature.
func (p *Page) serveRoster(w http.ResponseWriter, _ *http.Request) {
	if p.conf.Roster == nil {
		http.Error(w, "No roster here. It comes with the feed.", http.StatusNotFound)
		return
	}
	roster, err := p.conf.Roster()
	if err != nil {
		p.log.Error("no roster for the page", "err", err)
		http.Error(w, "The roster cannot be read here.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(roster)
}

// serveFeed streams records until the page leaves, the server ends or the page
// reads too slowly.
func (p *Page) serveFeed(w http.ResponseWriter, r *http.Request) {
	s := p.hub.open()
	if s == nil {
		http.Error(w, "Too many pages are open. Close one.", http.StatusServiceUnavailable)
		return
	}
	defer p.hub.close(s)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if err := p.stream(r.Context(), w, s); err != nil {
		p.log.Debug("feed stream ended", "err", err)
	}
}

// writeTimeout is how long one batch may take on its way to a page.
const writeTimeout = 20 * time.Second

func (p *Page) stream(ctx context.Context, w http.ResponseWriter, s *stream) error {
	rc := http.NewResponseController(w)
	out := bufio.NewWriterSize(w, 64<<10)
	for {
		list, alive := s.take()
		if !alive {
			return errors.New("the page reads too slowly; it will connect again")
		}
		if err := rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		for _, rec := range list {
			if err := rec.writeTo(out); err != nil {
				return err
			}
		}
		if err := errors.Join(out.Flush(), rc.Flush()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ready:
		}
	}
}

// serveUp publishes what the page signed: receipts, requests, rosters. The
// server cannot sign anything itself, and a camera checks every byte.
func (p *Page) serveUp(w http.ResponseWriter, r *http.Request) {
	topic := r.URL.Query().Get("kind")
	camera, err := seal.ParseCameraID(r.URL.Query().Get("camera"))
	if err != nil || (topic != feed.Command && topic != feed.Roster) {
		http.Error(w, "Say camera=<camera id> and kind=cmd or kind=roster.", http.StatusBadRequest)
		return
	}
	payload, ok := body(w, r, maxUp)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if err := p.conf.Feed.Send(ctx, camera, topic, payload); err != nil {
		p.log.Warn("not sent to the camera", "kind", topic, "err", err)
		http.Error(w, fmt.Sprintf("Not sent: %v", err), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// maxFill is how many messages one request may have brought from an archive: so many fit
// into the queue of a page, whatever their size is on the whole.
const maxFill = 64

// serveFill has what a page misses brought from the archive, if there is one: of a long
// gap the newest part, after which the page asks again. The messages come with the
// feed. The answer says whether anybody was asked.
func (p *Page) serveFill(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	camera, err := seal.ParseCameraID(q.Get("camera"))
	first, err1 := strconv.ParseUint(q.Get("first"), 10, 53)
	last, err2 := strconv.ParseUint(q.Get("last"), 10, 53)
	if errors.Join(err, err1, err2) != nil || first == 0 || last < first {
		http.Error(w, "Say camera=<camera id>, first=<number> and last=<number>.", http.StatusBadRequest)
		return
	}
	if last-first >= maxFill {
		first = last - maxFill + 1
	}
	archive, ok := p.conf.Feed.(feed.Archive)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"asked":%v}`, ok && archive.Fill(camera, first, last))
}

func (p *Page) serveSwitch(set func(bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("on") {
		case "1":
			set(true)
		case "0":
			set(false)
		default:
			http.Error(w, "Say on=1 or on=0.", http.StatusBadRequest)
			return
		}
		p.tellBench()
		w.WriteHeader(http.StatusNoContent)
	}
}
