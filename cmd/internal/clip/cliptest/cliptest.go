// Package cliptest makes verified parts of clips for tests of what is done with
// them: by itself, whose boxes say what those of cameras say and hold no picture,
// or by encode, for those who look into them.
//
// What this package does not do: it is no part of the product.
package cliptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Box returns an MP4 box.
func Box(kind string, content ...[]byte) []byte {
	all := slices.Concat(content...)
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(all))), []byte(kind), all)
}

// Words returns 32 bit numbers, big-endian.
func Words(n ...uint32) (b []byte) {
	for _, v := range n {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// Part returns a part of one second, in two samples; n counts from 0. Parts of one
// clip have one head.
func Part(n uint32, head string, media ...byte) []byte {
	return slices.Concat(
		Box("ftyp", []byte("iso")), Box("moov", Box("trak", Box("mdia", Box("mdhd", Words(0, 0, 0, 1000, 0))), Box("note", []byte(head)))),
		Box("moof", Box("mfhd", Words(0, n+1)), Box("traf", Box("tfhd", Words(0x020000, 1)), Box("tfdt", Words(1<<24, 0, n*1000)),
			Box("trun", Words(0x000701, 2, 0, 400, 1, 0, 600, 1, 0)))), Box("mdat", []byte{byte('a' + n)}, media))
}

// Studio is a camera that seals clips, and a viewer of its household.
type Studio struct {
	t      testing.TB
	sealer *seal.Sealer
	opener *seal.Opener
	Camera seal.CameraID
	seq    uint64
	prev   [32]byte
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// New returns a camera in its boot, whose first byte that is.
func New(t testing.TB, boot byte) *Studio {
	t.Helper()
	owner, camera := newKey(t), newKey(t)
	house, err := seal.HouseholdIDOf(owner.Public())
	if err != nil {
		t.Fatal(err)
	}
	s := &Studio{t: t}
	if s.Camera, err = seal.CameraIDOf(camera.Public()); err != nil {
		t.Fatal(err)
	}
	key, err := seal.NewViewerKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	viewer := key.Public()
	viewer.Name = "desk"
	signed, err := seal.SignRoster(owner, seal.Roster{Version: 1, Cameras: []seal.RosterCamera{{ID: s.Camera}}, Viewers: []seal.Viewer{viewer}})
	if err != nil {
		t.Fatal(err)
	}
	roster, err := seal.OpenRoster(house, signed)
	if err != nil {
		t.Fatal(err)
	}
	if s.sealer, err = seal.NewSealer(seal.SealerConfig{Key: camera, Roster: roster, Boot: [16]byte{boot}}); err != nil {
		t.Fatal(err)
	}
	if s.opener, err = seal.NewOpener(seal.OpenerConfig{Household: house, Roster: roster, Key: key, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Send seals something and opens it again.
func (s *Studio) Send(m seal.Meta, data []byte) *seal.Verified {
	s.t.Helper()
	s.seq++
	m.Stream, m.Seq, m.Prev, m.Clock = seal.Durable, s.seq, s.prev, seal.ClockNone
	sealed, err := s.sealer.Seal(m, data)
	if err != nil {
		s.t.Fatal(err)
	}
	s.prev = sealed.Hash
	v, err := s.opener.Open(s.Camera, sealed.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// Clip seals a clip of n parts, one after the other, which began 1.5 s before its
// event, shows the event behind it too, and ended when the camera was lost.
func (s *Studio) Clip(event uint64, n uint32) (all []*seal.Verified) {
	s.t.Helper()
	for i := range n {
		m := seal.Meta{Kind: seal.KindClip, Media: "video/mp4", Event: event, Part: i, Last: i+1 == n}
		marks := seal.ClipMarks{PreRoll: 1500 * time.Millisecond}
		if i > 1 {
			marks.Also = []uint64{event + 1}
		}
		if m.Last {
			marks.Ended = "camera"
		}
		m.Labels = marks.Labels()
		all = append(all, s.Send(m, Part(i, "head", s.Camera[0], s.Camera[1], byte(event))))
	}
	return all
}
