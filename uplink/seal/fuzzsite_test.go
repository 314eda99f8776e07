package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/veraison/go-cose"
)

// fixedSite is a site whose keys are the same in every run.
func fixedSite(t testing.TB) *site {
	t.Helper()
	fixed := func(name string) *ecdsa.PrivateKey {
		sum := sha256.Sum256([]byte(name))
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
		must(t, err)
		return k
	}
	s := newSite(t)
	s.owner, s.camera, s.keeper = fixed("owner"), fixed("camera"), fixed("keeper")
	s.viewer.signer, s.watcher.signer, s.operator.signer = fixed("phone"), fixed("watcher"), fixed("operator")
	s.id, _ = HouseholdIDOf(s.owner.Public())
	s.cameraID, _ = CameraIDOf(s.camera.Public())
	s.keeperID, _ = KeyIDOf(s.keeper.Public())
	s.roster = s.sign(t, 1, func(r *Roster) { s.people(t, r) })
	return s
}

// signRaw signs bytes that may be no claims at all.
func signRaw(t testing.TB, key *ecdsa.PrivateKey, typ string, payload []byte) []byte {
	spki, err := MarshalPublicKey(key.Public())
	must(t, err)
	b, err := cose.Sign1(rand.Reader, es256{key}, cose.Headers{Protected: protected(sha256.Sum256(spki), typ)}, payload, nil)
	must(t, err)
	return b
}

// FuzzSigned has who may sign a kind of thing sign any bytes: what opens, signed
// again, is those bytes.
func FuzzSigned(f *testing.F) {
	s := fixedSite(f)
	open := []func(b []byte) ([]byte, error){
		func(b []byte) ([]byte, error) {
			p, err := OpenPass(s.roster, s.now, b)
			if err != nil {
				return nil, err
			}
			return SignPass(s.owner, *p)
		},
		func(b []byte) ([]byte, error) {
			d, err := OpenDeletion(s.roster, b)
			if err != nil {
				return nil, err
			}
			return SignDeletion(s.owner, *d)
		},
		func(b []byte) ([]byte, error) {
			d, err := OpenDeleted(s.roster, b)
			if err != nil {
				return nil, err
			}
			return SignDeleted(s.keeper, *d)
		},
		func(b []byte) ([]byte, error) {
			v, err := OpenSettings(s.roster, s.cameraID, b)
			if err != nil {
				return nil, err
			}
			return SignSettings(s.owner, *v)
		},
		func(b []byte) ([]byte, error) {
			a, err := s.roster.openAddition(b)
			if err != nil {
				return nil, err
			}
			return SignAddition(s.operator.signer, *a)
		},
	}
	kinds := []struct {
		typ string
		by  *ecdsa.PrivateKey
	}{{typePass, s.owner}, {typeDeletion, s.owner}, {typeDeleted, s.keeper}, {typeSettings, s.owner}, {typeAddition, s.operator.signer}}
	for kind, b := range s.honest(f) {
		e, err := parse1(b, kinds[kind].typ)
		must(f, err)
		f.Add(uint8(kind), e.payload)
		if again, err := open[kind](b); err != nil || again == nil {
			f.Fatalf("%s: %v", kinds[kind].typ, err)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		k := kinds[int(kind)%len(kinds)]
		b := signRaw(t, k.by, k.typ, payload)
		again, err := open[int(kind)%len(kinds)](b)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		e, err := parse1(again, k.typ)
		must(t, err)
		if !bytes.Equal(e.payload, payload) {
			t.Fatalf("\n got %x\nagain %x", payload, e.payload)
		}
	})
}

// honest are things of each kind.
func (s *site) honest(t testing.TB) [][]byte {
	deletion, err := SignDeletion(s.owner, Deletion{Household: s.id, Keeper: s.keeperID, Camera: s.cameraID, From: 1, To: 2, Counter: 3, Issued: s.now, Expires: s.now.Add(time.Hour)})
	must(t, err)
	deleted, err := SignDeleted(s.keeper, Deleted{Household: s.id, Messages: 1, Bytes: 2, Issued: s.now})
	must(t, err)
	settings, err := SignSettings(s.owner, Settings{Household: s.id, Group: "east", Version: 1, Body: []byte("a = 1\n"), Issued: s.now})
	must(t, err)
	return [][]byte{s.pass(t, s.owner, nil), deletion, deleted, settings, s.addition(t, s.operator.signer, nil)}
}

// FuzzExtended takes a roster with additions: of what opens all parts were signed by
// who may, and there is no other encoding of it.
func FuzzExtended(f *testing.F) {
	v := vectorNamed(f, "addition-two") // the same in every process
	household := HouseholdID(v.header["household"])
	full, err := OpenRoster(household, v.body)
	must(f, err)
	genuine := map[string]bool{string(full.parts.Roster): true}
	for _, a := range full.parts.Additions {
		genuine[string(a)] = true
	}
	listed := len(full.Cameras) - len(full.Additions)
	f.Add(full.Signed())
	f.Add(full.parts.Roster)
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			_, _, peeked := PeekRoster(b)
			r, err := OpenRoster(household, b)
			if err != nil {
				if ReasonOf(err) == "" || peeked != nil && ReasonOf(peeked) != Malformed {
					t.Fatalf("not a refusal: %v, %v", err, peeked)
				}
				return
			}
			if peeked != nil || !bytes.Equal(r.Signed(), b) || len(r.Cameras) != listed+len(r.Additions) {
				t.Fatalf("peeked %v; %d cameras, %d additions; again %x", peeked, len(r.Cameras), len(r.Additions), r.Signed())
			}
			for _, part := range append([][]byte{r.parts.Roster}, r.parts.Additions...) {
				if !genuine[string(part)] {
					t.Fatalf("a part that nobody signed: %x", part)
				}
			}
			if in, _ := r.Over(full); in != full {
				t.Fatal("a part of it, or all, brings something")
			}
		})
	})
}
