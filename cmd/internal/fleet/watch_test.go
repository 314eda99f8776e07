package fleet

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// A screen that shows a picture that its camera did not take, or one twice, is
// found out.
func TestWrongIsSeen(t *testing.T) {
	c := small(t).WithDefaults()
	c.Cameras, c.Faults = 2, []string{}
	w := world{c}
	if err := w.make(t.Context(), func(int) {}); err != nil {
		t.Fatal(err)
	}
	v, err := identity.OpenViewer(w.home(0), viewerName)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: v.Household(), Roster: v.Roster(), Key: v.Key(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	camera, err := identity.OpenCamera(w.camera(0))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.NewSealer(seal.SealerConfig{Key: camera.Signer(), Roster: camera.Roster(), Boot: [16]byte{1}, Firmware: "fleet"})
	if err != nil {
		t.Fatal(err)
	}
	s := &screens{seen: Watched{Refused: map[string]int{}}}
	sc := &screen{all: s, seen: &s.seen, home: v.Household(), ours: map[seal.CameraID]bool{camera.ID(): true}, shown: map[string]bool{}}
	seq, prev := uint64(0), [32]byte{}
	show := func(c caption) {
		t.Helper()
		seq++
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		m, err := sealer.Seal(seal.Meta{Stream: seal.Durable, Seq: seq, Prev: prev, Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNone}, append(text, '\n'))
		if err != nil {
			t.Fatal(err)
		}
		prev = m.Hash
		opened, err := opener.Open(camera.ID(), m.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		sc.look(viewer.Outcome{What: viewer.Verified, Camera: camera.ID(), Verified: opened})
	}
	right := caption{camera.ID(), v.Household(), 1}
	show(right)
	if s.seen.Shown != 1 || s.seen.Wrong != 0 {
		t.Fatalf("of a right picture: %+v", s.seen)
	}
	show(right)
	show(caption{"another", v.Household(), 2})
	show(caption{camera.ID(), "another", 3})
	if s.seen.Shown != 1 || s.seen.Wrong != 3 || len(s.seen.Examples) != 3 {
		t.Errorf("of three wrong ones: %+v", s.seen)
	}
}
