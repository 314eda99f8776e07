package drill

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// dawn is when all days begin.
var dawn = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)

// viewersPerHome is how many viewers a household's roster lists: each has its
// own key, and any number of sessions.
const viewersPerHome = 3

// world is all that is true: whose cameras, whose viewers, what was sealed.
type world struct {
	homes  []*household
	all    []*message              // of all households, as time goes
	truth  map[[32]byte][]*message // by SHA-256 of the media; several without media
	forged map[string]map[*camera][]forgery
}

type household struct {
	id      seal.HouseholdID
	owner   *ecdsa.PrivateKey
	keys    []*seal.ViewerKey
	cameras []*camera // also those that came, and those that went
	rosters []roster  // as time goes
	days    []*message
}

// roster is one version of a household's roster.
type roster struct {
	from   time.Duration // after dawn
	signed []byte
	opened *seal.Roster
}

// camera is a camera as long as it has one key.
type camera struct {
	home  *household
	name  string
	id    seal.CameraID
	key   *ecdsa.PrivateKey
	from  time.Duration // it is the household's
	until time.Duration // and is not any more
	days  []*message
	clips []*footage // of days, as time goes
	// clones are what a copy of the camera, made from its flash, seals beside it.
	clones []*message
}

// message is the truth about something that was sealed.
type message struct {
	camera  *camera
	index   int           // in camera.home.days; -1 for a clone's
	at      time.Duration // after dawn: it leaves the camera
	stream  seal.Stream
	seq     uint64
	kind    string
	expires time.Duration // after dawn; 0 for never
	media   []byte
	sealed  []byte
	clone   bool     // not the camera itself sealed it
	last    bool     // of the durable ones of its camera
	clip    *footage // that it is a part of; nil for none
	part    uint32
}

// newWorld makes households with cameras and lets the cameras live their days.
func newWorld(seed uint64, households, cameras int) (*world, error) {
	w := &world{truth: map[[32]byte][]*message{}}
	for h := range households {
		home, err := newHousehold(seed, h, cameras)
		if err != nil {
			return nil, err
		}
		w.homes = append(w.homes, home)
		for _, m := range home.days {
			w.know(m)
		}
		w.all = append(w.all, home.days...)
		for _, c := range home.cameras {
			for _, m := range c.clones {
				w.know(m)
			}
		}
	}
	sortByTime(w.all)
	return w, w.forge(seed)
}

func (w *world) know(m *message) {
	sum := sha256.Sum256(m.media)
	w.truth[sum] = append(w.truth[sum], m)
}

func newHousehold(seed uint64, number, cameras int) (*household, error) {
	h := &household{}
	name := fmt.Sprintf("household %d", number)
	var err error
	if h.owner, err = keyOf(seed, name); err != nil {
		return nil, err
	}
	if h.id, err = seal.HouseholdIDOf(h.owner.Public()); err != nil {
		return nil, err
	}
	for i := range viewersPerHome {
		k, err := seal.NewViewerKey(randomOf(seed, fmt.Sprintf("%s viewer %d", name, i)))
		if err != nil {
			return nil, err
		}
		h.keys = append(h.keys, k)
	}
	for i := range cameras {
		if _, err := h.addCamera(seed, fmt.Sprintf("%s camera %d", name, i), 0); err != nil {
			return nil, err
		}
	}
	return h, h.live(seed)
}

func (h *household) addCamera(seed uint64, name string, from time.Duration) (*camera, error) {
	key, err := keyOf(seed, name)
	if err != nil {
		return nil, err
	}
	id, err := seal.CameraIDOf(key.Public())
	if err != nil {
		return nil, err
	}
	c := &camera{home: h, name: name, id: id, key: key, from: from, until: forever}
	h.cameras = append(h.cameras, c)
	return c, nil
}

// sign makes the roster that is in force at the time from.
func (h *household) sign(from time.Duration) error {
	r := seal.Roster{Version: uint64(len(h.rosters) + 1)}
	for i, k := range h.keys {
		v := k.Public()
		v.Name = fmt.Sprintf("viewer %d", i)
		r.Viewers = append(r.Viewers, v)
	}
	for _, c := range h.cameras {
		switch {
		case c.from <= from && from < c.until:
			r.Cameras = append(r.Cameras, seal.RosterCamera{ID: c.id, Name: c.name})
		case c.until <= from:
			r.Revoked = append(r.Revoked, c.id)
		}
	}
	sortRoster(&r)
	signed, err := seal.SignRoster(h.owner, r)
	if err != nil {
		return err
	}
	opened, err := seal.OpenRoster(h.id, signed)
	h.rosters = append(h.rosters, roster{from, signed, opened})
	return err
}

// keyOf returns the key that belongs to a name, so that a seed gives the same
// ids every time.
func keyOf(seed uint64, name string) (*ecdsa.PrivateKey, error) {
	scalar := make([]byte, 32)
	random := randomOf(seed, name)
	for range 16 { // out of range once in 2^32
		if _, err := io.ReadFull(random, scalar); err != nil {
			return nil, err
		}
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar); err == nil {
			return k, nil
		}
	}
	return nil, fmt.Errorf("no key for %s", name)
}

// randomOf returns the source of randomness that belongs to a name.
func randomOf(seed uint64, name string) io.Reader {
	return rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "sealcam drill %d %s", seed, name)))
}

// numbersOf is randomOf for choices.
func numbersOf(seed uint64, name string) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "sealcam drill %d %s", seed, name))))
}

// signer keeps a sealer from needing randomness for its signatures.
type signer struct{ *ecdsa.PrivateKey }

// Sign implements crypto.Signer, after RFC 6979.
func (s signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(nil, digest, opts)
}
