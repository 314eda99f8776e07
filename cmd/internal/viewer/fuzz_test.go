package viewer

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// FuzzItem: whatever a broker says, on whatever topic, nothing is shown of it,
// nothing is adopted, and each message is one of few things.
func FuzzItem(f *testing.F) {
	dir := f.TempDir()
	owner, err := identity.CreateHousehold(filepath.Join(dir, "home"), "", time.Now)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := owner.AddViewer("desk"); err != nil {
		f.Fatal(err)
	}
	c, err := identity.OpenCamera(filepath.Join(dir, "camera"))
	if err != nil {
		f.Fatal(err)
	}
	if err := owner.AddCamera(c.ID(), "Garden"); err != nil {
		f.Fatal(err)
	}
	who, err := identity.OpenViewer(owner.Dir(), "desk")
	if err != nil {
		f.Fatal(err)
	}
	v, err := New(Config{Identity: who, Feed: new(feed.Fake), Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(v.unlock)
	kinds := []string{feed.Hello, feed.Status, feed.Live, feed.Media, feed.Roster}
	r, signed, err := owner.Roster()
	if err != nil {
		f.Fatal(err)
	}
	hello, err := seal.SignHello(c.Signer(), seal.Hello{Household: r.Household, Roster: 1})
	if err != nil {
		f.Fatal(err)
	}
	s, err := seal.NewSealer(seal.SealerConfig{Key: c.Signer(), Roster: r})
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := s.Seal(seal.Meta{Stream: seal.Durable, Seq: 1, Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNone}, []byte("JPEG"))
	if err != nil {
		f.Fatal(err)
	}
	genuine := map[string]bool{string(sealed.Bytes): true}
	for i, b := range [][]byte{hello, sealed.Bytes, sealed.Bytes, sealed.Bytes, signed} {
		f.Add(b, uint8(i), false)
		f.Add(b, uint8(i), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, kind uint8, retained bool) {
		for _, o := range v.open(feed.Item{Camera: c.ID(), Kind: kinds[int(kind)%len(kinds)], Sealed: b, Retained: retained}) {
			switch o.What {
			case Verified, Again:
				if !genuine[string(b)] {
					t.Fatalf("shown: %x", b)
				}
			case Refused, RosterRefused:
				if o.Refusal == nil || o.Refusal.Reason == "" {
					t.Fatalf("refused without a reason: %+v", o)
				}
			}
		}
		if v.opener.Roster().Version != r.Version {
			t.Fatal("another roster is in force")
		}
	})
}
