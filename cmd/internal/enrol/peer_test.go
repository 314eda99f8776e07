package enrol

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/identity/est/esttest"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

const patience = 2 * time.Minute

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pki is an authority, which signs certificates for tests.
type pki struct {
	*esttest.Authority
	t   *testing.T
	dir string
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func newPKI(t *testing.T, name string) *pki {
	t.Helper()
	a, err := esttest.New(name, time.Now())
	check(t, err)
	return &pki{a, t, t.TempDir()}
}

// client signs a certificate for name that lives from begin to end.
func (p *pki) client(name string, pub any, begin, end time.Time) *x509.Certificate {
	p.t.Helper()
	c, err := p.Client(name, pub, begin, end)
	check(p.t, err)
	return c
}

// file writes a PEM file and returns its path.
func (p *pki) file(name, kind string, der []byte) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	check(p.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func (p *pki) keyFile(name string, key any) string {
	p.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(p.t, err)
	return p.file(name, "PRIVATE KEY", der)
}

// anchor returns the file of the authority's certificate.
func (p *pki) anchor() string { return p.file("ca.pem", "CERTIFICATE", p.Cert.Raw) }

// serve runs the fake server of the authority, whose certificate lives from begin to
// end, and returns its URL.
func (p *pki) serve(begin, end time.Time) string {
	p.t.Helper()
	s := httptest.NewUnstartedServer(p)
	var err error
	s.TLS, err = p.TLS(begin, end)
	check(p.t, err)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	p.t.Cleanup(s.Close)
	return s.URL
}

// estServer runs a server of other people's make (GlobalSign's, a tool of
// .ci/tools.mod) in front of the authority, and returns its URL. Whoever has a
// certificate of it may renew; others are asked for nothing, as that server has it.
func (p *pki) estServer() string {
	p.t.Helper()
	tool := exec.Command("go", "tool", "-modfile="+filepath.Join("..", "..", "..", ".ci", "tools.mod"), "-n", "estserver")
	tool.Stderr = os.Stderr
	path, err := tool.Output()
	if err != nil {
		p.t.Fatalf("the EST server cannot be built: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(p.t, err)
	at := l.Addr().String()
	check(p.t, l.Close())
	anchor := p.anchor()
	server, err := p.TLS(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0))
	check(p.t, err)
	conf, err := json.Marshal(map[string]any{
		"mock_ca": map[string]any{"certificates": anchor, "private_key": p.keyFile("ca.key", p.Key)},
		"tls": map[string]any{
			"listen_address": at, "certificates": p.file("server.pem", "CERTIFICATE", server.Certificates[0].Certificate[0]),
			"private_key": p.keyFile("server.key", server.Certificates[0].PrivateKey), "client_cas": []string{anchor},
		},
		"allowed_hosts": []string{"127.0.0.1"}, "rate_limit": 1000, "timeout": 60,
	})
	check(p.t, err)
	file := filepath.Join(p.dir, "est.json")
	check(p.t, os.WriteFile(file, conf, 0o600))
	cmd := exec.Command(strings.TrimSpace(string(path)), "-config", file)
	check(p.t, cmd.Start())
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	until(p.t, "the EST server listens", func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return "https://" + at
}

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// watch is a clock of a test.
type watch struct {
	mu    sync.Mutex
	now   time.Time
	mono  time.Duration
	known bool
}

func newWatch() *watch { return &watch{now: time.Now(), mono: time.Hour, known: true} }

func (w *watch) Time() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.known
}

func (w *watch) Mono() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mono
}

func (w *watch) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.mono = w.now.Add(d), w.mono+d
}

// house is a household with a camera.
type house struct {
	*identity.Household
	t      *testing.T
	camera *identity.Camera
	dir    string
	clock  *watch
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h, err := identity.CreateHousehold(t.TempDir()+"/home", "mqtts://127.0.0.1:8883", time.Now)
	check(t, err)
	_, err = h.AddViewer("desk")
	check(t, err)
	dir := t.TempDir() + "/camera"
	c, err := identity.OpenCamera(dir)
	check(t, err)
	check(t, h.AddCamera(c.ID(), "door"))
	check(t, h.Adopt(c))
	return &house{h, t, c, dir, newWatch()}
}

// open opens the camera's credentials, as at its start.
func (h *house) open(s Settings) *Credentials {
	h.t.Helper()
	c, err := identity.OpenCamera(h.dir)
	check(h.t, err)
	h.camera = c
	k, err := Open(Config{Settings: s, Camera: c, Mono: h.clock.Mono, Chance: func() float64 { return 0.5 }, Log: slog.New(slog.DiscardHandler)})
	check(h.t, err)
	return k
}

// brokerFor runs a broker that lets in clients of the household and of a PKI.
func (h *house) brokerFor(p *pki) string {
	h.t.Helper()
	conf, err := h.ServerTLS("127.0.0.1")
	check(h.t, err)
	if p != nil {
		conf.ClientCAs = x509.NewCertPool()
		conf.ClientCAs.AddCert(p.Cert)
	}
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf})
	check(h.t, err)
	ctx, stop := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	h.t.Cleanup(func() { stop(); <-done })
	return b.URL()
}

// connect tries the broker as the uplink does, and returns whose certificate it
// was opened with.
func (h *house) connect(k *Credentials, url string) (*x509.Certificate, error) {
	conf, err := k.TLS()
	check(h.t, err)
	c, err := mqtt.Dial(h.t.Context(), mqtt.Config{URL: url, TLS: conf, ClientID: string(h.camera.ID())})
	if err == nil {
		c.Close()
	}
	k.Tried(err)
	return conf.Certificates[0].Leaf, err
}

func leaf(t *testing.T, k *Credentials) *x509.Certificate {
	t.Helper()
	conf, err := k.TLS()
	check(t, err)
	return conf.Certificates[0].Leaf
}
