package main

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/page"
	"github.com/sealcam/sealcam/cmd/internal/pairing"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// pairState waits until a pairing has come to a step.
func pairState(t *testing.T, i *inviter, step page.PairStep) page.PairState {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		s := i.State()
		if s.Step == step {
			return s
		}
		if time.Now().After(limit) {
			t.Fatalf("waited for %q, it is %+v", step, s)
		}
	}
}

// TestViewPairs takes a camera in as the owner's page does: it begins, the
// camera follows the code, a person compares, and the camera is the household's.
func TestViewPairs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "house")
	house, err := identity.CreateHousehold(dir, "mqtts://broker.lan:8883", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	i, token := newInviter(t.Context(), dir, log)
	if i == nil || len(token) < 20 {
		t.Fatalf("the owner has no inviter, or an open one: token %q", token)
	}
	defer i.Stop()
	i.with = pairing.Config{Listen: "127.0.0.1:0", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	if err := i.Start("  "); err == nil {
		t.Error("a camera without a name is taken in")
	}
	i.Confirm(true) // nobody has asked: nothing happens
	begin := func() (page.PairState, *identity.Code) {
		t.Helper()
		if err := i.Start(" Front door "); err != nil {
			t.Fatal(err)
		}
		code, err := identity.ParseCode(i.session.Text())
		if err != nil {
			t.Fatal(err)
		}
		return pairState(t, i, page.PairShown), code
	}
	s, _ := begin()
	if s.Name != "Front door" || len(s.Modules) != s.Size*s.Size || s.Size < 21 || s.Expires < time.Now().UnixMilli() {
		t.Errorf("shown: %+v", s)
	}
	_, code := begin() // another code: the one before is worth nothing

	camera, err := identity.OpenCamera(filepath.Join(t.TempDir(), "camera"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(code *identity.Code) <-chan error {
		done := make(chan error, 1)
		go func() { done <- (&pairing.Asker{Camera: camera, Firmware: "1.2", Log: log}).Ask(t.Context(), code) }()
		return done
	}
	declined := ask(code)
	if s := pairState(t, i, page.PairRead); s.Camera != camera.ID() || len(s.Words) < 5 || s.Firmware != "1.2" || s.Modules != "" {
		t.Errorf("read: %+v", s)
	}
	i.Confirm(false)
	if s := pairState(t, i, page.PairFailed); s.Why == "" || s.Words != "" {
		t.Errorf("declined: %+v", s)
	}
	if err := <-declined; seal.ReasonOf(err) != seal.NotForYou {
		t.Errorf("the camera was told %v", err)
	}

	_, code = begin()
	done := ask(code)
	pairState(t, i, page.PairRead)
	i.Confirm(true)
	pairState(t, i, page.PairDone)
	if err := <-done; err != nil || camera.Household() != house.ID() {
		t.Errorf("the camera ended with %v, of household %q", err, camera.Household())
	}
	about, err := identity.ReadHousehold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := about.Roster.Camera(camera.ID()); !ok || c.Name != "Front door" {
		t.Errorf("the roster has %+v", about.Roster.Cameras)
	}

	if _, err := house.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	phone := filepath.Join(t.TempDir(), "phone")
	if err := house.ExportViewer("desk", phone); err != nil {
		t.Fatal(err)
	}
	if i, token := newInviter(t.Context(), phone, log); i != nil || token != "" {
		t.Error("who may only look can take cameras in")
	}
}
