package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"
)

// home is one household with one camera and one viewer.
type home struct {
	owner, camera *ecdsa.PrivateKey
	viewer        *ViewerKey
	id            HouseholdID
	cameraID      CameraID
	roster        *Roster
	now           time.Time
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newHome(t testing.TB) *home {
	t.Helper()
	h := &home{owner: newKey(t), camera: newKey(t), now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	var err error
	if h.viewer, err = NewViewerKey(nil); err != nil {
		t.Fatal(err)
	}
	h.id, _ = HouseholdIDOf(h.owner.Public())
	h.cameraID, _ = CameraIDOf(h.camera.Public())
	h.roster = h.sign(t, 1, nil)
	return h
}

// sign makes a roster of the home, changed by change.
func (h *home) sign(t testing.TB, version uint64, change func(*Roster)) *Roster {
	t.Helper()
	v := h.viewer.Public()
	v.Name = "phone"
	r := Roster{Version: version, Issued: h.now, Cameras: []RosterCamera{{ID: h.cameraID, Name: "door"}}, Viewers: []Viewer{v}}
	if change != nil {
		change(&r)
	}
	b, err := SignRoster(h.owner, r)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenRoster(h.id, b)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// unsigned is the home's roster as somebody could make it who has no owner key.
func (h *home) unsigned() *Roster {
	r := *h.roster
	r.Version, r.owners, r.digest = 9, nil, [32]byte{}
	return &r
}

func (h *home) sealer(t testing.TB) *Sealer {
	t.Helper()
	s, err := NewSealer(SealerConfig{Key: h.camera, Roster: h.roster, Boot: [16]byte{1}, Firmware: "1.0"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h *home) opener(t testing.TB) *Opener {
	o, err := NewOpener(OpenerConfig{Household: h.id, Roster: h.roster, Key: h.viewer, Now: func() time.Time { return h.now }})
	if err != nil {
		panic(err) // also called by rapid, whose T is another
	}
	return o
}

func TestRoundTrip(t *testing.T) {
	h := newHome(t)
	media := bytes.Repeat([]byte("picture "), 40000)
	m := Meta{Stream: Durable, Seq: 1, Kind: KindSnapshot, Media: "image/jpeg", Taken: h.now, Clock: ClockNTP, Cause: "motion", Light: "day", Width: 640, Height: 480}
	s, err := h.sealer(t).Seal(m, media)
	if err != nil {
		t.Fatal(err)
	}
	vis, err := Peek(s.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if vis.Camera != h.cameraID || vis.Seq != 1 || vis.Hash != s.Hash {
		t.Errorf("Peek = %+v", vis)
	}
	o := h.opener(t)
	v, err := o.Open(h.cameraID, s.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	camera, got := v.Media()
	if camera != h.cameraID || !bytes.Equal(got, media) {
		t.Errorf("media of %s: %d bytes", camera, len(got))
	}
	if _, err := o.Open(h.cameraID, s.Bytes); ReasonOf(err) != Replayed {
		t.Errorf("second Open: %v", err)
	}
	if _, err := CheckProof(v.Proof(), media); err != nil {
		t.Error(err)
	}
	cmd, _, err := o.Ask(h.cameraID)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGuard(h.cameraID, h.roster, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Accept(cmd, false, h.now); err != nil {
		t.Error(err)
	}
	if _, err := g.Accept(cmd, false, h.now); ReasonOf(err) != Replayed {
		t.Error(err)
	}
	rcpt, err := o.Receipt(h.cameraID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCommand(h.cameraID, h.roster, rcpt); err != nil {
		t.Error(err)
	}
	b, err := SignHello(h.camera, Hello{Model: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if hl, err := OpenHello(b); err != nil || hl.Camera != h.cameraID {
		t.Error(hl, err)
	}
	o2, err := NewOpener(OpenerConfig{Household: h.id, Roster: h.roster, Key: h.viewer, Now: func() time.Time { return h.now }, State: o.State()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o2.Open(h.cameraID, s.Bytes); ReasonOf(err) != Replayed {
		t.Error(err)
	}
	text, _ := h.viewer.MarshalText()
	var k ViewerKey
	if err := k.UnmarshalText(text); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes over media, seal %d", len(s.Bytes)-len(media), len(v.seal))
}
