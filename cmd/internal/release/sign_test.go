package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeKey writes a private key and its public half as PEM.
func writeKey(t *testing.T, key crypto.Signer) (private, public string) {
	t.Helper()
	dir := t.TempDir()
	private, public = filepath.Join(dir, "key"), filepath.Join(dir, "key.pub")
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{private: {Type: "PRIVATE KEY", Bytes: der}, public: {Type: "PUBLIC KEY", Bytes: pub}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return private, public
}

// Both kinds of key sign the same bytes every time, openssl checks what they
// signed, and whatever is changed afterwards is refused.
func TestSign(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ed25519": ed, "p256": ec} {
		t.Run(name, func(t *testing.T) {
			private, public := writeKey(t, key)
			_, stranger := writeKey(t, ed25519.NewKeyFromSeed(make([]byte, 32)))
			dir := signedRelease(t, private)
			text, sig := filepath.Join(dir, manifestFile), filepath.Join(dir, signatureFile)
			if name == "p256" {
				command(t, "openssl", "dgst", "-sha256", "-verify", public, "-signature", sig, text)
			} else {
				command(t, "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-sigfile", sig, "-in", text)
			}
			if again := signedRelease(t, private); !equal(t, sig, filepath.Join(again, signatureFile)) {
				t.Error("the second signature differs")
			}
			refusals(t, private, public, stranger)
		})
	}
}

// signedRelease returns a directory with one file, made known by a signed manifest.
func signedRelease(t *testing.T, private string) string {
	t.Helper()
	key, err := readKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Out: t.TempDir(), Stamp: stamp, Key: key}
	if err := os.WriteFile(filepath.Join(c.Out, "thing"), []byte("thing"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := artifact(filepath.Join(c.Out, "thing"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.finish([]Artifact{a}); err != nil {
		t.Fatal(err)
	}
	return c.Out
}

func equal(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

func refusals(t *testing.T, private, public, stranger string) {
	for what, c := range map[string]struct {
		change func(dir string) error
		key    string
		want   string
	}{
		"nothing":         {func(string) error { return nil }, public, ""},
		"another key":     {func(string) error { return nil }, stranger, "not of this key"},
		"a file":          {func(dir string) error { return os.WriteFile(filepath.Join(dir, "thing"), []byte("thinG"), 0o600) }, public, "thing is not what was signed"},
		"a file more":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, "more"), nil, 0o600) }, public, "more is not in the manifest"},
		"a file less":     {func(dir string) error { return os.Remove(filepath.Join(dir, "thing")) }, public, "no such file"},
		"the manifest":    {edit(manifestFile, "v1.4.0", "v1.4.1"), public, "not of this key"},
		"no signature":    {func(dir string) error { return os.Remove(filepath.Join(dir, signatureFile)) }, public, "not signed"},
		"empty signature": {func(dir string) error { return os.WriteFile(filepath.Join(dir, signatureFile), nil, 0o600) }, public, "not of this key"},
	} {
		dir := signedRelease(t, private)
		if err := c.change(dir); err != nil {
			t.Fatal(err)
		}
		key, err := readPublic(c.key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verify(dir, key)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s changed: %v, want %q", what, err, c.want)
		}
	}
}

// edit returns a change of text in a file.
func edit(name, old, new string) func(string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, new)), 0o600)
	}
}

// A manifest reaches for no file outside its directory, though it is signed.
func TestManifestStaysInside(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Out: t.TempDir(), Stamp: stamp, Key: key}
	if err := c.finish([]Artifact{{File: "../../etc/passwd", Kind: "x"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(c.Out, key.Public()); err == nil || !strings.Contains(err.Error(), "no file of this directory") {
		t.Errorf("%v", err)
	}
}

// Keys of another kind are refused before anything is made.
func TestOtherKeys(t *testing.T) {
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{big, old} {
		private, _ := writeKey(t, key)
		if _, err := readKey(private); err == nil {
			t.Errorf("%T is taken", key)
		}
	}
	if _, err := readKey("release_test.go"); err == nil {
		t.Error("a text is taken for a key")
	}
}
