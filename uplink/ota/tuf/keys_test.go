package tuf_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// signer is a key of any kind: as a root describes it, and what signs.
type signer struct {
	kind, scheme string
	public       crypto.PublicKey
	sign         func(message []byte) []byte
}

func ecdsaSigner(t *testing.T, kind string, curve elliptic.Curve) signer {
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{kind, "ecdsa-sha2-nistp256", k.Public(), func(m []byte) []byte {
		h := sha256.Sum256(m)
		sig, err := ecdsa.SignASN1(rand.Reader, k, h[:])
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}}
}

func rsaSigner(t *testing.T, scheme string) signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer{"rsa", scheme, k.Public(), func(m []byte) []byte {
		h := sha256.Sum256(m)
		sig, err := rsa.SignPSS(rand.Reader, k, crypto.SHA256, h[:], &rsa.PSSOptions{SaltLength: 32})
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}}
}

// TestKeys: timestamps signed by keys of every kind that the specification has, and
// by some that it has not.
func TestKeys(t *testing.T) {
	for _, test := range []struct {
		name string
		key  signer
		good bool
	}{
		{"ECDSA", ecdsaSigner(t, "ecdsa", elliptic.P256()), true},
		{"ECDSA, by its longer name", ecdsaSigner(t, "ecdsa-sha2-nistp256", elliptic.P256()), true},
		{"ECDSA on another curve", ecdsaSigner(t, "ecdsa", elliptic.P384()), false},
		{"ECDSA that says it is RSA", ecdsaSigner(t, "rsa", elliptic.P256()), false},
		{"RSA", rsaSigner(t, "rsassa-pss-sha256"), true},
		{"RSA of another scheme", rsaSigner(t, "rsa-pkcs1v15-sha256"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSim(t)
			der, err := x509.MarshalPKIXPublicKey(test.key.public)
			if err != nil {
				t.Fatal(err)
			}
			text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			s.docs["root"]["keys"].(doc)["it"] = doc{"keytype": test.key.kind, "scheme": test.key.scheme, "keyval": doc{"public": text}}
			s.role("timestamp")["keyids"] = []any{"it"}
			s.publish("root")
			s.next("timestamp")
			sig := hex.EncodeToString(test.key.sign(canonicalJSON(s.docs["timestamp"])))
			s.files["metadata/timestamp.json"] = canonicalJSON(doc{"signed": s.docs["timestamp"], "signatures": []any{doc{"keyid": "it", "sig": sig}}})
			_, err = newCamera(t, s).client().Check(t.Context())
			if test.good && err != nil || !test.good && !errors.Is(err, tuf.ErrUnsigned) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestHTTPS: a camera trusts the authority it was given, and no other.
func TestHTTPS(t *testing.T) {
	s, c := release(t, []byte("x"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := s.files[r.URL.Path[1:]]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, string(data))
	}))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	cert := server.Certificate()
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	at := func(d time.Time) func() time.Time { return func() time.Time { return d } }
	elsewhere := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, test := range []struct {
		name, url string
		conf      *tls.Config
		good      bool
	}{
		{"authorities of this machine", server.URL, nil, false},
		{"an authority of its own", server.URL, &tls.Config{RootCAs: pool}, true},
		{"no authority", server.URL, &tls.Config{RootCAs: x509.NewCertPool()}, false},
		{"another name", elsewhere, &tls.Config{RootCAs: pool}, false},
		{"a clock that is behind", server.URL, &tls.Config{RootCAs: pool, Time: at(cert.NotBefore.Add(-time.Hour))}, true},
		{"a certificate that has ended", server.URL, &tls.Config{RootCAs: pool, Time: at(cert.NotAfter.Add(time.Hour))}, false},
	} {
		var err error
		if c.conf.Metadata, c.conf.Targets, err = tuf.Folders(test.url, test.conf); err != nil {
			t.Fatal(err)
		}
		_, err = c.client().Check(t.Context())
		if !test.good && !errors.Is(err, tuf.ErrUnreachable) || test.good && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	var err error
	if c.conf.Metadata, c.conf.Targets, err = tuf.Folders(server.URL, &tls.Config{RootCAs: pool}); err != nil {
		t.Fatal(err)
	}
	path, err := c.fetch(t.Context())
	mustHold(t, path, err, []byte("x"))
}

// TestAddresses: from where a camera takes updates.
func TestAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"https://releases.example/sealcam": true, "https://releases.example:8443": true, "file:///media/card": true,
		"http://127.0.0.1:8490": true, "http://[::1]:8490": true, "http://localhost/x": true,
		"http://releases.example": false, "http://127.0.0.1.example": false, "ftp://releases.example": false,
		"releases.example": false, "": false, "https://": false, "https://user:word@releases.example": false,
		"https://releases.example/?a=b": false, "https://releases.example/#a": false, "file://host/x": false, "https://a b": false,
	} {
		if _, err := tuf.NewRemote(address, nil); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
