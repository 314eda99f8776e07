package enrol

import (
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func base64Of(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }

// Files that somebody else keeps are taken when they are whole and of this camera,
// and the ones before go on until then.
func TestFiles(t *testing.T) {
	h, p := newHouse(t), newPKI(t, "Site CA")
	broker := h.brokerFor(p)
	s := Settings{From: FromFiles, Certificate: p.dir + "/tls.crt", Key: p.dir + "/tls.key"}
	id := string(h.camera.ID())
	put := func(name string, begin, end time.Duration) *x509.Certificate {
		t.Helper()
		key := newKey(t)
		c := p.client(name, key.Public(), h.clock.now.Add(begin), h.clock.now.Add(end))
		p.file("tls.crt", "CERTIFICATE", c.Raw)
		p.keyFile("tls.key", key)
		return c
	}
	k := h.open(s) // nothing is there yet
	if st := k.Status(h.clock.Time()); st.From != FromPairing || !strings.Contains(st.Trouble, "tls.crt") {
		t.Errorf("status %+v", st)
	}
	first := put(id, -day, 10*day)
	k.readFiles(h.clock)
	got, err := h.connect(k, broker)
	check(t, err)
	if !got.Equal(first) || k.Status(h.clock.Time()).Trouble != "" {
		t.Errorf("opened by %v: %+v", got.Subject, k.Status(h.clock.Time()))
	}
	refused := func(what, want string) {
		t.Helper()
		k.readFiles(h.clock)
		if !leaf(t, k).Equal(first) {
			t.Errorf("%s: the one before does not go on", what)
		}
		if st := k.Status(h.clock.Time()); !strings.Contains(st.Trouble, want) {
			t.Errorf("%s: trouble %q", what, st.Trouble)
		}
	}
	second := put(id, 0, 20*day)
	key, err := os.ReadFile(s.Key)
	check(t, err)
	p.keyFile("tls.key", newKey(t))
	refused("half a pair", "does not match")
	check(t, os.WriteFile(s.Key, key[:len(key)/2], 0o600))
	refused("half a key", "key")
	check(t, os.WriteFile(s.Key, key, 0o600))
	check(t, os.Chmod(s.Key, 0o644))
	refused("a key for everybody", "chmod o=")
	check(t, os.Chmod(s.Key, 0o640))
	k.readFiles(h.clock)
	if !leaf(t, k).Equal(second) {
		t.Errorf("whole, and not used: %+v", k.Status(h.clock.Time()))
	}
	select {
	case <-k.Changed():
	default:
		t.Error("the uplink was not told")
	}
	_, err = h.connect(k, broker)
	check(t, err)
	first = second
	put("somebody-else", 0, 30*day)
	refused("another name", errName.Error())
	put(id, -10*day, -day)
	refused("ended", errDates.Error())
	check(t, os.WriteFile(s.Certificate, make([]byte, maxFile+1), 0o600))
	refused("too large", "larger")
}

// A name may stand where SPIFFE has it.
func TestNamed(t *testing.T) {
	id := "abc"
	spiffe, err := url.Parse("spiffe://site.example/camera/abc")
	check(t, err)
	for name, tc := range map[string]struct {
		c    x509.Certificate
		want bool
	}{
		"URI":        {x509.Certificate{URIs: []*url.URL{spiffe}}, true},
		"DNS":        {x509.Certificate{DNSNames: []string{"abc"}}, true},
		"no name":    {x509.Certificate{}, false},
		"longer":     {x509.Certificate{DNSNames: []string{"abcd", "abc.example"}}, false},
		"whole path": {x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "abc"}}}, false},
	} {
		if got := named(&tc.c, id) == nil; got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Whatever stands in files, a pair that is taken belongs together.
func FuzzPair(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		p, err := parsePair(cert, key)
		if err == nil && (p.Leaf == nil || p.PrivateKey == nil) {
			t.Fatal("half a pair")
		}
	})
}
