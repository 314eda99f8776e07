package identity_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

func TestMain(m *testing.M) {
	// A loose umask must not show in what this package writes.
	setUmask()
	os.Exit(m.Run())
}

var someday = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func clock() time.Time { return someday }

func newHousehold(t *testing.T) *identity.Household {
	t.Helper()
	h, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "home"), "mqtts://broker.lan:8883", clock)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newCamera(t *testing.T) (*identity.Camera, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	return openCamera(t, dir), dir
}

func openCamera(t *testing.T, dir string) *identity.Camera {
	t.Helper()
	c, err := identity.OpenCamera(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pair adds c to h and returns its pairing, the way files carry it.
func pair(t *testing.T, h *identity.Household, c *identity.Camera, name string) identity.Pairing {
	t.Helper()
	request, err := c.Request("test 1")
	if err != nil {
		t.Fatal(err)
	}
	hello, err := identity.ParseRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddCamera(hello.Camera, name); err != nil {
		t.Fatal(err)
	}
	p, err := h.Pair(hello.Camera, hello.CSR)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	p, err = identity.ParsePairing(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCameraKeepsItsNameOverReboots(t *testing.T) {
	c, dir := newCamera(t)
	if _, err := seal.ParseCameraID(string(c.ID())); err != nil {
		t.Error(err)
	}
	if id, err := seal.CameraIDOf(c.Signer().Public()); err != nil || id != c.ID() {
		t.Errorf("id %s is not that of the signing key, %s, %v", c.ID(), id, err)
	}
	if again := openCamera(t, dir); again.ID() != c.ID() {
		t.Errorf("opened again it is %s, was %s", again.ID(), c.ID())
	}
	if other, _ := newCamera(t); other.ID() == c.ID() {
		t.Error("two cameras have one id")
	}
}

func TestUnclaimedCamera(t *testing.T) {
	c, _ := newCamera(t)
	if c.Claimed() || c.Roster() != nil || c.Household() != "" || c.Broker() != "" {
		t.Error("a new camera belongs to somebody")
	}
	if _, err := c.TLS(); !errors.Is(err, identity.ErrUnclaimed) {
		t.Errorf("TLS: %v", err)
	}
	if err := c.SetRoster([]byte("x")); !errors.Is(err, identity.ErrUnclaimed) {
		t.Errorf("SetRoster: %v", err)
	}
}

func TestClaim(t *testing.T) {
	h := newHousehold(t)
	c, dir := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*identity.Camera{c, openCamera(t, dir)} {
		if !c.Claimed() || c.Household() != h.ID() || c.Broker() != "mqtts://broker.lan:8883" {
			t.Errorf("claimed %v by %s at %s", c.Claimed(), c.Household(), c.Broker())
		}
		if got, ok := c.Roster().Camera(c.ID()); !ok || got.Name != "Garden" || !got.Since.Equal(someday) {
			t.Errorf("roster says %+v, %v", got, ok)
		}
	}
}

func TestClaimRefuses(t *testing.T) {
	h, stranger := newHousehold(t), newHousehold(t)
	c, dir := newCamera(t)
	other, _ := newCamera(t)
	good := pair(t, h, c, "Garden")
	foreign := pair(t, stranger, c, "Garden")
	forOther := pair(t, h, other, "Door")

	csr, err := c.CertificateRequest()
	if err != nil {
		t.Fatal(err)
	}
	misnamed, err := h.Pair(other.ID(), csr)
	if err != nil {
		t.Fatal(err)
	}

	for name, edit := range map[string]func(p *identity.Pairing){
		"certificate of another name":   func(p *identity.Pairing) { p.Certificate = misnamed.Certificate },
		"another camera's":              func(p *identity.Pairing) { *p = forOther },
		"another camera's, renamed":     func(p *identity.Pairing) { *p = forOther; p.Camera = c.ID() },
		"certificate of another":        func(p *identity.Pairing) { p.Certificate = forOther.Certificate },
		"certificate by another":        func(p *identity.Pairing) { p.Certificate = foreign.Certificate },
		"authority of another":          func(p *identity.Pairing) { p.Authority = foreign.Authority },
		"roster of another household":   func(p *identity.Pairing) { p.Roster = foreign.Roster },
		"roster altered":                func(p *identity.Pairing) { p.Roster = append([]byte{0}, p.Roster...) },
		"roster without this camera":    func(p *identity.Pairing) { p.Roster = emptyRoster(t, h) },
		"household without its roster":  func(p *identity.Pairing) { p.Household = stranger.ID() },
		"no certificate":                func(p *identity.Pairing) { p.Certificate = nil },
		"two certificates in one":       func(p *identity.Pairing) { p.Certificate = append(p.Certificate, p.Authority...) },
		"authority that is no PEM text": func(p *identity.Pairing) { p.Authority = []byte("-----BEGIN") },
	} {
		p := good
		edit(&p)
		if err := c.Claim(p); err == nil {
			t.Errorf("%s: claimed", name)
		}
		if c.Claimed() || openCamera(t, dir).Claimed() {
			t.Fatalf("%s: refused, and claimed all the same", name)
		}
	}

	if err := c.Claim(good); err != nil {
		t.Fatal(err)
	}
	if err := c.Claim(foreign); !errors.Is(err, identity.ErrClaimed) {
		t.Errorf("a second household: %v", err)
	}
	if err := c.Claim(good); err != nil {
		t.Errorf("its own pairing again: %v", err)
	}
}

// emptyRoster returns a roster of h that lists nobody.
func emptyRoster(t *testing.T, h *identity.Household) []byte {
	t.Helper()
	signed, err := seal.SignRoster(h.Owner(), seal.Roster{Version: 900, Issued: someday})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestCameraRosterOnlyRises(t *testing.T) {
	h := newHousehold(t)
	c, dir := newCamera(t)
	p := pair(t, h, c, "Garden")
	if err := c.Claim(p); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	_, newer, err := h.Roster()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetRoster(newer); err != nil {
		t.Fatal(err)
	}
	if err := c.SetRoster(newer); err != nil {
		t.Errorf("the same roster again: %v", err)
	}
	if err := c.SetRoster(p.Roster); seal.ReasonOf(err) != seal.Replayed {
		t.Errorf("an older roster: %v", err)
	}
	stranger := newHousehold(t)
	if err := c.SetRoster(emptyRoster(t, stranger)); seal.ReasonOf(err) != seal.NotForYou {
		t.Errorf("a stranger's roster: %v", err)
	}
	forged := append([]byte(nil), newer...)
	forged[len(forged)-1] ^= 1
	if err := c.SetRoster(forged); seal.ReasonOf(err) != seal.BrokenSeal {
		t.Errorf("a forged roster: %v", err)
	}
	for _, c := range []*identity.Camera{c, openCamera(t, dir)} {
		if v := c.Roster().Version; v != 3 || len(c.Roster().Viewers) != 1 {
			t.Errorf("roster %d with %d viewers, want 3 with 1", v, len(c.Roster().Viewers))
		}
		if err := c.SetRoster(p.Roster); seal.ReasonOf(err) != seal.Replayed {
			t.Errorf("an older roster after a reboot: %v", err)
		}
	}
}

func TestGuardStateSurvives(t *testing.T) {
	h := newHousehold(t)
	c, dir := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	if c.GuardState() != nil {
		t.Error("a new camera remembers commands")
	}
	if err := c.SetGuardState([]byte("counted")); err != nil {
		t.Fatal(err)
	}
	if got := string(openCamera(t, dir).GuardState()); got != "counted" {
		t.Errorf("after a reboot: %q", got)
	}
}

func TestResetMakesANewCamera(t *testing.T) {
	h := newHousehold(t)
	c, dir := newCamera(t)
	p := pair(t, h, c, "Garden")
	if err := c.Claim(p); err != nil {
		t.Fatal(err)
	}
	if err := c.SetGuardState([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left after a reset: %v", left)
	}
	again := openCamera(t, dir)
	if again.ID() == c.ID() || again.Claimed() {
		t.Errorf("after a reset: id %s (was %s), claimed %v", again.ID(), c.ID(), again.Claimed())
	}
	if err := again.Claim(p); !errors.Is(err, identity.ErrPairing) {
		t.Errorf("the old pairing: %v", err)
	}
}

// A power cut in the middle of a reset must not leave a camera with a new key
// and an old owner.
func TestResetCutOff(t *testing.T) {
	h := newHousehold(t)
	c, dir := newCamera(t)
	if err := c.Claim(pair(t, h, c, "Garden")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "camera.key")); err != nil { // what Reset does first
		t.Fatal(err)
	}
	again := openCamera(t, dir)
	if again.Claimed() || again.ID() == c.ID() {
		t.Errorf("claimed %v, id %s (was %s)", again.Claimed(), again.ID(), c.ID())
	}
}

// A reset overwrites what it deletes, also of a camera that is damaged.
func TestResetOfADamagedCamera(t *testing.T) {
	c, dir := newCamera(t)
	key := filepath.Join(dir, "camera.key")
	secret, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "kept") // the same bytes on the disk, by another name
	if err := os.Link(key, kept); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pairing.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := identity.ResetCamera(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadFile(kept); err != nil || len(left) != len(secret) || strings.Trim(string(left), "\x00") != "" {
		t.Errorf("the key was not overwritten: %q, %v", left, err)
	}
	if again := openCamera(t, dir); again.ID() == c.ID() {
		t.Error("the same camera")
	}
	if err := identity.ResetCamera(filepath.Join(dir, "none")); err != nil {
		t.Errorf("of none: %v", err)
	}
}
