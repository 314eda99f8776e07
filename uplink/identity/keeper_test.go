package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// meet shakes hands over a real connection, and returns what either side says of it.
func meet(t *testing.T, server, client *tls.Config, name string) error {
	t.Helper()
	client.ServerName = name
	client.Time, server.Time = clock, clock
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, err = tls.Server(conn, server).Write([]byte("x")) // after the handshake
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, err = io.ReadFull(tls.Client(conn, client), make([]byte, 1)) // in TLS 1.3 a refused certificate shows here
	conn.Close()
	return errors.Join(err, <-done)
}

// TestKeeper: its key is in the roster, and its certificate is good for the broker
// and for who reads from it, wherever its directory was copied.
func TestKeeper(t *testing.T) {
	h := newHousehold(t)
	made, err := h.AddKeeper("cellar", "https://cellar.example:8443", "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "identity")
	if err := os.Rename(h.KeeperDir("cellar"), elsewhere); err != nil {
		t.Fatal(err)
	}
	k, err := identity.OpenKeeper(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	entry, ok := roster(t, h).Keeper(k.ID())
	if !ok || entry.Name != "cellar" || entry.URL != k.URL() || k.ID() != made.ID() || k.Household() != h.ID() || k.Broker() != h.Broker() {
		t.Errorf("in the roster as %+v (%v); here %s of %s", entry, ok, k.Name(), k.Household())
	}
	if roster(t, h).Prev == [32]byte{} {
		t.Error("the roster does not say which one it follows")
	}
	viewer, err := h.AddViewer("phone")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := newHousehold(t).AddViewer("phone")
	if err != nil {
		t.Fatal(err)
	}
	anonymous := viewer.TLS()
	anonymous.Certificates = nil
	for _, name := range []string{"cellar.example", "192.0.2.7"} {
		if err := meet(t, k.ServerTLS(), anonymous.Clone(), name); err != nil {
			t.Errorf("reading from %s: %v", name, err)
		}
	}
	if err := meet(t, k.ServerTLS(), anonymous.Clone(), "attic.example"); err == nil {
		t.Error("it passes for another host")
	}
	if err := meet(t, k.ServerTLS(), stranger.TLS(), "cellar.example"); err == nil {
		t.Error("another household believes it")
	}
	if err := meet(t, k.BrokerTLS(), viewer.TLS(), "cellar.example"); err != nil {
		t.Errorf("a viewer at its broker: %v", err)
	}
	intruder := anonymous.Clone()
	intruder.Certificates = stranger.TLS().Certificates
	if err := meet(t, k.BrokerTLS(), intruder, "cellar.example"); err == nil {
		t.Error("another household's viewer is let in at its broker")
	}
	broker, err := h.ServerTLS("broker.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := meet(t, broker, k.TLS(), "broker.example"); err != nil {
		t.Errorf("at the household's broker: %v", err)
	}
	if leaf := k.TLS().Certificates[0].Leaf; leaf.Subject.CommonName != "keeper-cellar" {
		t.Errorf("certificate for %q", leaf.Subject.CommonName)
	}
}

// TestKeeperRenewed: a certificate is signed anew for the same keys.
func TestKeeperRenewed(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "home"), someday
	h, err := identity.CreateHousehold(dir, "", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	old, err := h.AddKeeper("cellar", "https://cellar.example")
	if err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(9, 0, 0)
	k, err := h.RenewKeeper("cellar")
	if err != nil {
		t.Fatal(err)
	}
	if k.ID() != old.ID() || k.Expires().Sub(old.Expires()) < 8*365*24*time.Hour {
		t.Errorf("%s until %s, before that %s until %s", k.ID(), k.Expires(), old.ID(), old.Expires())
	}
	leaf := k.ServerTLS().Certificates[0].Leaf
	if err := leaf.VerifyHostname("cellar.example"); err != nil || roster(t, h).Version != 2 {
		t.Errorf("%v; roster %d", err, roster(t, h).Version)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.Authority())
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"attic", "../home", ""} {
		if _, err := h.RenewKeeper(name); err == nil {
			t.Errorf("renewed %q", name)
		}
	}
}

// TestKeeperGoes: out of the roster, and its keys set aside.
func TestKeeperGoes(t *testing.T) {
	h := newHousehold(t)
	k, err := h.AddKeeper("cellar", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddKeeper("cellar", ""); !errors.Is(err, identity.ErrKnownName) {
		t.Errorf("twice: %v", err)
	}
	if err := h.RemoveKeeper("cellar"); err != nil {
		t.Fatal(err)
	}
	if _, ok := roster(t, h).Keeper(k.ID()); ok {
		t.Error("still in the roster")
	}
	if _, err := identity.OpenKeeper(h.KeeperDir("cellar")); !errors.Is(err, identity.ErrNoKeeper) {
		t.Errorf("its keys: %v", err)
	}
	if err := h.RemoveKeeper("cellar"); !errors.Is(err, identity.ErrNoSuchKeeper) {
		t.Errorf("removed again: %v", err)
	}
	for _, url := range []string{"http://cellar", "https://", "https://cellar/", "https://u@cellar", "cellar:8443", "https://cellar?x"} {
		if _, err := h.AddKeeper("attic", url); err == nil {
			t.Errorf("URL %q", url)
		}
	}
	if _, err := h.AddKeeper("Attic!", ""); err == nil {
		t.Error("a name that no certificate may have")
	}
}

// TestKeeperGuardsItsKeys: what others can read, or what is not a keeper, is refused.
func TestKeeperGuardsItsKeys(t *testing.T) {
	h := newHousehold(t)
	if _, err := h.AddKeeper("cellar", ""); err != nil {
		t.Fatal(err)
	}
	dir := h.KeeperDir("cellar")
	if os.PathSeparator == '/' {
		for _, name := range []string{"keeper.key", "tls.key"} {
			if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
				t.Fatal(err)
			}
			var open *identity.PermissionError
			if _, err := identity.OpenKeeper(dir); !errors.As(err, &open) {
				t.Errorf("%s that all can read: %v", name, err)
			}
			if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(dir, "keeper.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for old, new := range map[string]string{`"sealcam_keeper": 1`: `"sealcam_keeper": 2`, `"name": "cellar"`: `"name": "Cellar"`, `"household": "`: `"household": "x`, `"name"`: `"nom"`} {
		changed := strings.Replace(string(text), old, new, 1)
		if changed == string(text) {
			t.Fatalf("no %s in %s", old, text)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := identity.OpenKeeper(dir); err == nil {
			t.Errorf("opened with %s", new)
		}
	}
}

// TestRolesAndGroups: the owner says them, and somebody can always watch.
func TestRolesAndGroups(t *testing.T) {
	h := newHousehold(t)
	for _, name := range []string{"phone", "guard"} {
		if _, err := h.AddViewer(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.SetRoles("guard", seal.MayCommand|seal.MayAdd); err != nil {
		t.Fatal(err)
	}
	before := roster(t, h).Version
	if err := h.SetRoles("phone", seal.MayCommand); !errors.Is(err, identity.ErrNobodyWatches) {
		t.Errorf("nobody watches: %v", err)
	}
	if err := h.SetRoles("nobody", seal.MayWatch); !errors.Is(err, identity.ErrNoSuchViewer) {
		t.Error(err)
	}
	r := roster(t, h)
	if r.Version != before || r.Viewers[1].Roles != seal.MayCommand|seal.MayAdd || r.Viewers[0].Roles != seal.DefaultRoles {
		t.Errorf("roster %d: %s, %s", r.Version, r.Viewers[0].Roles, r.Viewers[1].Roles)
	}
	c, _ := newCamera(t)
	if err := h.AddCamera(c.ID(), "Gate"); err != nil {
		t.Fatal(err)
	}
	if err := h.SetGroups(c.ID(), []string{"west", "gates", "west"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := roster(t, h).Camera(c.ID()); strings.Join(got.Groups, " ") != "gates west" {
		t.Errorf("groups %q", got.Groups)
	}
	if err := h.SetGroups(c.ID(), []string{"East wing"}); err == nil {
		t.Error("a group that is no token")
	}
	if err := h.SetGroups("nobody", nil); !errors.Is(err, identity.ErrNoSuchCamera) {
		t.Error(err)
	}
}
