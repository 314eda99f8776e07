package seal

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"slices"
	"testing"
)

// addition is of a camera that was never heard of.
func (s *site) addition(t testing.TB, by *ecdsa.PrivateKey, change func(a *Addition)) []byte {
	t.Helper()
	id, err := CameraIDOf(newKey(t).Public())
	must(t, err)
	a := Addition{Household: s.id, Roster: s.roster.Version, Camera: RosterCamera{ID: id, Name: "added", Groups: []string{"east"}}, Issued: s.now}
	if change != nil {
		change(&a)
	}
	b, err := SignAddition(by, a)
	must(t, err)
	return b
}

// added returns s.roster with n additions by the operator.
func (s *site) added(t testing.TB, n int) *Roster {
	t.Helper()
	r := s.roster
	for range n {
		var err error
		r, err = r.Add(s.addition(t, s.operator.signer, nil))
		must(t, err)
	}
	return r
}

// TestAddition: an operator that may add takes a camera in, as everybody sees who has
// the roster with it, and the owner's next roster.
func TestAddition(t *testing.T) {
	s := newSite(t)
	s.allowed(t, "operator", func(by *ecdsa.PrivateKey) error {
		r, err := s.roster.Add(s.addition(t, by, nil))
		if err == nil && (len(r.Cameras) != 2 || r.Hash() != s.roster.Hash() || len(s.roster.Cameras) != 1) {
			t.Errorf("%d cameras, before %d", len(r.Cameras), len(s.roster.Cameras))
		}
		return err
	})
	r, err := OpenRoster(s.id, s.added(t, 2).Signed())
	must(t, err)
	for _, a := range r.Additions {
		c, ok := r.Camera(a.Camera.ID)
		if !ok || c.Name != "added" || !c.Since.Equal(s.now) || !slices.Equal(c.Groups, []string{"east"}) || a.Name != "operator" || a.Issuer != s.operator.id {
			t.Errorf("%+v, %+v", c, a)
		}
	}
	if h, version, err := PeekRoster(r.Signed()); h != s.id || version != 1 || err != nil || len(r.Additions) != 2 {
		t.Errorf("%s, %d, %v; %d additions", h, version, err, len(r.Additions))
	}
	next := *r
	next.Version++
	b, err := SignRoster(s.owner, next)
	must(t, err)
	taken, err := OpenRoster(s.id, b)
	must(t, err)
	if len(taken.Cameras) != 3 || len(taken.Additions) != 0 || taken.Follows(r) != nil || !bytes.Equal(taken.Signed(), b) {
		t.Errorf("%d cameras, %d additions; %v", len(taken.Cameras), len(taken.Additions), taken.Follows(r))
	}
}

// TestAdditionRefused: what does not belong to exactly this roster.
func TestAdditionRefused(t *testing.T) {
	s := newSite(t)
	gone, err := CameraIDOf(newKey(t).Public())
	must(t, err)
	s.roster = s.sign(t, 2, func(r *Roster) { s.people(t, r); r.Revoked = []CameraID{gone} })
	other := newSite(t)
	for name, c := range map[string]struct {
		change func(a *Addition)
		want   Reason
	}{
		"another household": {func(a *Addition) { a.Household = other.id }, NotForYou},
		"an older roster":   {func(a *Addition) { a.Roster = 1 }, Replayed},
		"a later roster":    {func(a *Addition) { a.Roster = 3 }, Replayed},
		"a revoked camera":  {func(a *Addition) { a.Camera.ID = gone }, Revoked},
		"a listed camera":   {func(a *Addition) { a.Camera.ID = s.cameraID }, Malformed},
	} {
		if _, err := s.roster.Add(s.addition(t, s.operator.signer, c.change)); ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	full := s.roster
	for range MaxAdditions {
		b := s.addition(t, s.operator.signer, nil)
		full, err = full.Add(b)
		must(t, err)
	}
	if _, err := full.Add(s.addition(t, s.operator.signer, nil)); ReasonOf(err) != Malformed {
		t.Errorf("one too many: %v", err)
	}
	if _, err := s.unsigned().Add(s.addition(t, s.operator.signer, nil)); !errors.Is(err, errNotOpened) {
		t.Errorf("to a roster that was not checked: %v", err)
	}
}

// TestAdditionsMeet: whoever sees two sets has both afterwards, in one encoding, in
// whatever order they come; what brings nothing is a duplicate.
func TestAdditionsMeet(t *testing.T) {
	s := newSite(t)
	a, b := s.added(t, 2), s.added(t, 3)
	ab, err := a.Over(b)
	must(t, err)
	ba, err := b.Over(a)
	must(t, err)
	if !bytes.Equal(ab.Signed(), ba.Signed()) || len(ab.Additions) != 5 || len(ab.Cameras) != 6 {
		t.Errorf("%d and %d additions", len(ab.Additions), len(ba.Additions))
	}
	for name, r := range map[string]*Roster{"a part": a, "the owner's alone": s.roster, "the same": ba} {
		in, err := r.Over(ab)
		var f *Refusal
		if !errors.As(err, &f) || !f.Duplicate || in != ab || r.Follows(ab) == nil {
			t.Errorf("%s: %v, in force %d additions", name, err, len(in.Additions))
		}
	}
	// One camera, added by two operators.
	one := s.addition(t, s.operator.signer, nil)
	r, err := s.roster.Add(one)
	must(t, err)
	id := r.Additions[0].Camera.ID
	two := s.addition(t, s.operator.signer, func(a *Addition) { a.Camera.ID, a.Camera.Name = id, "another name" })
	q, err := s.roster.Add(two)
	must(t, err)
	rq, errR := r.Over(q)
	qr, errQ := q.Over(r)
	if (errR == nil) == (errQ == nil) || !bytes.Equal(rq.Signed(), qr.Signed()) {
		t.Errorf("%v, %v", errR, errQ)
	}
	// The owner's next roster ends all of it.
	next := s.sign(t, 2, nil)
	if in, err := next.Over(ab); err != nil || in != next {
		t.Errorf("the next roster: %v", err)
	}
	if in, err := ab.Over(next); ReasonOf(err) != Replayed {
		t.Errorf("back again: %v, %d cameras", err, len(in.Cameras))
	}
	fork := s.sign(t, 1, nil)
	if _, err := fork.Over(ab); ReasonOf(err) != BrokenSeal {
		t.Errorf("another roster of that version: %v", err)
	}
}

// TestAdditionsStay: an Opener and a Sealer that were given additions keep them when
// the roster comes again without.
func TestAdditionsStay(t *testing.T) {
	s := newSite(t)
	full := s.added(t, 1)
	o := s.opener(t)
	must(t, o.SetRoster(full))
	must(t, o.SetRoster(s.roster))
	must(t, o.SetRoster(s.added(t, 1)))
	if n := len(o.Roster().Additions); n != 2 {
		t.Errorf("the opener has %d additions", n)
	}
	// A camera that is in the household by an addition alone.
	camera := newKey(t)
	id, err := CameraIDOf(camera.Public())
	must(t, err)
	r, err := s.roster.Add(s.addition(t, s.operator.signer, func(a *Addition) { a.Camera.ID = id }))
	must(t, err)
	sealer, err := NewSealer(SealerConfig{Key: camera, Roster: r, Boot: [16]byte{1}})
	must(t, err)
	must(t, sealer.SetRoster(s.roster))
	m, err := sealer.Seal(Meta{Stream: Durable, Seq: 1, Kind: KindStatus, Media: "application/json", Clock: ClockNTP, Taken: s.now}, []byte("{}"))
	must(t, err)
	if _, err := o.Open(id, m.Bytes); ReasonOf(err) != Revoked {
		t.Errorf("before the viewer knows of it: %v", err)
	}
	must(t, o.SetRoster(r))
	if _, err := o.Open(id, m.Bytes); err != nil {
		t.Error(err)
	}
}
