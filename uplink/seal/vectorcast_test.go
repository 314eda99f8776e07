package seal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/sealcam/sealcam/uplink/seal"
	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

// vcase is how one published vector is made.
type vcase struct {
	name, expect, comment string
	fill                  filler
}

// filler completes a vector.
type filler func(c *cast, v *sealtest.Vector)

// with does more after f.
func (f filler) with(more func(v *sealtest.Vector)) filler {
	return func(c *cast, v *sealtest.Vector) {
		f(c, v)
		more(v)
	}
}

func (f filler) flags(flags ...string) filler {
	return f.with(func(v *sealtest.Vector) { v.Flags = flags })
}

func (f filler) op(op string) filler {
	return f.with(func(v *sealtest.Vector) { v.Op, v.Media = op, "" })
}

// cast is who plays in the vectors. All keys come from their names.
type cast struct {
	t testing.TB

	owner, recovery, stranger          *ecdsa.PrivateKey // strangers own another household
	door, garden, sold, spare, foreign *ecdsa.PrivateKey // cameras; sold is revoked, spare not listed
	phone, laptop, thief               *seal.ViewerKey   // laptop is a viewer of other rosters, thief of none

	home, elsewhere seal.HouseholdID
	roster          []byte // version 3, to the phone alone
	now             time.Time
}

func newCast(t testing.TB) *cast {
	c := &cast{
		t: t, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		owner: key(t, "owner"), recovery: key(t, "recovery"), stranger: key(t, "stranger"),
		door: key(t, "door"), garden: key(t, "garden"), sold: key(t, "sold"), spare: key(t, "spare"), foreign: key(t, "foreign"),
		phone: viewer(t, "phone"), laptop: viewer(t, "laptop"), thief: viewer(t, "thief"),
	}
	var err error
	c.home, err = seal.HouseholdIDOf(c.owner.Public())
	ok(t, err)
	c.elsewhere, err = seal.HouseholdIDOf(c.stranger.Public())
	ok(t, err)
	c.roster = c.signRoster(c.owner, nil)
	return c
}

// seed is the randomness that belongs to a name.
func seed(name string) io.Reader {
	return rand.NewChaCha8(sha256.Sum256([]byte("sealcam test vectors: " + name)))
}

func key(t testing.TB, name string) *ecdsa.PrivateKey {
	scalar := make([]byte, 32)
	_, err := io.ReadFull(seed(name), scalar)
	ok(t, err)
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	ok(t, err)
	return k
}

func viewer(t testing.TB, name string) *seal.ViewerKey {
	k, err := seal.NewViewerKey(seed(name))
	ok(t, err)
	return k
}

func id(t testing.TB, k *ecdsa.PrivateKey) seal.CameraID {
	s, err := seal.CameraIDOf(k.Public())
	ok(t, err)
	return s
}

func named(k *seal.ViewerKey, name string) seal.Viewer {
	v := k.Public()
	v.Name = name
	return v
}

// household returns the roster of the home before it is signed.
func (c *cast) household() seal.Roster {
	r := seal.Roster{
		Version: 3, Issued: c.now.Add(-time.Hour),
		Cameras: []seal.RosterCamera{{ID: id(c.t, c.door), Name: "Front door", Since: c.now.Add(-time.Hour)}, {ID: id(c.t, c.garden), Name: "Garden"}},
		Viewers: []seal.Viewer{named(c.phone, "phone")},
		Revoked: []seal.CameraID{id(c.t, c.sold)},
	}
	r.SortCameras()
	return r
}

func (c *cast) signRoster(by *ecdsa.PrivateKey, change func(*seal.Roster)) []byte {
	c.t.Helper()
	r := c.household()
	if change != nil {
		change(&r)
	}
	b, err := seal.SignRoster(by, r)
	ok(c.t, err)
	return b
}

// base is an honest message of the front door: the first durable one.
func (c *cast) base() seal.Forge {
	return seal.Forge{
		Envelope:  seal.Envelope{Key: c.door},
		Household: c.home, Roster: 3, To: []string{c.phone.Public().Recipient},
		Boot: [16]byte{0xb0, 0x07, 1},
		Meta: seal.Meta{
			Stream: seal.Durable, Seq: 1, Kind: seal.KindSnapshot, Media: "image/jpeg",
			Taken: c.now.Add(-time.Second), Mono: 90 * time.Second, Clock: seal.ClockNTP,
			Cause: "motion", Light: "day", Event: 7, Width: 640, Height: 480, Firmware: "1.0.0",
		},
		Media: []byte("\xff\xd8 stands for a JPEG \xff\xd9"),
		Salt:  hash("salt"),
	}
}

// live is an honest live message of the front door.
func (c *cast) live() seal.Forge {
	f := c.base()
	f.Meta.Stream, f.Meta.Seq, f.Meta.Cause, f.Meta.Event = seal.Live, 1<<32|5, "period", 0
	f.Meta.Expires = c.now.Add(30 * time.Second)
	return f
}

// clockless is a live message of the front door when it does not know the time.
func (c *cast) clockless() seal.Forge {
	f := c.live()
	f.Meta.Clock, f.Meta.Taken, f.Meta.Expires = seal.ClockNone, time.Time{}, time.Time{}
	return f
}

// view is an honest frame of live view, of a camera that does not know the time.
func (c *cast) view() seal.Forge {
	f := c.clockless()
	f.Meta.Stream, f.Meta.Kind, f.Meta.Cause, f.Meta.Nonce = seal.View, seal.KindView, "watch", hash("nonce")[:16]
	return f
}

// will is an honest last will of the front door.
func (c *cast) will() seal.Forge {
	f := c.base()
	f.Meta.Stream, f.Meta.Seq, f.Meta.Kind, f.Meta.Media = seal.Will, 0, seal.KindStatus, "application/json"
	f.Media = []byte(`{"online":false}`)
	return f
}

// chain returns honest durable messages 1..n of the front door.
func (c *cast) chain(n int) [][]byte {
	var out [][]byte
	var prev [32]byte
	for i := range n {
		f := c.base()
		f.Meta.Seq, f.Meta.Prev = uint64(i+1), prev
		f.Meta.Taken = f.Meta.Taken.Add(time.Duration(i) * time.Minute)
		b := f.Make(c.t)
		prev = seal.HashOf(c.t, b)
		out = append(out, b)
	}
	return out
}

// after returns a base message that follows b.
func (c *cast) after(b []byte, seq uint64) seal.Forge {
	f := c.base()
	f.Meta.Seq, f.Meta.Prev = seq, seal.HashOf(c.t, b)
	return f
}

// vector returns what a viewer of the front door has pinned.
func (c *cast) vector(k vcase) *sealtest.Vector {
	v := &sealtest.Vector{
		Expect: k.expect, Comment: k.comment, Op: "open",
		Camera: id(c.t, c.door), Household: c.home, Viewer: c.phone, Roster: c.roster, Now: c.now,
	}
	k.fill(c, v)
	return v
}

// one makes a vector of one message that is like an honest one but for change.
func one(base func(*cast) seal.Forge, change func(c *cast, f *seal.Forge)) filler {
	return func(c *cast, v *sealtest.Vector) {
		f := base(c)
		if change != nil {
			change(c, &f)
		}
		v.Body = f.Make(c.t)
		if v.Expect == sealtest.Verified {
			sum := sha256.Sum256(f.Media)
			v.Media = hex.EncodeToString(sum[:])
		}
	}
}

// durable, live and will are one for each stream.
func durable(change func(c *cast, f *seal.Forge)) filler {
	return one((*cast).base, change)
}

func live(change func(c *cast, f *seal.Forge)) filler {
	return one((*cast).live, change)
}

func will(change func(c *cast, f *seal.Forge)) filler {
	return one((*cast).will, change)
}

// message changes the bytes of an honest message.
func message(change func(b []byte) []byte) filler {
	return durable(func(c *cast, f *seal.Forge) { f.Message = change })
}

// visible and hidden set one claim of an honest message; nil removes it.
func visible(claim int64, value any) filler {
	return durable(func(c *cast, f *seal.Forge) { f.Claims = set(claim, value) })
}

func hidden(claim int64, value any) filler {
	return durable(func(c *cast, f *seal.Forge) { f.Hidden = set(claim, value) })
}

func set(claim int64, value any) func(seal.Map) {
	return func(m seal.Map) {
		if value == nil {
			delete(m, claim)
			return
		}
		m[claim] = value
	}
}

func replaced(b []byte, old, new string) []byte {
	i := slices.Index(b, old[0])
	for i >= 0 && i+len(old) <= len(b) && string(b[i:i+len(old)]) != old {
		i++
	}
	if i < 0 || i+len(old) > len(b) {
		panic("vector: nothing to replace")
	}
	return slices.Replace(slices.Clone(b), i, i+len(old), []byte(new)...)
}

func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	if i < 0 {
		i += len(b)
	}
	b[i] ^= 1
	return b
}

func hash(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	rawNull   = cbor.RawMessage{0xf6}
	rawBignum = cbor.RawMessage{0xc2, 0x41, 0x01}
)

func coordinates(t testing.TB, k *ecdsa.PrivateKey) (x, y []byte) {
	spki, err := seal.MarshalPublicKey(k.Public())
	ok(t, err)
	return spki[len(spki)-64 : len(spki)-32], spki[len(spki)-32:]
}

// more does more after f, with the cast at hand.
func (f filler) more(more func(c *cast, v *sealtest.Vector)) filler {
	return func(c *cast, v *sealtest.Vector) {
		f(c, v)
		more(c, v)
	}
}

// rawClaims takes the payload out of a COSE_Sign1.
func rawClaims(t testing.TB, signed []byte) cbor.RawMessage {
	var tag cbor.RawTag
	ok(t, cbor.Unmarshal(signed, &tag))
	var parts []cbor.RawMessage
	ok(t, cbor.Unmarshal(tag.Content, &parts))
	var payload []byte
	ok(t, cbor.Unmarshal(parts[2], &payload))
	return payload
}
