package identity_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

func roster(t *testing.T, h *identity.Household) *seal.Roster {
	t.Helper()
	r, _, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHouseholdIsWhatWasCreated(t *testing.T) {
	h := newHousehold(t)
	again, err := identity.OpenHousehold(h.Dir(), clock)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != h.ID() || again.Broker() != h.Broker() || !bytes.Equal(again.Authority(), h.Authority()) {
		t.Error("opened again it is another household")
	}
	if id, err := seal.HouseholdIDOf(h.Owner().Public()); err != nil || id != h.ID() {
		t.Errorf("id %s is not that of the owner key, %s, %v", h.ID(), id, err)
	}
	if r := roster(t, again); r.Version != 1 || len(r.Cameras)+len(r.Viewers) != 0 || !r.Issued.Equal(someday) {
		t.Errorf("first roster: %+v", r)
	}
	if _, err := identity.CreateHousehold(h.Dir(), "", clock); !errors.Is(err, identity.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
}

func TestNoHousehold(t *testing.T) {
	dir := t.TempDir()
	for _, dir := range []string{dir, filepath.Join(dir, "absent")} {
		if _, err := identity.OpenHousehold(dir, clock); !errors.Is(err, identity.ErrNoHousehold) {
			t.Errorf("OpenHousehold(%s): %v", dir, err)
		}
		if _, err := identity.OpenViewer(dir, ""); !errors.Is(err, identity.ErrNoHousehold) {
			t.Errorf("OpenViewer(%s): %v", dir, err)
		}
	}
	for _, broker := range []string{"broker", "http://x", "mqtts://", "mqtts://u:p@x", "mqtts://x/y", "mqtts://x?y"} {
		if _, err := identity.CreateHousehold(filepath.Join(dir, "h"), broker, clock); err == nil {
			t.Errorf("broker %q accepted", broker)
		}
	}
}

func TestCreateAfterAPowerCut(t *testing.T) {
	h := newHousehold(t)
	if err := os.Remove(filepath.Join(h.Dir(), "owner.key")); err != nil { // the last file that is written
		t.Fatal(err)
	}
	again, err := identity.CreateHousehold(h.Dir(), "", clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenHousehold(h.Dir(), clock); err != nil || again.ID() == h.ID() {
		t.Errorf("not made anew: %v", err)
	}
}

func TestCamerasComeAndGo(t *testing.T) {
	h := newHousehold(t)
	a, _ := newCamera(t)
	b, _ := newCamera(t)
	for c, name := range map[*identity.Camera]string{a: "Garden", b: "Door"} {
		if err := h.AddCamera(c.ID(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.AddCamera(a.ID(), "Shed"); !errors.Is(err, identity.ErrKnownCamera) {
		t.Errorf("a camera twice: %v", err)
	}
	other, _ := newCamera(t)
	if err := h.AddCamera(other.ID(), "Door"); !errors.Is(err, identity.ErrKnownName) {
		t.Errorf("a name twice: %v", err)
	}
	if err := h.AddCamera("nonsense", "Shed"); err == nil {
		t.Error("nonsense has become a camera")
	}
	if err := h.AddCamera(other.ID(), "Shed\x1b[2J"); seal.ReasonOf(err) != seal.Malformed {
		t.Errorf("a name that clears the screen: %v", err)
	}
	if r := roster(t, h); r.Version != 3 || len(r.Cameras) != 2 {
		t.Errorf("roster %d with %d cameras, want 3 with 2", r.Version, len(r.Cameras))
	}

	if err := h.RemoveCamera(a.ID()); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveCamera(a.ID()); !errors.Is(err, identity.ErrNoSuchCamera) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := h.Pair(a.ID(), nil); !errors.Is(err, identity.ErrNoSuchCamera) {
		t.Errorf("paired after its removal: %v", err)
	}
	if r := roster(t, h); r.Version != 4 || len(r.Cameras) != 1 || !slices.Equal(r.Revoked, []seal.CameraID{a.ID()}) {
		t.Errorf("after a removal: roster %d, cameras %v, revoked %v", r.Version, r.Cameras, r.Revoked)
	}
	if err := h.AddCamera(a.ID(), "Garden"); err != nil {
		t.Fatal(err)
	}
	if r := roster(t, h); len(r.Cameras) != 2 || len(r.Revoked) != 0 {
		t.Errorf("after its return: cameras %v, revoked %v", r.Cameras, r.Revoked)
	}
}

func TestPairAgainFromTheStoredRequest(t *testing.T) {
	h := newHousehold(t)
	c, _ := newCamera(t)
	pair(t, h, c, "Garden")
	if err := h.SetBroker("mqtts://other.lan"); err != nil {
		t.Fatal(err)
	}
	p, err := h.Pair(c.ID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Claim(p); err != nil || c.Broker() != "mqtts://other.lan" {
		t.Errorf("claimed with %v, broker %s", err, c.Broker())
	}
}

func TestViewersComeAndGo(t *testing.T) {
	h := newHousehold(t)
	if _, err := identity.OpenViewer(h.Dir(), ""); !errors.Is(err, identity.ErrNoSuchViewer) {
		t.Errorf("the only one of none: %v", err)
	}
	desk, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := identity.OpenViewer(h.Dir(), ""); err != nil || v.Name() != "desk" || v.Key().ID() != desk.Key().ID() {
		t.Errorf("the only one: %v, %v", v, err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenViewer(h.Dir(), ""); err == nil || !strings.Contains(err.Error(), "desk, phone") {
		t.Errorf("the only one of two: %v", err)
	}
	if _, err := h.AddViewer("phone"); !errors.Is(err, identity.ErrKnownName) {
		t.Errorf("a name twice: %v", err)
	}
	for _, name := range []string{"", "Phone", "-x", "a/b", "..", "a b", "viewer\n", strings.Repeat("x", 33), "+", "#"} {
		if _, err := h.AddViewer(name); err == nil {
			t.Errorf("viewer %q accepted", name)
		}
	}
	if r := roster(t, h); r.Version != 3 || len(r.Viewers) != 2 {
		t.Errorf("roster %d with %d viewers", r.Version, len(r.Viewers))
	}
	if r := roster(t, h); r.Viewers[0].ID() != desk.Key().ID() || r.Viewers[0].Name != "desk" {
		t.Errorf("the roster does not list the desk's own key: %+v", r.Viewers[0])
	}

	if err := h.RemoveViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveViewer("phone"); !errors.Is(err, identity.ErrNoSuchViewer) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := identity.OpenViewer(h.Dir(), "phone"); !errors.Is(err, identity.ErrNoSuchViewer) {
		t.Errorf("opened after its removal: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.Dir(), "removed", "phone-4", "viewer.key")); err != nil {
		t.Errorf("its key was not set aside: %v", err)
	}
	if r := roster(t, h); r.Version != 4 || len(r.Viewers) != 1 {
		t.Errorf("roster %d with %d viewers", r.Version, len(r.Viewers))
	}
	if again, err := h.AddViewer("phone"); err != nil || again.Key().ID() == desk.Key().ID() {
		t.Errorf("a new phone: %v", err)
	}
}

func TestViewerRosterOnlyRises(t *testing.T) {
	h := newHousehold(t)
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := h.ExportViewer("desk", away); err != nil {
		t.Fatal(err)
	}
	if v, err = identity.OpenViewer(away, ""); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveViewer("desk"); err != nil {
		t.Fatal(err)
	}
	_, second, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	if news, err := v.SetRoster(second); err != nil || !news {
		t.Errorf("a newer roster: news %v, %v", news, err)
	}
	if news, err := v.SetRoster(second); err != nil || news {
		t.Errorf("the same again: news %v, %v", news, err)
	}
	again, err := identity.OpenViewer(away, "desk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.SetRoster(first); seal.ReasonOf(err) != seal.Replayed || again.Roster().Version != 3 {
		t.Errorf("an older roster after a restart: %v, has %d", err, again.Roster().Version)
	}
}

func TestExportedViewerHoldsNoOwnerKey(t *testing.T) {
	h := newHousehold(t)
	if _, err := h.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := h.ExportViewer("phone", away); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(away, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(away, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	want := []string{"ca.crt", "household.json", "roster", "viewers/phone/tls.crt", "viewers/phone/tls.key", "viewers/phone/viewer.key"}
	if err != nil || !slices.Equal(files, want) {
		t.Errorf("exported %v, want %v, %v", files, want, err)
	}
	if _, err := identity.OpenHousehold(away, clock); !errors.Is(err, identity.ErrNotOwner) {
		t.Errorf("opened as owner: %v", err)
	}
	if err := h.ExportViewer("phone", away); err == nil {
		t.Error("exported over an existing directory")
	}
}

func TestViewerStateSurvives(t *testing.T) {
	h := newHousehold(t)
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	if v.State() != nil {
		t.Error("a new viewer remembers something")
	}
	if err := v.SetState(bytes.Repeat([]byte("s"), 3<<20)); err != nil {
		t.Fatal(err)
	}
	if v, err = identity.OpenViewer(h.Dir(), ""); err != nil || len(v.State()) != 3<<20 {
		t.Errorf("opened again: %d bytes, %v", len(v.State()), err)
	}
}

func TestOneAtATime(t *testing.T) {
	h := newHousehold(t)
	lock := filepath.Join(h.Dir(), "lock")
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := h.AddViewer("desk")
	var locked *identity.LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Hint(), "rm "+lock) {
		t.Errorf("under another program's lock: %v", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}

	// However many programs change a household at once, no change is lost.
	var added sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			other, err := identity.OpenHousehold(h.Dir(), clock)
			if err != nil {
				t.Error(err)
				return
			}
			name := "v" + string(rune('a'+i))
			key, err := seal.NewViewerKey(nil)
			if err != nil {
				t.Error(err)
				return
			}
			public := key.Public()
			public.Name = name
			for {
				err := other.EnrollViewer(public)
				if errors.As(err, new(*identity.LockedError)) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				added.Store(name, true)
				return
			}
		})
	}
	wg.Wait()
	r := roster(t, h)
	if len(r.Viewers) != 8 || r.Version != 9 {
		t.Errorf("%d viewers at version %d, want 8 at 9", len(r.Viewers), r.Version)
	}
}

func TestFullRoster(t *testing.T) {
	h := newHousehold(t)
	for i := range seal.MaxCameras + 1 {
		id := seal.CameraID(strings.Repeat(string([]byte{byte('a' + i/26%26), byte('a' + i%26)}), 25) + "aa")
		err := h.AddCamera(id, "c"+string(rune('0'+i/100))+string(rune('0'+i/10%10))+string(rune('0'+i%10)))
		if i < seal.MaxCameras && err != nil {
			t.Fatalf("camera %d: %v", i, err)
		}
		if i == seal.MaxCameras && (err == nil || len(roster(t, h).Cameras) != seal.MaxCameras) {
			t.Errorf("camera %d: %v, and the roster has %d", i, err, len(roster(t, h).Cameras))
		}
	}
}

// handshake connects a client to a server in memory and returns the client's
// name as the server saw it.
func handshake(t *testing.T, server, client *tls.Config) (string, error) {
	t.Helper()
	a, b := net.Pipe()
	deadline := time.Now().Add(20 * time.Second)
	_ = a.SetDeadline(deadline)
	_ = b.SetDeadline(deadline)
	clientErr := make(chan error, 1)
	go func() {
		defer b.Close()
		conn := tls.Client(b, client)
		_, err := io.ReadAll(conn) // in TLS 1.3 a refused certificate shows on the first read
		clientErr <- err
	}()
	conn := tls.Server(a, server)
	err := conn.Handshake()
	name := ""
	if err == nil {
		name = conn.ConnectionState().PeerCertificates[0].Subject.CommonName
		_ = conn.Close()
	}
	_ = a.Close()
	return name, errors.Join(err, <-clientErr)
}

func TestTLS(t *testing.T) {
	h, stranger := newHousehold(t), newHousehold(t)
	c, _ := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	server := func(h *identity.Household) *tls.Config {
		conf, err := h.ServerTLS("broker.lan", "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		conf.Time = clock
		return conf
	}
	client := func(conf *tls.Config, err error) *tls.Config {
		if err != nil {
			t.Fatal(err)
		}
		conf.ServerName, conf.Time = "broker.lan", clock
		return conf
	}
	if name, err := handshake(t, server(h), client(c.TLS())); err != nil || name != string(c.ID()) {
		t.Errorf("camera: known as %q, %v", name, err)
	}
	if name, err := handshake(t, server(h), client(v.TLS(), nil)); err != nil || name != "viewer-desk" {
		t.Errorf("viewer: known as %q, %v", name, err)
	}
	byAddress := client(c.TLS())
	byAddress.ServerName = "127.0.0.1"
	if _, err := handshake(t, server(h), byAddress); err != nil {
		t.Errorf("by address: %v", err)
	}
	if _, err := handshake(t, server(stranger), client(c.TLS())); err == nil {
		t.Error("a camera talks to a stranger's broker")
	}
	wrongName := client(c.TLS())
	wrongName.ServerName = "elsewhere.lan"
	if _, err := handshake(t, server(h), wrongName); err == nil {
		t.Error("a camera talks to a broker of another name")
	}
	naked := client(c.TLS())
	naked.Certificates = nil
	if _, err := handshake(t, server(h), naked); err == nil {
		t.Error("a broker takes a client without a certificate")
	}
	if leaf := client(c.TLS()).Certificates[0].Leaf; !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || leaf.IsCA {
		t.Errorf("a camera's certificate is good for %v, authority %v", leaf.ExtKeyUsage, leaf.IsCA)
	}
	asClient := client(c.TLS())
	asClient.Certificates = server(h).Certificates
	if _, err := handshake(t, server(h), asClient); err == nil {
		t.Error("a broker's certificate serves as a client's")
	}
	late := client(c.TLS())
	late.Time = func() time.Time { return someday.AddDate(11, 0, 0) }
	if _, err := handshake(t, server(h), late); err == nil {
		t.Error("an expired broker is believed")
	}
}

func TestIssueServerRefusesWhatIsNoHost(t *testing.T) {
	h := newHousehold(t)
	for _, hosts := range [][]string{nil, {""}, {"a b"}, {"x/y"}, {"*.lan"}, {"ok.lan", "new\nline"}} {
		if _, _, err := h.IssueServer(hosts...); err == nil {
			t.Errorf("%q: issued", hosts)
		}
	}
	cert, key, err := h.IssueServer("broker.lan", "::1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		t.Error(err)
	}
	block, _ := pem.Decode(cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil || leaf.NotBefore.After(someday) || !slices.Equal(leaf.DNSNames, []string{"broker.lan"}) || len(leaf.IPAddresses) != 1 {
		t.Errorf("certificate from %v for %v %v, %v", leaf.NotBefore, leaf.DNSNames, leaf.IPAddresses, err)
	}
}

func TestPairRefusesForeignRequests(t *testing.T) {
	h := newHousehold(t)
	c, _ := newCamera(t)
	if err := h.AddCamera(c.ID(), "Garden"); err != nil {
		t.Fatal(err)
	}
	csr, err := c.CertificateRequest()
	if err != nil {
		t.Fatal(err)
	}
	forged := append([]byte(nil), csr...)
	forged[len(forged)-1] ^= 1
	for name, bad := range map[string][]byte{"garbage": []byte("x"), "empty": {}, "signature broken": forged, "too large": make([]byte, seal.MaxCSR+1)} {
		if _, err := h.Pair(c.ID(), bad); err == nil {
			t.Errorf("%s: certified", name)
		}
	}
	if _, err := h.Pair(c.ID(), nil); err == nil {
		t.Error("certified without any request")
	}
	if _, err := h.Pair(c.ID(), csr); err != nil {
		t.Error(err)
	}
}

func TestViewerFollowsItsHouseholdsDirectory(t *testing.T) {
	h := newHousehold(t)
	v, err := h.AddViewer("desk")
	if err != nil {
		t.Fatal(err)
	}
	if news, err := v.Refresh(); news || err != nil {
		t.Errorf("nothing has changed: news %v, %v", news, err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	_, signed, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	if news, err := v.Refresh(); !news || err != nil || v.Roster().Version != 3 || !bytes.Equal(v.SignedRoster(), signed) {
		t.Errorf("a viewer more: news %v, roster %d, %v", news, v.Roster().Version, err)
	}
	if news, err := v.Refresh(); news || err != nil {
		t.Errorf("nothing more has changed: news %v, %v", news, err)
	}
	ahead, err := seal.SignRoster(h.Owner(), seal.Roster{Version: 9, Issued: someday})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.SetRoster(ahead); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveViewer("phone"); err != nil {
		t.Fatal(err)
	}
	if news, err := v.Refresh(); news || err != nil || v.Roster().Version != 9 {
		t.Errorf("the directory is behind: news %v, roster %d, %v", news, v.Roster().Version, err)
	}
}
