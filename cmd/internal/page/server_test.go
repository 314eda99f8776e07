package page

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// benchFake records what was switched.
type benchFake struct {
	mu    sync.Mutex
	stats BenchStats
}

func (b *benchFake) Stats() BenchStats { b.mu.Lock(); defer b.mu.Unlock(); return b.stats }
func (b *benchFake) Hostile(on bool)   { b.mu.Lock(); defer b.mu.Unlock(); b.stats.Hostile = on }
func (b *benchFake) Network(up bool)   { b.mu.Lock(); defer b.mu.Unlock(); b.stats.Network = up }

// id returns a well-formed camera id that differs by c.
func id(c byte) string { return strings.Repeat(string(c), 51) + "a" }

func newTestPage(t *testing.T, conf Config, l limits) *Page {
	t.Helper()
	if conf.Feed == nil {
		conf.Feed = new(feed.Fake)
	}
	if conf.Module == nil {
		conf.Module = func(context.Context) (*Module, error) { return fakeModule(t), nil }
	}
	conf.Now, conf.Log = time.Now, slog.New(slog.DiscardHandler)
	p, err := newPage(conf, l)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fakeModule(t *testing.T) *Module {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("\x00asm plain"))
	z.Close()
	return &Module{Wasm: b.Bytes(), Glue: []byte("// glue")}
}

// request asks p as a browser on the page itself would; edit may spoil it.
func request(p *Page, method, target string, body io.Reader, edit func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8480"+target, body)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func TestHostCheck(t *testing.T) {
	p := newTestPage(t, Config{Hosts: []string{"house.example"}}, defaultLimits)
	for host, want := range map[string]int{
		"127.0.0.1:8480": 200, "localhost:8480": 200, "LOCALHOST": 200, "[::1]:8480": 200, "127.8.8.8": 200,
		"house.example": 200, "house.example:8480": 200,
		"evil.example:8480": 421, "127.0.0.1.evil.example": 421, "192.0.2.1:8480": 421, "": 421,
		"localhost.evil.example": 421, "0.0.0.0:8480": 421, "[::]:8480": 421,
	} {
		w := request(p, "GET", "/", nil, func(r *http.Request) { r.Host = host })
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestStrangersSites(t *testing.T) {
	p := newTestPage(t, Config{Bench: &benchFake{}}, defaultLimits)
	up := "/up?kind=cmd&camera=" + id('b')
	header := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Set(pairs[i], pairs[i+1])
			}
		}
	}
	for _, tc := range []struct {
		name, method, target string
		edit                 func(*http.Request)
		want                 int
	}{
		{"own page", "POST", up, nil, 204},
		{"program", "POST", up, header(), 204},
		{"other site posts", "POST", up, header("Sec-Fetch-Site", "cross-site"), 403},
		{"other port posts", "POST", up, header("Sec-Fetch-Site", "same-site"), 403},
		{"old browser, other origin", "POST", up, header("Origin", "http://evil.example"), 403},
		{"opaque origin", "POST", up, header("Origin", "null"), 403},
		{"other site switches", "POST", "/bench/hostile?on=1", header("Sec-Fetch-Site", "cross-site"), 403},
		{"other site embeds a script", "GET", "/worker.js", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "script"), 403},
		{"other site reads the feed", "GET", "/feed", header("Sec-Fetch-Site", "cross-site"), 403},
		{"other site frames the page", "GET", "/", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"), 403},
		{"a person follows a link", "GET", "/", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), 200},
	} {
		if w := request(p, tc.method, tc.target, strings.NewReader("x"), tc.edit); w.Code != tc.want {
			t.Errorf("%s: %d, want %d: %s", tc.name, w.Code, tc.want, w.Body)
		}
	}
}

// TestPolicies: the page may run nothing but its files, and only the worker
// may compile WebAssembly.
func TestPolicies(t *testing.T) {
	p := newTestPage(t, Config{}, defaultLimits)
	go p.load(t.Context())
	policy := func(target string) map[string]string {
		w := request(p, "GET", target, nil, nil)
		if w.Code != 200 {
			t.Fatalf("%s: %d", target, w.Code)
		}
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", target, got)
		}
		list := map[string]string{}
		for d := range strings.SplitSeq(w.Header().Get("Content-Security-Policy"), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(d), " ")
			list[name] = value
		}
		return list
	}
	page := policy("/")
	for name, want := range map[string]string{
		"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' blob:", "media-src": "blob:", "connect-src": "'self'",
		"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'", "require-trusted-types-for": "'script'",
	} {
		if page[name] != want {
			t.Errorf("page: %s is %q, want %q", name, page[name], want)
		}
	}
	if got := policy("/worker.js")["script-src"]; got != "'self' 'wasm-unsafe-eval'" {
		t.Errorf("worker: script-src is %q", got)
	}
	for _, target := range []string{"/", "/worker.js", "/wasm_exec.js", "/seal.wasm"} {
		for name, value := range policy(target) {
			if strings.Contains(value, "unsafe-inline") || strings.Contains(value, "'unsafe-eval'") || strings.Contains(value, "http") || strings.Contains(value, "*") {
				t.Errorf("%s: %s allows %q", target, name, value)
			}
		}
	}
}

// TestNothingInline: what the policy would block must not be there to begin
// with, and no file of the page names another server.
func TestNothingInline(t *testing.T) {
	entries, err := web.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?i)\son[a-z]+=|\sstyle=|javascript:|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`)
	script := regexp.MustCompile(`(?i)<script[^>]*>`)
	address := regexp.MustCompile(`https?://[^\s"'` + "`" + `)]+`)
	for _, e := range entries {
		data, err := web.ReadFile("web/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if m := inline.Find(data); m != nil {
			t.Errorf("%s holds %q", e.Name(), m)
		}
		for _, m := range script.FindAllString(string(data), -1) {
			if !strings.Contains(m, ` src="`) {
				t.Errorf("%s holds %s", e.Name(), m)
			}
		}
		for _, m := range address.FindAllString(string(data), -1) {
			if m != "http://www.w3.org/2000/svg" { // a name, never fetched
				t.Errorf("%s names %s", e.Name(), m)
			}
		}
		if types[e.Name()[strings.LastIndexByte(e.Name(), '.'):]] == "" {
			t.Errorf("%s has no media type", e.Name())
		}
	}
}

func TestModule(t *testing.T) {
	p := newTestPage(t, Config{}, defaultLimits)
	go p.load(t.Context())
	w := request(p, "GET", "/seal.wasm", nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip, br") })
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Content-Type") != "application/wasm" || !bytes.Equal(w.Body.Bytes(), p.module.Wasm) {
		t.Errorf("packed: %v, %d bytes", w.Header(), w.Body.Len())
	}
	again := request(p, "GET", "/seal.wasm", nil, func(r *http.Request) {
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	})
	if again.Code != http.StatusNotModified {
		t.Errorf("asked again: %d, want 304", again.Code)
	}
	if w := request(p, "GET", "/seal.wasm", nil, nil); w.Body.String() != "\x00asm plain" {
		t.Errorf("unpacked: %q", w.Body)
	}

	broken := newTestPage(t, Config{Module: func(context.Context) (*Module, error) {
		return nil, &moduleError{msg: "there is no go command here", hint: "install Go", err: errors.New("x")}
	}}, defaultLimits)
	go broken.load(t.Context())
	if w := request(broken, "GET", "/seal.wasm", nil, nil); w.Code != 503 || !strings.Contains(w.Body.String(), "install Go") {
		t.Errorf("without a go command: %d %q", w.Code, w.Body)
	}
}

func TestUp(t *testing.T) {
	up := new(feed.Fake)
	p := newTestPage(t, Config{Feed: up}, defaultLimits)
	for _, tc := range []struct {
		name, target, body string
		want               int
	}{
		{"command", "/up?kind=cmd&camera=" + id('c'), "signed", 204},
		{"roster", "/up?kind=roster&camera=" + id('c'), "signed", 204},
		{"other topic", "/up?kind=live&camera=" + id('c'), "x", 400},
		{"topic of many", "/up?kind=cmd&camera=%2B", "x", 400},
		{"id with slash", "/up?kind=cmd&camera=" + id('c')[:50] + "%2F%23", "x", 400},
		{"too large", "/up?kind=cmd&camera=" + id('c'), strings.Repeat("x", maxUp+1), 413},
	} {
		if w := request(p, "POST", tc.target, strings.NewReader(tc.body), nil); w.Code != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, w.Code, tc.want)
		}
	}
	sent := up.Sent()
	if len(sent) != 2 || sent[0].Kind != feed.Command || string(sent[0].Camera) != id('c') || string(sent[1].Payload) != "signed" {
		t.Errorf("sent %+v", sent)
	}
	up.SetOffline(feed.ErrOffline)
	if w := request(p, "POST", "/up?kind=cmd&camera="+id('c'), strings.NewReader("x"), nil); w.Code != 502 {
		t.Errorf("broker away: %d, want 502", w.Code)
	}
	if w := request(p, "POST", "/bench/hostile?on=1", nil, nil); w.Code == 204 {
		t.Error("bench switch outside the bench")
	}
}

func TestBenchSwitches(t *testing.T) {
	bench := &benchFake{}
	p := newTestPage(t, Config{Bench: bench}, defaultLimits)
	request(p, "POST", "/bench/hostile?on=1", nil, nil)
	request(p, "POST", "/bench/network?on=1", nil, nil)
	if s := bench.Stats(); !s.Hostile || !s.Network {
		t.Errorf("switched on: %+v", s)
	}
	request(p, "POST", "/bench/hostile?on=0", nil, nil)
	if w := request(p, "POST", "/bench/network?on=maybe", nil, nil); w.Code != 400 || bench.Stats().Hostile || !bench.Stats().Network {
		t.Errorf("%d, %+v", w.Code, bench.Stats())
	}
}

func TestListen(t *testing.T) {
	safe := &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	lax := &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert, ClientCAs: x509.NewCertPool()}
	old := &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	anyone := &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert} // would trust the system's CAs
	for _, tc := range []struct {
		addr string
		conf *tls.Config
		ok   bool
	}{
		{"127.0.0.1:0", nil, true}, {"localhost:0", nil, true},
		{":0", nil, false}, {"0.0.0.0:0", nil, false}, {"[::]:0", nil, false},
		{"0.0.0.0:0", safe, true}, {"0.0.0.0:0", lax, false}, {"0.0.0.0:0", old, false}, {"0.0.0.0:0", anyone, false},
	} {
		l, err := Listen(t.Context(), tc.addr, tc.conf)
		if (err == nil) != tc.ok || (err != nil && !errors.Is(err, ErrExposed)) {
			t.Errorf("%s (TLS %v): %v", tc.addr, tc.conf != nil, err)
		}
		if err == nil {
			l.Close()
		}
	}
}

// archive is a feed that notes what it is asked for.
type archive struct {
	*feed.Fake
	asked string
}

func (a *archive) Know(func(seal.CameraID) feed.Known) {}

func (a *archive) Fill(_ seal.CameraID, first, last uint64) bool {
	a.asked = fmt.Sprintf("%d-%d", first, last)
	return true
}

// What a page misses is asked of the archive, of a long gap the newest part.
func TestFill(t *testing.T) {
	a := &archive{Fake: new(feed.Fake)}
	p := newTestPage(t, Config{Feed: a}, defaultLimits)
	id := id('b')
	for _, c := range []struct {
		query  string
		status int
		body   string
		asked  string
	}{
		{"camera=" + id + "&first=3&last=9", 200, `{"asked":true}`, "3-9"},
		{"camera=" + id + "&first=1&last=10000", 200, `{"asked":true}`, "9937-10000"},
		{"camera=" + id + "&first=9&last=3", 400, "", ""},
		{"camera=" + id + "&first=0&last=3", 400, "", ""},
		{"camera=" + id + "&first=1&last=18446744073709551615", 400, "", ""},
		{"camera=x&first=1&last=2", 400, "", ""},
		{"", 400, "", ""},
	} {
		a.asked = ""
		w := request(p, "POST", "/fill?"+c.query, nil, nil)
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body || a.asked != c.asked {
			t.Errorf("%s: %d %q, asked for %q", c.query, w.Code, w.Body, a.asked)
		}
	}
}

func TestFillWithoutArchive(t *testing.T) {
	w := request(newTestPage(t, Config{}, defaultLimits), "POST", "/fill?first=1&last=2&camera="+id('b'), nil, nil)
	if w.Code != 200 || w.Body.String() != `{"asked":false}` {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
