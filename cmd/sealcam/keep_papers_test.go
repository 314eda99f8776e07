package main

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/exposition"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// paperwork is a household with a keeper's papers, on files that a test changes.
type paperwork struct {
	*papers
	home  *identity.Household
	now   time.Time
	dir   string
	log   *spoken
	told  map[string]string
	roots *x509.CertPool
}

func newPaperwork(t *testing.T) *paperwork {
	t.Helper()
	w := &paperwork{now: time.Now(), dir: t.TempDir(), log: new(spoken), told: map[string]string{}, roots: x509.NewCertPool()}
	var err error
	w.home, err = identity.CreateHousehold(filepath.Join(w.dir, "home"), "mqtts://127.0.0.1:8883", func() time.Time { w.now = w.now.Add(time.Second); return w.now })
	if err != nil {
		t.Fatal(err)
	}
	who, err := w.home.AddKeeper("attic", "https://127.0.0.1:8443")
	if err != nil {
		t.Fatal(err)
	}
	w.roots.AppendCertsFromPEM(w.home.Authority())
	f := keepFlags{identity: w.home.KeeperDir("attic"), cert: filepath.Join(w.dir, "web.crt"), key: filepath.Join(w.dir, "web.key"), crl: filepath.Join(w.dir, "revoked.crl")}
	w.server(t)
	if w.papers, err = newPapers(who, f, slog.New(slog.NewTextHandler(w.log, nil))); err != nil {
		t.Fatal(err)
	}
	return w
}

// server puts a new certificate for viewers into its files.
func (w *paperwork) server(t *testing.T) {
	t.Helper()
	cert, key, err := w.home.IssueServer("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "web.crt", cert)
	w.write(t, "web.key", key)
}

func (w *paperwork) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// met returns the certificate that a server with conf shows to who comes, and the one
// that it is shown.
func (w *paperwork) met(t *testing.T, conf *tls.Config) (server, client *x509.Certificate) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	mine := w.clientTLS()
	mine.ServerName = "127.0.0.1"
	there := tls.Server(far, conf)
	ended := make(chan error, 1)
	go func() { ended <- there.Handshake() }()
	here := tls.Client(near, mine)
	if err := errors.Join(here.Handshake(), <-ended); err != nil {
		t.Fatal(err)
	}
	if came := there.ConnectionState().PeerCertificates; len(came) > 0 {
		client = came[0]
	}
	return here.ConnectionState().PeerCertificates[0], client
}

// A keeper shows what was renewed in its files, to viewers, to the broker's clients and
// to another broker, and goes on with what it has while they make no sense.
func TestKeepReadsCertificatesAgain(t *testing.T) {
	w := newPaperwork(t)
	own, mine := w.met(t, w.brokerTLS())
	web, _ := w.met(t, w.viewersTLS())
	if !own.Equal(mine) || own.Equal(web) {
		t.Fatal("a certificate is shown in the place of another")
	}
	w.look(nil, w.told)
	if _, err := w.home.RenewKeeper("attic"); err != nil {
		t.Fatal(err)
	}
	w.server(t)
	w.write(t, "web.key", []byte("half a ke"))
	for range 2 {
		w.look(nil, w.told)
	}
	newOwn, newMine := w.met(t, w.brokerTLS())
	if newOwn.Equal(own) || !newOwn.Equal(newMine) || !newOwn.PublicKey.(*ecdsa.PublicKey).Equal(own.PublicKey) {
		t.Error("the keeper's own certificate is not the one that was renewed")
	}
	if now, _ := w.met(t, w.viewersTLS()); !now.Equal(web) {
		t.Error("half a pair of files was taken")
	}
	if n := strings.Count(w.log.String(), "could not be read again"); n != 1 {
		t.Errorf("that it makes no sense was told %d times: %s", n, w.log)
	}
	w.server(t)
	w.look(nil, w.told)
	now, _ := w.met(t, w.viewersTLS())
	if now.Equal(web) {
		t.Error("the new certificate for viewers is not shown")
	}
	e := new(exposition.Text)
	w.figures(e)
	for _, line := range []string{`{for="broker"} `, `{for="viewers"} `} {
		if !strings.Contains(e.String(), "sealcam_keeper_certificate_expires_seconds"+line) {
			t.Errorf("%q is not in %s", line, e.Bytes())
		}
	}
}

// Another keeper's identity in the place of this one's is not taken.
func TestKeepStaysItself(t *testing.T) {
	w := newPaperwork(t)
	if _, err := w.home.AddKeeper("cellar", ""); err != nil {
		t.Fatal(err)
	}
	w.flags.identity = w.home.KeeperDir("cellar")
	before := w.own.Load()
	if err := w.readOwn(); err == nil || w.own.Load() != before {
		t.Errorf("it took another keeper's certificate: %v", err)
	}
}

// Who is on the list of revoked certificates is not let in, from the look on that finds
// the list changed; a list that makes no sense leaves the one before in force.
func TestKeepRevokes(t *testing.T) {
	w := newPaperwork(t)
	phone, err := w.home.AddViewer("phone")
	if err != nil {
		t.Fatal(err)
	}
	desk, err := w.home.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	list := func() {
		t.Helper()
		text, err := w.home.Revoked()
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, "revoked.crl", text)
		if err := os.Chtimes(w.flags.crl, w.now, w.now); err != nil { // however coarse the clock of files is
			t.Fatal(err)
		}
	}
	list()
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: w.brokerTLS(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	if err := w.revoke(b); err != nil {
		t.Fatal(err)
	}
	enters := func(who *identity.Viewer) error {
		c, err := mqtt.Dial(t.Context(), mqtt.Config{URL: b.URL(), TLS: who.TLS(), ClientID: who.Name()})
		if err == nil {
			t.Cleanup(c.Close)
		}
		return err
	}
	if err := errors.Join(enters(phone), enters(desk)); err != nil {
		t.Fatal(err)
	}
	inside, err := mqtt.Dial(t.Context(), mqtt.Config{URL: b.URL(), TLS: phone.TLS(), ClientID: "inside"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inside.Close)
	if err := w.home.RemoveViewer("phone"); err != nil {
		t.Fatal(err)
	}
	list()
	w.look(b, w.told)
	select {
	case <-inside.Done():
	case <-time.After(time.Minute):
		t.Error("who was revoked stays in")
	}
	if enters(phone) == nil {
		t.Error("who was revoked comes in again")
	}
	if err := enters(desk); err != nil {
		t.Error(err)
	}
	w.write(t, "revoked.crl", []byte("no list"))
	if err := os.Chtimes(w.flags.crl, w.now.Add(time.Hour), w.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.look(b, w.told)
	if !strings.Contains(w.log.String(), "list of revoked certificates") || enters(phone) == nil {
		t.Errorf("what is no list takes the place of one: %s", w.log)
	}
}
