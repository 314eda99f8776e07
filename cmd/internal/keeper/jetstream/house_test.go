package jetstream

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// house is a household with light cameras: true keys and seals, no pictures.
type house struct {
	t       *testing.T
	id      seal.HouseholdID
	owner   *ecdsa.PrivateKey
	roster  *seal.Roster
	signed  []byte
	cameras []*light
}

// light is a light camera: it seals one message after the other.
type light struct {
	t      *testing.T
	sealer *seal.Sealer
	id     seal.CameraID
	seq    uint64
	prev   [32]byte
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return k
}

func newHouse(t *testing.T, cameras int) *house {
	t.Helper()
	h := &house{t: t, owner: newKey(t)}
	viewer, err := seal.NewViewerKey(rand.Reader)
	check(t, err)
	v := viewer.Public()
	v.Name = "phone"
	r := seal.Roster{Version: 1, Viewers: []seal.Viewer{v}}
	var keys []*ecdsa.PrivateKey
	for range cameras {
		k := newKey(t)
		id, err := seal.CameraIDOf(k.Public())
		check(t, err)
		keys = append(keys, k)
		r.Cameras = append(r.Cameras, seal.RosterCamera{ID: id, Name: "camera"})
	}
	slices.SortFunc(r.Cameras, func(a, b seal.RosterCamera) int { return cmp.Compare(a.ID, b.ID) })
	h.id, err = seal.HouseholdIDOf(h.owner.Public())
	check(t, err)
	h.signed, err = seal.SignRoster(h.owner, r)
	check(t, err)
	h.roster, err = seal.OpenRoster(h.id, h.signed)
	check(t, err)
	for _, k := range keys {
		s, err := seal.NewSealer(seal.SealerConfig{Key: k, Roster: h.roster, Boot: [16]byte{1}, Firmware: "test"})
		check(t, err)
		h.cameras = append(h.cameras, &light{t: t, sealer: s, id: s.Camera()})
	}
	return h
}

// seal makes the next message, of about size bytes.
func (c *light) seal(size int) seal.Sealed {
	c.t.Helper()
	c.seq++
	s := c.at(c.seq, size)
	c.prev = s.Hash
	return s
}

// at seals a message with a number.
func (c *light) at(seq uint64, size int) seal.Sealed {
	c.t.Helper()
	media := make([]byte, size)
	_, _ = rand.Read(media)
	s, err := c.sealer.Seal(seal.Meta{
		Stream: seal.Durable, Seq: seq, Prev: c.prev, Kind: seal.KindSnapshot, Media: "image/jpeg", Taken: time.Now(), Clock: seal.ClockNTP,
	}, media)
	check(c.t, err)
	return s
}

// message is what a keeper puts.
func message(t *testing.T, s seal.Sealed) store.Message {
	t.Helper()
	v, err := seal.Peek(s.Bytes)
	check(t, err)
	return store.Message{Entry: store.Entry{Visible: v, Kind: feed.Media}, Sealed: s.Bytes}
}
