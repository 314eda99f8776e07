package drill

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"slices"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Names of the attacks whose messages are made before the first session.
const (
	bySibling  = "signed by another enrolled camera"
	byStranger = "signed by a stranger"
	stripped   = "signature stripped"
	algorithm  = "algorithm games"
	keyID      = "key id games"
	bodySwap   = "header on another body"
	rewrapped  = "body re-wrapped to this viewer"
)

// forger makes forgeries for the screen of one camera.
type forger struct {
	w        *world
	victim   *camera
	sibling  *camera // of the same household
	foreign  *camera // of another one
	stranger *ecdsa.PrivateKey
	thief    *thief
}

// forge fills w.forged.
func (w *world) forge(seed uint64) error {
	w.forged = map[string]map[*camera][]forgery{}
	stranger, err := keyOf(seed, "stranger")
	if err != nil {
		return err
	}
	for i, h := range w.homes {
		t, err := newThief(seed, h)
		if err != nil {
			return err
		}
		for j, c := range h.cameras {
			f := forger{w, c, h.cameras[(j+1)%len(h.cameras)], w.homes[(i+1)%len(w.homes)].cameras[j], stranger, t}
			for k, m := range c.days {
				if k%3 != 0 {
					continue // enough of them
				}
				if err := f.forge(m); err != nil {
					return fmt.Errorf("forging message %d of %s: %w", m.seq, c.name, err)
				}
			}
		}
	}
	return nil
}

func (f *forger) add(name string, of *message, all ...[]byte) {
	per := f.w.forged[name]
	if per == nil {
		per = map[*camera][]forgery{}
		f.w.forged[name] = per
	}
	for _, b := range all {
		per[f.victim] = append(per[f.victim], forgery{of, b})
	}
}

// forge makes every forgery from one genuine message.
func (f *forger) forge(m *message) error {
	p, err := takeApart(m.sealed)
	if err != nil {
		return err
	}
	for _, make := range []func(*message, parts) error{f.signers, f.algorithms, f.keyIDs, f.bodies, f.rewrap, f.renumber} {
		if err := make(m, p); err != nil {
			return err
		}
	}
	bare, zero := p, p
	bare.signature, zero.signature = nil, make([]byte, 64)
	unsigned := slices.Concat([]byte{pairOf}, bytesOf(p.payload), bytesOf(p.body))
	f.add(stripped, m, bare.bytes(), zero.bytes(), unsigned, p.body, m.media)
	return nil
}

// signers lets others sign: in the camera's name, and with their own key in it.
func (f *forger) signers(m *message, p parts) error {
	own, xy, err := idOf(f.victim.key)
	if err != nil {
		return err
	}
	for name, key := range map[string]*ecdsa.PrivateKey{bySibling: f.sibling.key, byStranger: f.stranger} {
		kid, theirs, err := idOf(key)
		if err != nil {
			return err
		}
		plain, err := p.signedBy(key)
		if err != nil {
			return err
		}
		renamed := p
		if renamed.header, err = replaced(p.header, own, kid); err != nil {
			return err
		}
		rekeyed := renamed
		for i := range xy {
			if rekeyed.payload, err = replaced(rekeyed.payload, xy[i], theirs[i]); err != nil {
				return err
			}
		}
		if renamed, err = renamed.signedBy(key); err != nil {
			return err
		}
		if rekeyed, err = rekeyed.signedBy(key); err != nil {
			return err
		}
		f.add(name, m, plain.bytes(), renamed.bytes(), rekeyed.bytes())
	}
	return nil
}

// algorithms names other algorithms than the one there is.
func (f *forger) algorithms(m *message, p parts) error {
	_, xy, err := idOf(f.victim.key)
	if err != nil {
		return err
	}
	rest, ok := bytes.CutPrefix(p.header, []byte("\xa3\x01\x26")) // {1: -7, ...
	if !ok {
		return fmt.Errorf("a header that starts with % x", p.header[:4])
	}
	with := func(start string) parts { q := p; q.header = append([]byte(start), rest...); return q }
	eddsa, es384, none, null := with("\xa3\x01\x27"), with("\xa3\x01\x38\x22"), with("\xa3\x01\x64none"), with("\xa3\x01\xf6")
	mac := with("\xa3\x01\x05").macBy(slices.Concat(xy[0], xy[1]))
	missing, err := with("\xa2").signedBy(f.stranger)
	if err != nil {
		return err
	}
	none.signature, null.signature = nil, nil
	outside := slices.Concat([]byte{pairOf}, with("\xa2").seal([]byte("\xa1\x01\x26")), bytesOf(p.body))
	f.add(algorithm, m, eddsa.bytes(), es384.bytes(), none.bytes(), null.bytes(), mac.bytes(), missing.bytes(), outside)
	return nil
}

// keyIDs points to other keys.
func (f *forger) keyIDs(m *message, p parts) error {
	own, _, err := idOf(f.victim.key)
	if err != nil {
		return err
	}
	for _, key := range []*ecdsa.PrivateKey{f.sibling.key, f.foreign.key, f.stranger} {
		kid, _, err := idOf(key)
		if err != nil {
			return err
		}
		q := p
		if q.header, err = replaced(p.header, own, kid); err != nil {
			return err
		}
		// The camera's own signature under another's id, and the other's id beside
		// its own where nothing is signed.
		outside := slices.Concat([]byte{pairOf}, p.seal(slices.Concat([]byte("\xa1\x04"), bytesOf(kid))), bytesOf(p.body))
		f.add(keyID, m, q.bytes(), outside)
	}
	empty := p
	if empty.header, err = replaced(p.header, bytesOf(own), []byte{0x40}); err != nil {
		return err
	}
	f.add(keyID, m, empty.bytes())
	return nil
}

// bodies puts the camera's header on other bodies.
func (f *forger) bodies(m *message, p parts) error {
	days := f.victim.days
	for _, other := range []*message{days[(indexOf(days, m)+1)%len(days)], f.sibling.days[0], f.foreign.days[0]} {
		q, err := takeApart(other.sealed)
		if err != nil {
			return err
		}
		mixed := p
		mixed.body = q.body
		f.add(bodySwap, m, mixed.bytes())
	}
	return nil
}

// rewrap encrypts a stranger's picture to the viewers of this screen, and puts
// genuine headers on it.
func (f *forger) rewrap(m *message, p parts) error {
	stolen := f.foreign.days[indexOf(f.victim.days, m)%len(f.foreign.days)]
	theirs, err := takeApart(stolen.sealed)
	if err != nil {
		return err
	}
	sealed, err := f.thief.seal(stolen)
	if err != nil {
		return err
	}
	t, err := takeApart(sealed)
	if err != nil {
		return err
	}
	p.body, theirs.body = t.body, t.body
	f.add(rewrapped, m, p.bytes(), theirs.bytes(), sealed)
	return nil
}

func indexOf(list []*message, m *message) int { return max(slices.Index(list, m), 0) }

// thief has a household of his own, in whose roster he lists the viewers of
// another: what is sealed for it they can decrypt.
type thief struct {
	key    *ecdsa.PrivateKey
	roster *seal.Roster
}

func newThief(seed uint64, victims *household) (*thief, error) {
	owner, err := keyOf(seed, "thief's owner")
	if err != nil {
		return nil, err
	}
	t := &thief{}
	if t.key, err = keyOf(seed, "thief's camera"); err != nil {
		return nil, err
	}
	id, err := seal.CameraIDOf(t.key.Public())
	if err != nil {
		return nil, err
	}
	h, err := seal.HouseholdIDOf(owner.Public())
	if err != nil {
		return nil, err
	}
	r := seal.Roster{Version: 1, Cameras: []seal.RosterCamera{{ID: id}}}
	for i, k := range victims.keys {
		v := k.Public()
		v.Name, v.Key = fmt.Sprint(i), nil
		r.Viewers = append(r.Viewers, v)
	}
	signed, err := seal.SignRoster(owner, r)
	if err != nil {
		return nil, err
	}
	t.roster, err = seal.OpenRoster(h, signed)
	return t, err
}

// seal seals what m shows as the thief's own.
func (t *thief) seal(m *message) ([]byte, error) { return t.sealAs(m, func(*seal.Meta) {}) }

// sealAs is seal with something else said about it.
func (t *thief) sealAs(m *message, change func(*seal.Meta)) ([]byte, error) {
	s, err := seal.NewSealer(seal.SealerConfig{Key: signer{t.key}, Roster: t.roster, Boot: [16]byte{1}})
	if err != nil {
		return nil, err
	}
	meta := seal.Meta{Stream: m.stream, Seq: m.seq, Kind: m.kind, Clock: seal.ClockNTP, Taken: dawn.Add(m.at)}
	if m.kind == seal.KindGap {
		meta.Kind = seal.KindStatus
	}
	if len(m.media) > 0 {
		meta.Media = "image/jpeg"
	}
	if m.stream == seal.Live {
		meta.Expires = dawn.Add(m.expires)
	}
	change(&meta)
	got, err := s.Seal(meta, m.media)
	return got.Bytes, err
}
