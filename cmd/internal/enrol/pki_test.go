package enrol

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/identity/est/esttest"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

const day = 24 * time.Hour

// site is a house under a PKI that this test's own hand plays.
type site struct {
	*house
	p *pki
	s Settings
}

func newSite(t *testing.T) *site {
	t.Helper()
	h, p := newHouse(t), newPKI(t, "Site CA")
	p.User, p.Secret = "door", "once"
	p.Now = func() time.Time { t, _ := h.clock.Time(); return t }
	s := &site{h, p, Settings{From: FromEST, URL: p.serve(time.Now().AddDate(-4, 0, 0), time.Now().AddDate(4, 0, 0)), Anchor: p.anchor(), Secret: p.dir + "/secret"}}
	s.secret("door:once\n")
	return s
}

func (s *site) secret(text string) {
	s.t.Helper()
	check(s.t, os.WriteFile(s.s.Secret, []byte(text), 0o600))
}

// holds gives the camera a certificate that began and ends so long from now.
func (s *site) holds(begin, end time.Duration) *x509.Certificate {
	s.t.Helper()
	c := s.p.client(string(s.camera.ID()), s.camera.TLSSigner().Public(), s.clock.now.Add(begin), s.clock.now.Add(end))
	check(s.t, s.camera.SetEnrolled(identity.Proven, []*x509.Certificate{c}))
	return c
}

func (s *site) asked(op string) (n int) {
	for _, a := range s.p.Asked() {
		if a == op {
			n++
		}
	}
	return n
}

func (s *site) trouble(k *Credentials) string { return k.Status(s.clock.Time()).Trouble }

// A certificate that ended while the camera slept is renewed where the PKI allows it;
// else the camera asks as a new one; else it says so, and a new secret is enough.
func TestEndedCertificate(t *testing.T) {
	for name, tc := range map[string]struct {
		renew  bool
		secret string
		want   string // of what is asked
	}{
		"renewed":      {true, "", "cacerts simplereenroll"},
		"as a new one": {false, "door:once", "cacerts simplereenroll csrattrs simpleenroll"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			old := s.holds(-100*day, -10*day)
			s.p.RenewEnded = tc.renew
			s.secret(tc.secret)
			k := s.open(s.s)
			k.stepEST(t.Context(), s.clock)
			if leaf(t, k).Equal(old) || strings.Join(s.p.Asked(), " ") != tc.want {
				t.Errorf("asked %v; %s", s.p.Asked(), s.trouble(k))
			}
		})
	}
	t.Run("locked out", func(t *testing.T) {
		s := newSite(t)
		old := s.holds(-100*day, -10*day)
		check(t, os.Remove(s.s.Secret))
		k := s.open(s.s)
		k.stepEST(t.Context(), s.clock)
		if !leaf(t, k).Equal(old) || !strings.Contains(s.trouble(k), "neither") && !strings.Contains(s.trouble(k), "nor does it take it as a new camera") {
			t.Errorf("trouble %q", s.trouble(k))
		}
		s.secret("door:once")
		s.clock.pass(2 * time.Minute)
		k.stepEST(t.Context(), s.clock)
		if leaf(t, k).Equal(old) || s.trouble(k) != "" {
			t.Errorf("a new secret did not help: %s", s.trouble(k))
		}
	})
}

// An authority that thinks is given the time that it names, and asked the same.
func TestPending(t *testing.T) {
	s := newSite(t)
	s.p.Pending, s.p.RetryAfter = 2, "7200"
	k := s.open(s.s)
	k.stepEST(t.Context(), s.clock)
	csr := slices.Clone(k.est.csr)
	s.clock.pass(time.Hour)
	k.stepEST(t.Context(), s.clock)
	if n := s.asked("simpleenroll"); n != 1 {
		t.Fatalf("asked %d times within the time that it named", n)
	}
	s.clock.pass(time.Hour)
	k.stepEST(t.Context(), s.clock)
	if !slices.Equal(csr, k.est.csr) || len(csr) == 0 {
		t.Error("asked for something else")
	}
	s.clock.pass(2 * time.Hour)
	k.stepEST(t.Context(), s.clock)
	if leaf(t, k).Issuer.CommonName != "Site CA" || s.asked("simpleenroll") != 3 {
		t.Errorf("asked %v: %s", s.p.Asked(), s.trouble(k))
	}
}

// A board that wakes in 1970 after two years knows a time that has passed, which is
// not the one that it is: the PKI's server says when to renew.
func TestLostClock(t *testing.T) {
	s := newSite(t)
	old := s.holds(-10*day, 80*day)
	k := s.open(s.s)
	s.clock.known = false // now is the last time that was believed
	s.p.Now = func() time.Time { return s.clock.now.Add(20 * day) }
	k.stepEST(t.Context(), s.clock)
	if !leaf(t, k).Equal(old) || s.asked("cacerts") != 1 {
		t.Fatalf("asked %v", s.p.Asked())
	}
	s.clock.mu.Lock()
	s.clock.mono += 31 * day // it stays on, and its clock stands still: 61 of 90 days, by what the server said
	s.clock.mu.Unlock()
	if m := k.moment(s.clock); !m.at.Equal(s.clock.now.Add(51*day).Truncate(time.Second)) || m.known {
		t.Errorf("it thinks that it is %v later", m.at.Sub(s.clock.now))
	}
	k = s.open(s.s)
	s.p.Now = func() time.Time { return s.clock.now.Add(2 * 365 * day) }
	s.p.RenewEnded = true
	k.stepEST(t.Context(), s.clock)
	if got := leaf(t, k); got.Equal(old) || got.NotBefore.Before(s.clock.now.Add(700*day)) {
		t.Errorf("not renewed: %s", s.trouble(k))
	}
}

// A server's date never makes a certificate good or bad where the clock is known.
func TestServerWithAWrongClock(t *testing.T) {
	s := newSite(t)
	old := s.holds(-10*day, 80*day)
	k := s.open(s.s)
	s.p.Now = func() time.Time { return s.clock.now.Add(1000 * day) }
	k.stepEST(t.Context(), s.clock)
	if !leaf(t, k).Equal(old) || len(s.p.Asked()) != 0 {
		t.Errorf("asked %v", s.p.Asked())
	}
	s.clock.pass(60 * day) // it is time, and what comes is of the future
	k.stepEST(t.Context(), s.clock)
	if !leaf(t, k).Equal(old) || !strings.Contains(s.trouble(k), errDates.Error()) {
		t.Errorf("took a certificate of the future; trouble %q", s.trouble(k))
	}
}

// What a PKI gives by mistake does not take the place of what there is.
func TestBadAnswers(t *testing.T) {
	other := newPKI(t, "Another CA")
	for name, tc := range map[string]struct {
		change func(s *site)
		want   string
	}{
		"ends sooner": {func(s *site) { s.p.Life = 5 * day }, errWorse.Error()},
		"somebody else": {func(s *site) {
			s.p.Change = func(c *x509.Certificate) { c.RawSubject = nil; c.Subject.CommonName = "x" }
		}, errName.Error()},
		"for servers": {func(s *site) {
			s.p.Change = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
		}, "incompatible key usage"},
		"another key": {func(s *site) {
			s.p.Answer = s.instead(s.p.client(string(s.camera.ID()), newKey(s.t).Public(), s.clock.now, s.clock.now.Add(90*day)))
		}, errKey.Error()},
		"another CA": {func(s *site) {
			s.p.Answer = s.instead(other.client(string(s.camera.ID()), s.camera.TLSSigner().Public(), s.clock.now, s.clock.now.Add(90*day)))
		}, "unknown authority"},
		"makes authority": {func(s *site) { s.p.Change = func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true } }, "an authority's"},
		"nothing":         {func(s *site) { s.p.Answer = func(string) []byte { return []byte("MAA=") } }, "certs-only"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			old := s.holds(-70*day, 20*day)
			tc.change(s)
			k := s.open(s.s)
			k.stepEST(t.Context(), s.clock)
			if !leaf(t, k).Equal(old) || !strings.Contains(s.trouble(k), tc.want) {
				t.Errorf("trouble %q, expected %q", s.trouble(k), tc.want)
			}
			if _, err := s.camera.Enrolled(identity.Candidate); err == nil {
				t.Error("it was stored")
			}
		})
	}
}

// instead answers every enrolment with cert.
func (s *site) instead(cert *x509.Certificate) func(string) []byte {
	return func(op string) []byte {
		if strings.HasPrefix(op, "simple") {
			return base64Of(esttest.CertsOnly(cert))
		}
		return nil
	}
}

// A new certificate that the broker refuses is not used; the old one goes on, the new
// one is tried now and then, and at last another is asked for.
func TestBrokerRefusesTheNewOne(t *testing.T) {
	s := newSite(t)
	old := s.holds(-70*day, 20*day)
	k := s.open(s.s)
	k.stepEST(t.Context(), s.clock)
	refusal := &mqtt.Error{Reason: mqtt.ErrRefused, Broker: "b:1", Err: errors.New("bad certificate")}
	if leaf(t, k).Equal(old) {
		t.Fatal(s.trouble(k))
	}
	k.Tried(&mqtt.Error{Reason: mqtt.ErrUnreachable, Broker: "b:1"})
	if leaf(t, k).Equal(old) {
		t.Error("a network that is gone is no judgement of a certificate")
	}
	<-k.Changed()
	k.Tried(refusal)
	if !leaf(t, k).Equal(old) {
		t.Fatal("the old one is not tried")
	}
	k.Tried(nil)
	if kept, err := s.camera.Enrolled(identity.Proven); err != nil || !kept[0].Equal(old) || !strings.Contains(s.trouble(k), "refuses the new") {
		t.Errorf("%v, trouble %q", err, s.trouble(k))
	}
	s.clock.pass(again)
	k.retryRefused()
	select {
	case <-k.Changed():
	default:
		t.Error("not tried again")
	}
	if leaf(t, k).Equal(old) {
		t.Error("not the new one")
	}
	k.Tried(refusal)
	leaf(t, k)
	k.Tried(nil)
	s.clock.pass(longestPause)
	k.stepEST(t.Context(), s.clock)
	if n := s.asked("simplereenroll"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// Wherever the power fails, the camera has a certificate after it.
func TestPowerCuts(t *testing.T) {
	s := newSite(t)
	old := s.holds(-70*day, 20*day)
	k := s.open(s.s)
	k.stepEST(t.Context(), s.clock)
	next := leaf(t, k)
	k = s.open(s.s) // it is written, and the broker was not asked
	if !leaf(t, k).Equal(next) {
		t.Error("the new one is not tried first")
	}
	k.Tried(&mqtt.Error{Reason: mqtt.ErrRefused, Broker: "b:1"})
	if !leaf(t, k).Equal(old) {
		t.Error("the old one is gone")
	}
	k = s.open(s.s)
	leaf(t, k)
	k.Tried(nil)
	k = s.open(s.s) // it has taken the old one's place
	if !leaf(t, k).Equal(next) {
		t.Error("the new one is gone")
	}
	// A file that is damaged is asked for again, and the household's goes on meanwhile.
	check(t, os.WriteFile(s.dir+"/"+string(identity.Proven), []byte("half a cert"), 0o600))
	k = s.open(s.s)
	if c := leaf(t, k); c.Issuer.CommonName == "Site CA" {
		t.Error("used a damaged one")
	}
	k.stepEST(t.Context(), s.clock)
	if c := leaf(t, k); c.Issuer.CommonName != "Site CA" {
		t.Errorf("not asked for again: %s", s.trouble(k))
	}
}

// A fingerprint is enough to begin with; the PKI's next root is believed by the word
// of this one; another fingerprint ends both.
func TestAnchors(t *testing.T) {
	s := newSite(t)
	sum := sha256.Sum256(s.p.Cert.Raw)
	s.s.Anchor, s.s.Pin = "", hex.EncodeToString(sum[:])
	next := newPKI(t, "Next CA")
	s.p.Extra = []*x509.Certificate{next.Cert}
	k := s.open(s.s)
	k.stepEST(t.Context(), s.clock)
	if leaf(t, k).Issuer.CommonName != "Site CA" {
		t.Fatal(s.trouble(k))
	}
	k.Tried(nil)
	s.p.Answer = s.instead(next.client(string(s.camera.ID()), s.camera.TLSSigner().Public(), s.clock.now.Add(60*day), s.clock.now.Add(160*day)))
	s.clock.pass(70 * day)
	k = s.open(s.s)
	k.stepEST(t.Context(), s.clock)
	if leaf(t, k).Issuer.CommonName != "Next CA" {
		t.Errorf("the next root is not believed: %s", s.trouble(k))
	}
	sum = sha256.Sum256(newPKI(t, "Third CA").Cert.Raw)
	s.s.Pin = hex.EncodeToString(sum[:])
	if k = s.open(s.s); len(k.anchors) != 0 {
		t.Error("what was believed under another fingerprint is believed still")
	}
	s.clock.pass(80 * day) // of a hundred: it is time, for whichever camera
	leaf(t, k)
	k.Tried(nil)
	k.stepEST(t.Context(), s.clock)
	if !strings.Contains(s.trouble(k), "fingerprint") {
		t.Errorf("trouble %q", s.trouble(k))
	}
	s.s.Pin, s.s.Anchor = "", newPKI(t, "Fourth CA").anchor()
	if k = s.open(s.s); len(k.anchors) != 1 || k.anchors[0].Subject.CommonName != "Fourth CA" {
		t.Error("what was believed by a fingerprint is believed beside another file")
	}
}

// A maker's certificate lets a camera in, without a secret.
func TestFactoryCertificate(t *testing.T) {
	s, maker := newSite(t), newPKI(t, "Maker CA")
	s.p.Secret, s.s.Secret = "", ""
	s.p.Clients = x509.NewCertPool()
	s.p.Clients.AddCert(maker.Cert)
	key := newKey(t)
	s.s.FactoryCertificate = maker.file("idevid.pem", "CERTIFICATE", maker.client("serial-0815", key.Public(), s.clock.now.Add(-day), s.clock.now.Add(day)).Raw)
	s.s.FactoryKey = maker.keyFile("idevid.key", key)
	k := s.open(s.s)
	k.stepEST(t.Context(), s.clock)
	if c := leaf(t, k); c.Issuer.CommonName != "Site CA" || c.Subject.CommonName != string(s.camera.ID()) {
		t.Errorf("%s", s.trouble(k))
	}
}
