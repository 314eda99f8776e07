package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

var errKey = errors.New("expected an Ed25519 or P-256 key as PEM (openssl genpkey -algorithm ed25519)")

// readKey reads the private key that signs, PKCS #8 as PEM.
func readKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s: %w", path, errKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", path, errKey)
}

// readPublic reads the public key that checks, PKIX as PEM.
func readPublic(path string) (crypto.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("%s: expected a public key as PEM (openssl pkey -pubout)", path)
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

// sign signs text. Both kinds of signature come out the same every time: Ed25519
// by itself, ECDSA without random numbers by RFC 6979. The latter is of the
// SHA-256 of text and in ASN.1, as openssl dgst -sha256 checks it.
func sign(key crypto.Signer, text []byte) ([]byte, error) {
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		sum := sha256.Sum256(text)
		return key.Sign(nil, sum[:], crypto.SHA256)
	}
	return key.Sign(nil, text, crypto.Hash(0))
}

// signed reports whether signature is key's, of text.
func signed(key crypto.PublicKey, text, signature []byte) bool {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, text, signature)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(text)
		return k.Curve == elliptic.P256() && ecdsa.VerifyASN1(k, sum[:], signature)
	}
	return false
}

func runVerify(env *cli.Env, args []string) error {
	fs := env.Flags("release verify", "release verify -key FILE DIR", "Checks the signature of a manifest, and every file in its directory against it.")
	key := fs.String("key", "", "the maker's public key, a PEM `file`")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() != 1 || *key == "" {
		return cli.Usagef("expected: release verify -key FILE DIR")
	}
	public, err := readPublic(*key)
	if err != nil {
		return err
	}
	m, err := verify(fs.Arg(0), public)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "%s, %d files: all as they were signed\n", m.Version, len(m.Files))
	return nil
}

// verify checks what is in dir: the manifest is key's, every file of it is there
// as it says, and there is no other.
func verify(dir string, key crypto.PublicKey) (*Manifest, error) {
	text, err := readLimited(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	signature, err := readLimited(filepath.Join(dir, signatureFile))
	if err != nil {
		return nil, fmt.Errorf("the manifest is not signed: %w", err)
	}
	if !signed(key, text, signature) {
		return nil, fmt.Errorf("%s: the signature is not of this key", filepath.Join(dir, manifestFile))
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestFile, err)
	}
	if m.Format != 1 {
		return nil, fmt.Errorf("%s is of format %d, which this program does not know", manifestFile, m.Format)
	}
	known := map[string]bool{manifestFile: true, signatureFile: true}
	for _, want := range m.Files {
		if want.File != filepath.Base(want.File) {
			return nil, fmt.Errorf("%s names %q, which is no file of this directory", manifestFile, want.File)
		}
		found, err := artifact(filepath.Join(dir, want.File))
		if err != nil {
			return nil, err
		}
		if found.Size != want.Size || found.SHA256 != want.SHA256 {
			return nil, fmt.Errorf("%s is not what was signed", want.File)
		}
		known[want.File] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !known[e.Name()] {
			return nil, fmt.Errorf("%s is not in the manifest", e.Name())
		}
	}
	return &m, nil
}

// readLimited reads a file of which nothing is known yet.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxManifest)
	}
	return data, err
}
