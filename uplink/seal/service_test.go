package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"
	"time"
)

func (s *site) pass(t testing.TB, by *ecdsa.PrivateKey, change func(p *Pass)) []byte {
	t.Helper()
	p := Pass{Household: s.id, Keeper: s.keeperID, Issued: s.now, Expires: s.now.Add(PassLife)}
	if change != nil {
		change(&p)
	}
	b, err := SignPass(by, p)
	must(t, err)
	return b
}

// TestPass: it is for who may watch, for one household, and for a short time.
func TestPass(t *testing.T) {
	s := newSite(t)
	s.allowed(t, "owner phone watcher", func(by *ecdsa.PrivateKey) error {
		p, err := OpenPass(s.roster, s.now, s.pass(t, by, nil))
		if err == nil && (p.Keeper != s.keeperID || p.Household != s.id || p.Owner != (by == s.owner)) {
			t.Errorf("%+v", p)
		}
		return err
	})
	other := newSite(t)
	b := s.pass(t, s.viewer.signer, func(p *Pass) { p.Household = other.id })
	if _, err := OpenPass(s.roster, s.now, b); ReasonOf(err) != NotForYou {
		t.Errorf("for another household: %v", err)
	}
	b = s.pass(t, s.viewer.signer, nil)
	for after, want := range map[time.Duration]Reason{
		-PassSkew: "", -PassSkew - time.Second: Stale, PassLife - time.Second: "", PassLife: Stale, 1000 * time.Hour: Stale,
	} {
		if _, err := OpenPass(s.roster, s.now.Add(after), b); ReasonOf(err) != want {
			t.Errorf("%v after it was issued: %v", after, err)
		}
	}
	if _, err := OpenPass(s.roster, time.Time{}, b); ReasonOf(err) != Stale {
		t.Errorf("a keeper without a clock: %v", err)
	}
	for _, life := range []time.Duration{0, -time.Second, PassLife + time.Second} {
		if _, err := SignPass(s.owner, Pass{Household: s.id, Keeper: s.keeperID, Issued: s.now, Expires: s.now.Add(life)}); err == nil {
			t.Errorf("a pass for %v", life)
		}
	}
}

// TestDeletion: an owner's alone, and answered by a keeper's word about exactly it.
func TestDeletion(t *testing.T) {
	s := newSite(t)
	order := Deletion{Household: s.id, Keeper: s.keeperID, Camera: s.cameraID, From: 5, To: 9, Counter: 1, Issued: s.now, Expires: s.now.Add(time.Hour)}
	s.allowed(t, "owner", func(by *ecdsa.PrivateKey) error {
		b, err := SignDeletion(by, order)
		must(t, err)
		d, err := OpenDeletion(s.roster, b)
		if err == nil && (d.Camera != s.cameraID || d.From != 5 || d.To != 9 || d.Keeper != s.keeperID || d.Counter != 1 || !d.Expires.Equal(order.Expires) || d.Hash != sha256.Sum256(b)) {
			t.Errorf("%+v", d)
		}
		return err
	})
	answer := Deleted{Household: s.id, Deletion: [32]byte{7}, Messages: 5, Bytes: 500000, Issued: s.now}
	s.allowed(t, "keeper", func(by *ecdsa.PrivateKey) error {
		b, err := SignDeleted(by, answer)
		must(t, err)
		d, err := OpenDeleted(s.roster, b)
		if err == nil && (d.Deletion != answer.Deletion || d.Messages != 5 || d.Bytes != 500000 || d.Keeper != s.keeperID || d.Name != "cellar") {
			t.Errorf("%+v", d)
		}
		return err
	})
	other := newSite(t)
	elsewhere := order
	elsewhere.Household = other.id
	b, err := SignDeletion(s.owner, elsewhere)
	must(t, err)
	if _, err := OpenDeletion(s.roster, b); ReasonOf(err) != NotForYou {
		t.Errorf("for another household: %v", err)
	}
	for name, change := range map[string]func(d *Deletion){
		"a range of all cameras": func(d *Deletion) { d.Camera = "" },
		"falling":                func(d *Deletion) { d.From = 10 },
		"from the beginning":     func(d *Deletion) { d.From = 0 },
		"no counter":             func(d *Deletion) { d.Counter = 0 },
		"for ever":               func(d *Deletion) { d.Expires = time.Time{} },
		"no keeper":              func(d *Deletion) { d.Keeper = "" },
	} {
		d := order
		change(&d)
		if _, err := SignDeletion(s.owner, d); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

// TestSettings: of who may command, for the cameras that they name.
func TestSettings(t *testing.T) {
	s := newSite(t)
	want := Settings{Household: s.id, Version: 3, Body: []byte("[motion]\nsensitivity = 4\n"), Issued: s.now}
	s.allowed(t, "owner phone operator", func(by *ecdsa.PrivateKey) error {
		b, err := SignSettings(by, want)
		must(t, err)
		got, err := OpenSettings(s.roster, s.cameraID, b)
		if err == nil && (got.Version != 3 || !bytes.Equal(got.Body, want.Body) || got.Owner != (by == s.owner) || by == s.operator.signer && got.Name != "operator") {
			t.Errorf("%+v", got)
		}
		return err
	})
	another, err := CameraIDOf(newKey(t).Public())
	must(t, err)
	for _, c := range []struct {
		settings Settings
		camera   CameraID
		want     Reason
	}{
		{Settings{Camera: s.cameraID}, s.cameraID, ""},
		{Settings{Group: "gates"}, s.cameraID, ""},
		{Settings{Camera: another}, s.cameraID, WrongCamera},
		{Settings{Group: "west"}, s.cameraID, WrongCamera},
		{Settings{}, another, Revoked},
		{Settings{Household: newSite(t).id}, s.cameraID, NotForYou},
	} {
		v := c.settings
		if v.Household == "" {
			v.Household = s.id
		}
		v.Version, v.Issued = 1, s.now
		b, err := SignSettings(s.owner, v)
		must(t, err)
		if _, err := OpenSettings(s.roster, c.camera, b); ReasonOf(err) != c.want {
			t.Errorf("for camera %q, group %q: %v, want %q", v.Camera, v.Group, err, c.want)
		}
	}
	for name, change := range map[string]func(s *Settings){
		"version 0":                func(s *Settings) { s.Version = 0 },
		"no time":                  func(s *Settings) { s.Issued = time.Time{} },
		"a camera and a group":     func(v *Settings) { v.Camera, v.Group = s.cameraID, "gates" },
		"a group that is no token": func(s *Settings) { s.Group = "East wing" },
		"too large":                func(s *Settings) { s.Body = make([]byte, MaxSettings+1) },
	} {
		v := want
		change(&v)
		if _, err := SignSettings(s.owner, v); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	large := want
	large.Body, large.Group = make([]byte, MaxSettings), "gates"
	b, err := SignSettings(s.owner, large)
	must(t, err)
	if got, err := OpenSettings(s.roster, s.cameraID, b); err != nil || len(got.Body) != MaxSettings {
		t.Errorf("as large as may be: %v", err)
	}
}
