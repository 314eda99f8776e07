package est_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity/est"
	"github.com/sealcam/sealcam/uplink/identity/est/esttest"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func authority(t testing.TB) *esttest.Authority {
	t.Helper()
	a, err := esttest.New("Test CA", time.Now())
	check(t, err)
	return a
}

// serve runs the authority's server.
func serve(t testing.TB, a *esttest.Authority, edit func(*tls.Config)) string {
	t.Helper()
	s := httptest.NewUnstartedServer(a)
	var err error
	s.TLS, err = a.TLS(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	check(t, err)
	if edit != nil {
		edit(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func client(a *esttest.Authority, url string) *est.Client {
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	return &est.Client{URL: url, Roots: roots, Now: time.Now}
}

func request(t testing.TB, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	check(t, err)
	return csr
}

func TestEnroll(t *testing.T) {
	for name, edit := range map[string]func(*tls.Config){
		"TLS 1.3": func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 },
		"TLS 1.2": func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
	} {
		t.Run(name, func(t *testing.T) {
			a := authority(t)
			a.User, a.Secret = "cam", "once"
			c := client(a, serve(t, a, edit)+"/.well-known/est/cameras")
			c.User, c.Secret = "cam", "once"
			cas, err := c.CACerts(t.Context())
			check(t, err)
			if len(cas.Certificates) != 1 || !cas.Certificates[0].Equal(a.Cert) || cas.Date.IsZero() {
				t.Errorf("authorities %v, date %v", cas.Certificates, cas.Date)
			}
			check(t, c.Attributes(t.Context()))
			got, err := c.Enroll(t.Context(), request(t, "cam"))
			check(t, err)
			if len(got.Certificates) != 1 || got.Certificates[0].Subject.CommonName != "cam" {
				t.Errorf("got %v", got.Certificates)
			}
		})
	}
}

func TestRefusedByServer(t *testing.T) {
	a := authority(t)
	a.User, a.Secret = "cam", "once"
	url := serve(t, a, nil)
	c := client(a, url)
	c.User, c.Secret = "cam", "twice"
	if _, err := c.Enroll(t.Context(), request(t, "cam")); !errors.Is(err, est.ErrRefused) {
		t.Errorf("a wrong secret: %v", err)
	}
	a.Secret, a.Pending, a.RetryAfter = "twice", 1, "3600"
	var pending *est.PendingError
	if _, err := c.Enroll(t.Context(), request(t, "cam")); !errors.As(err, &pending) || pending.After != time.Hour {
		t.Errorf("an authority that thinks: %v", err)
	}
	stranger := client(authority(t), url)
	if _, err := stranger.CACerts(t.Context()); !errors.Is(err, est.ErrTrust) {
		t.Errorf("a server of somebody else's: %v", err)
	}
	early := client(a, url)
	early.Now = func() time.Time { return time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC) }
	if _, err := early.CACerts(t.Context()); !errors.Is(err, est.ErrNotYetValid) {
		t.Errorf("a clock of 1970: %v", err)
	}
}

// The server's words, its redirections and what it sends without an end are bounded.
func TestHostileAnswers(t *testing.T) {
	a := authority(t)
	stolen := make(chan string, 1)
	thief := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen <- r.Header.Get("Authorization") }))
	defer thief.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"without end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/pkcs7-mime")
			for range 1 << 10 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		},
		"redirected": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		},
		"a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>log in\x1b[2J</html>")) },
		"not base64": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/pkcs7-mime")
			_, _ = w.Write([]byte("!!!"))
		},
		"many words": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.Repeat("\x1b[2J words ", 9999), 500)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(answer)
			var err error
			s.TLS, err = a.TLS(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
			check(t, err)
			s.StartTLS()
			defer s.Close()
			c := client(a, s.URL)
			c.User, c.Secret = "cam", "once"
			_, err = c.Enroll(t.Context(), request(t, "cam"))
			if !errors.Is(err, est.ErrAnswer) {
				t.Errorf("%v", err)
			}
			if text := err.Error(); len(text) > 400 || strings.Contains(text, "\x1b") {
				t.Errorf("says %d bytes: %q", len(text), text[:min(len(text), 400)])
			}
		})
	}
	select {
	case s := <-stolen:
		t.Errorf("the secret went to where the server pointed: %q", s)
	default:
	}
}

func TestAttributes(t *testing.T) {
	marshal := func(v any) []byte {
		b, err := asn1.Marshal(v)
		check(t, err)
		return b
	}
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.ObjectIdentifier `asn1:"set"`
	}
	ec, p256, p384 := asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	for name, tc := range map[string]struct {
		der  []byte
		want error
	}{
		"nothing":           {marshal([]int{}), nil},
		"our curve":         {marshal([]attribute{{ec, []asn1.ObjectIdentifier{p256}}}), nil},
		"another curve":     {marshal([]attribute{{ec, []asn1.ObjectIdentifier{p384}}}), est.ErrUnsupported},
		"bound to TLS":      {marshal([]asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 9, 7}}), est.ErrUnsupported},
		"RSA":               {marshal([]asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 1, 1}}), est.ErrUnsupported},
		"SHA-384 as a wish": {marshal([]asn1.ObjectIdentifier{{1, 2, 840, 10045, 4, 3, 3}}), nil},
		"garbage":           {[]byte{0x30, 0x03, 0x02, 0x01}, est.ErrAnswer},
	} {
		a := authority(t)
		a.Attributes = tc.der
		if err := client(a, serve(t, a, nil)).Attributes(t.Context()); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A fingerprint is enough to find the authority, and whoever answers without it is
// nobody: no certificate and no secret is shown before that.
func TestBootstrap(t *testing.T) {
	a := authority(t)
	var shown []string
	c := client(a, serve(t, a, func(conf *tls.Config) {
		conf.VerifyConnection = func(s tls.ConnectionState) error {
			shown = append(shown, fmt.Sprint(len(s.PeerCertificates)))
			return nil
		}
	}))
	c.Roots, c.User, c.Secret = nil, "cam", "once"
	sum := sha256.Sum256(a.Cert.Raw)
	text := strings.ToUpper(hex.EncodeToString(sum[:]))
	for i := 2; i < len(text); i += 3 {
		text = text[:i] + ":" + text[i:]
	}
	pin, err := est.ParsePin(text)
	check(t, err)
	got, err := c.Bootstrap(t.Context(), pin)
	check(t, err)
	if !got.Equal(a.Cert) {
		t.Error("another authority")
	}
	pin[0]++
	if _, err := c.Bootstrap(t.Context(), pin); !errors.Is(err, est.ErrTrust) {
		t.Errorf("a wrong fingerprint: %v", err)
	}
	if slices.Contains(shown, "1") {
		t.Error("a certificate was shown to a server that nobody knows")
	}
	if _, err := c.CACerts(t.Context()); err == nil {
		t.Error("asked without an authority to believe")
	}
	if _, err := est.ParsePin("12:34"); err == nil {
		t.Error("took a short fingerprint")
	}
}

func TestCheckURL(t *testing.T) {
	for _, bad := range []string{"http://x", "https://", "https://u:p@x", "https://x?y", "x", "https://x#y", "https://x:y:z"} {
		if est.CheckURL(bad) == nil {
			t.Errorf("took %q", bad)
		}
	}
	check(t, est.CheckURL("https://ca.example:8443/.well-known/est/cameras"))
}

// What OpenSSL writes as certs-only PKCS #7 is read, and what it writes otherwise is not.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is not installed: run make test-deps")
	}
	dir, a := t.TempDir(), authority(t)
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(openssl, args...)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		out, err := cmd.Output()
		check(t, err)
		return out
	}
	write := func(name, kind string, der []byte) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write("ca.pem", "CERTIFICATE", a.Cert.Raw)
	key, err := x509.MarshalPKCS8PrivateKey(a.Key)
	check(t, err)
	write("ca.key", "PRIVATE KEY", key)
	got, err := est.CertsOnly(run("crl2pkcs7", "-nocrl", "-certfile", "ca.pem", "-certfile", "ca.pem", "-outform", "DER"))
	check(t, err)
	if len(got) != 2 || !got[0].Equal(a.Cert) {
		t.Errorf("got %d certificates", len(got))
	}
	// BER, with lengths at the end, and something signed inside.
	check(t, os.WriteFile(filepath.Join(dir, "text"), []byte("text"), 0o600))
	signed := run("cms", "-sign", "-in", "text", "-signer", "ca.pem", "-inkey", "ca.key", "-nodetach", "-stream", "-indef", "-outform", "DER")
	if signed[1] != 0x80 {
		t.Fatal("openssl wrote DER")
	}
	if got, err = est.CertsOnly(signed); err != nil || len(got) != 1 || !got[0].Equal(a.Cert) {
		t.Errorf("BER of openssl cms: %v, %d certificates", err, len(got))
	}
	// The other way: OpenSSL reads our fake's answers and our requests.
	check(t, os.WriteFile(filepath.Join(dir, "answer.p7"), esttest.CertsOnly(a.Cert), 0o600))
	if out := run("pkcs7", "-inform", "DER", "-in", "answer.p7", "-print_certs", "-noout"); !strings.Contains(string(out), "Test CA") {
		t.Errorf("openssl pkcs7 reads %s", out)
	}
	write("req.pem", "CERTIFICATE REQUEST", request(t, "cam"))
	run("req", "-in", "req.pem", "-verify", "-noout")
}

// A chain that is too long, or has a key that is a trap for who checks it, is refused
// before anything is computed with it.
func TestBombs(t *testing.T) {
	a := authority(t)
	long := slices.Repeat([]*x509.Certificate{a.Cert}, 17)
	if _, err := est.CertsOnly(esttest.CertsOnly(long...)); err == nil {
		t.Error("took 17 certificates")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	key.N.Lsh(key.N, 9000).SetBit(key.N, 0, 1)
	big, err := a.Sign(&x509.Certificate{Subject: pkix.Name{CommonName: "big"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}, &key.PublicKey)
	check(t, err)
	if _, err := est.CertsOnly(esttest.CertsOnly(big)); err == nil {
		t.Error("took an RSA key of 11,000 bits")
	}
	if _, err := est.CertsOnly(slices.Repeat([]byte{0x30, 0x80}, 1<<16)); err == nil {
		t.Error("took a nest")
	}
	if _, err := est.CertsOnly(esttest.CertsOnly()); err == nil {
		t.Error("took no certificate at all")
	}
}

func TestContextEnds(t *testing.T) {
	a := authority(t)
	c := client(a, serve(t, a, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.CACerts(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// What is read is certificates, a bounded number of them, and reads the same when
// it is written again.
func FuzzCertsOnly(f *testing.F) {
	a := authority(f)
	f.Add(esttest.CertsOnly(a.Cert))
	f.Add(esttest.CertsOnly(a.Cert, a.Cert))
	f.Add([]byte{0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x80, 0x30, 0x80, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, err := est.CertsOnly(b)
		if err != nil {
			return
		}
		if len(certs) == 0 || len(certs) > 16 {
			t.Fatalf("%d certificates", len(certs))
		}
		again, err := est.CertsOnly(esttest.CertsOnly(certs...))
		if err != nil || !slices.EqualFunc(certs, again, (*x509.Certificate).Equal) {
			t.Fatalf("written again: %v", err)
		}
	})
}

// Whatever a server says, the client returns in bounded words, and nothing but
// certificates or an error.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/pkcs7-mime", "5", []byte("MAA="))
	f.Add(202, "", "Fri, 01 Jan 2100 00:00:00 GMT", []byte(nil))
	f.Add(401, "text/html", "", []byte("<html>"))
	f.Fuzz(func(t *testing.T, status int, kind, after string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		got, err := est.Judge(status, kind, after, body)
		if err == nil && len(got) == 0 {
			t.Fatal("neither")
		}
		var pending *est.PendingError
		if errors.As(err, &pending) && (pending.After < 10*time.Second || pending.After > 24*time.Hour) {
			t.Fatalf("waits %v", pending.After)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Fatalf("says %d bytes", len(err.Error()))
		}
	})
}

// Attributes are understood, or refused for one of two reasons.
func FuzzAttributes(f *testing.F) {
	f.Add([]byte{0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07})
	f.Add([]byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := est.CheckAttributes(b); err != nil && !errors.Is(err, est.ErrUnsupported) && !errors.Is(err, est.ErrAnswer) {
			t.Fatal(err)
		}
	})
}
