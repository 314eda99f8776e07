package keeper

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Times of the HTTP server.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 2 * time.Minute // a message of 8 MB at 70 KB/s
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	stopTimeout   = time.Second
)

// MediaSealed is the media type of a sealed message.
const MediaSealed = "application/vnd.sealcam.sealed"

// Serve answers viewers on l, with TLS if conf is not nil, until ctx ends. Without
// TLS l must be on loopback: passes would be read by others.
func (k *Keeper) Serve(ctx context.Context, l net.Listener, conf *tls.Config) error {
	l = newLimited(l, k.figures)
	if conf != nil {
		conf = conf.Clone()
		conf.MinVersion = tls.VersionTLS13
		conf.NextProtos = []string{"http/1.1"} // connections are bounded, and streams of HTTP/2 are not
		l = tls.NewListener(l, conf)
	} else if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return fmt.Errorf("serve viewers on %s: without TLS, 127.0.0.1 only", l.Addr())
	}
	return serve(ctx, l, k.Handler())
}

// ServeMetrics answers who measures on l, which must be on loopback, until ctx ends.
func (k *Keeper) ServeMetrics(ctx context.Context, l net.Listener, extra ...Extra) error {
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return fmt.Errorf("serve metrics on %s: use 127.0.0.1: they say whose cameras are busy", l.Addr())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(k.Metrics(extra...)) // the reader has gone
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if up, why := k.config.Source.Link(); !up {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return serve(ctx, newLimited(l, k.figures), mux)
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    nobody(),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		srv.Close()
	}
	<-done
	return ctx.Err()
}

// Handler returns the API. Its paths are said in API.md.
func (k *Keeper) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /v1/keeper":                                          k.getKeeper,
		"GET /v1/messages/{hash}":                                 k.getMessage,
		"GET /v1/households/{household}/cameras":                  k.withPass(k.getCameras),
		"GET /v1/households/{household}/messages":                 k.withPass(k.getList),
		"GET /v1/households/{household}/roster":                   k.withPass(k.getRoster),
		"GET /v1/households/{household}/feed":                     k.withPass(k.getFeed),
		"POST /v1/households/{household}/cameras/{camera}/{kind}": k.post,
		"POST /v1/households/{household}/delete":                  k.postDelete,
		"/":                                                       func(http.ResponseWriter, *http.Request) error { return fail(http.StatusNotFound, "no such path") },
	} {
		mux.Handle(pattern, k.counted(route(pattern), h))
	}
	return mux
}

// route names a pattern in figures.
func route(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case path == "":
		return "other"
	case name == "{hash}":
		return "message"
	case method == http.MethodPost && name == "{kind}":
		return "command"
	}
	return name
}

// failure is an answer that is no good news.
type failure struct {
	Status int    `json:"-"`
	Text   string `json:"error"`
	Hint   string `json:"hint,omitempty"`
	err    error
}

func (f *failure) Error() string { return f.Text }
func (f *failure) Unwrap() error { return f.err }

func fail(status int, format string, a ...any) *failure {
	err := fmt.Errorf(format, a...)
	return &failure{Status: status, Text: err.Error(), err: err}
}

func (f *failure) hint(format string, a ...any) *failure {
	f.Hint = fmt.Sprintf(format, a...)
	return f
}

// asFailure finds the status of what went wrong.
func asFailure(err error) *failure {
	var f *failure
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &tooLarge):
		return fail(http.StatusRequestEntityTooLarge, "more than %d bytes", tooLarge.Limit)
	case errors.Is(err, store.ErrNotKept):
		return fail(http.StatusNotFound, "no such message is kept here")
	case errors.Is(err, store.ErrQuery):
		return fail(http.StatusBadRequest, "%w", err)
	case errors.Is(err, store.ErrFull):
		return fail(http.StatusInsufficientStorage, "the keeper's disk is full")
	case errors.Is(err, errNoRosterOf), errors.Is(err, errNotNamed):
		return fail(http.StatusForbidden, "this keeper keeps nothing for this household").
			hint("name it in the household's roster: sealcam household keeper add")
	case seal.ReasonOf(err) != "":
		return fail(http.StatusForbidden, "%w", err)
	}
	return fail(http.StatusInternalServerError, "the keeper could not do it").hint("its log says why")
}

// counted answers by h, says what went wrong, and counts.
func (k *Keeper) counted(route string, h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := k.config.Now()
		s := &statusWriter{ResponseWriter: w}
		s.Header().Set("X-Content-Type-Options", "nosniff")
		if err := h(s, r); err != nil && s.status == 0 {
			f := asFailure(err)
			if f.Status >= http.StatusInternalServerError {
				k.once("a request could not be answered", "", "http "+route, err)
			}
			tell(s, f)
		}
		if s.status == 0 {
			s.status = http.StatusOK
		}
		k.figures.request(route, s.status, k.config.Now().Sub(began))
	})
}

func tell(w http.ResponseWriter, f *failure) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "no-store")
	switch f.Status {
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", "Sealcam")
	case http.StatusTooManyRequests:
		head.Set("Retry-After", "2")
	}
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(f) // the reader has gone
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// withPass answers only whom the household has let in, and not too many of it at a
// time.
func (k *Keeper) withPass(h func(http.ResponseWriter, *http.Request, *seal.Roster) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		roster, err := k.household(r)
		if err != nil {
			return err
		}
		if err := k.checkPass(roster, r.Header.Get("Authorization")); err != nil {
			return err
		}
		leave, ok := k.gates.requests.enter(string(roster.Household))
		if !ok {
			k.figures.refuse("requests_of_household")
			return fail(http.StatusTooManyRequests, "the household has %d requests under way", maxOfHousehold)
		}
		defer leave()
		return h(w, r, roster)
	}
}

// household returns the roster of the household in a request's path.
func (k *Keeper) household(r *http.Request) (*seal.Roster, error) {
	h, err := seal.ParseHouseholdID(r.PathValue("household"))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "%w", err)
	}
	return k.rosters.of(h)
}

// passScheme is how a pass is announced in the Authorization header.
const passScheme = "Sealcam "

// checkPass checks the Authorization header of a request about r's household.
func (k *Keeper) checkPass(r *seal.Roster, header string) error {
	b, err := parsePass(header)
	if err != nil {
		return fail(http.StatusUnauthorized, "%w", err).hint("send a pass: Authorization: Sealcam BASE64URL")
	}
	p, err := seal.OpenPass(r, k.config.Now(), b)
	switch {
	case seal.ReasonOf(err) == seal.NotForYou || seal.ReasonOf(err) == seal.Revoked:
		return fail(http.StatusForbidden, "%w", err)
	case err != nil:
		return fail(http.StatusUnauthorized, "%w", err).hint("make a new pass; this keeper's time is %s", k.config.Now().UTC().Format(time.RFC3339))
	case p.Keeper != k.id:
		return fail(http.StatusForbidden, "the pass is for keeper %s, this is %s", p.Keeper, k.id)
	}
	return nil
}

// parsePass returns the pass in an Authorization header.
func parsePass(header string) ([]byte, error) {
	if len(header) < len(passScheme) || !strings.EqualFold(header[:len(passScheme)], passScheme) {
		return nil, errors.New("no pass")
	}
	text := header[len(passScheme):]
	if len(text) > base64.RawURLEncoding.EncodedLen(seal.MaxPass) {
		return nil, errors.New("the pass is too long")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder passes over

		return nil, errors.New("the pass is not base64url without padding")
	}
	return b, nil
}

func (k *Keeper) getKeeper(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-cache")
	return writeJSON(w, struct {
		Keeper  seal.KeyID `json:"keeper"`
		Version string     `json:"version"`
		Time    time.Time  `json:"time"`
		Formats []int      `json:"formats"`
	}{k.id, k.config.Version, k.config.Now().UTC().Truncate(time.Second), []int{seal.Version}})
}

// getMessage gives out one message. No pass is needed: who knows the hash of a
// message has it from those who may, and gets sealed bytes.
func (k *Keeper) getMessage(w http.ResponseWriter, r *http.Request) error {
	text := r.PathValue("hash")
	hash, err := hex.DecodeString(text)
	if err != nil || len(hash) != sha256.Size || text != strings.ToLower(text) {
		return fail(http.StatusBadRequest, "not a hash: 64 hexadecimal digits are")
	}
	leave, ok := k.gates.messages.enter("")
	if !ok {
		k.figures.refuse("messages")
		return fail(http.StatusTooManyRequests, "%d messages are under way", maxMessagesAtATime)
	}
	defer leave()
	head := w.Header()
	b := k.passing.get([32]byte(hash))
	if b != nil {
		head.Set("Cache-Control", "no-store")
	} else {
		if b, err = k.config.Store.Get(r.Context(), [32]byte(hash)); err != nil {
			return err
		}
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	head.Set("Content-Type", MediaSealed)
	head.Set("ETag", `"`+text+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // the reader has gone
	return nil
}

// nobody is where the HTTP server's own words go: every TLS handshake that fails.
func nobody() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) }
