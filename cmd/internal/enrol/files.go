package enrol

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sealcam/sealcam/uplink/identity"
)

// maxFile bounds what is read of a file of certificates or a key, in bytes.
const maxFile = 128 << 10

// watched is what Run knows of the files that somebody else keeps.
type watched struct {
	cert, key, anchor []byte // as they were read last
}

// readFiles takes what is in the files, if it is new and whole. Of a pair that is
// half written, or makes no sense, nothing is taken, and the one before goes on. A
// nil clock is one that says nothing.
func (k *Credentials) readFiles(clock Clock) {
	s := k.Settings
	cert, err := readSmall(s.Certificate, false)
	if err != nil {
		k.complain(fmt.Errorf("identity.certificate: %w", err))
		return
	}
	key, err := readSmall(s.Key, true)
	if err != nil {
		k.complain(fmt.Errorf("identity.key: %w", err))
		return
	}
	if s.Anchor != "" {
		if err := k.readAnchor(); err != nil {
			k.complain(fmt.Errorf("identity.anchor: %w", err))
			return
		}
	}
	if slices.Equal(cert, k.files.cert) && slices.Equal(key, k.files.key) {
		k.content()
		return
	}
	p, err := k.whole(cert, key, clock)
	if err != nil {
		k.complain(fmt.Errorf("%s and its key are not used: %w", s.Certificate, err))
		return
	}
	k.files.cert, k.files.key = cert, key
	k.Log.Info("a certificate for the broker was put here", "file", s.Certificate, "issuer", p.Leaf.Issuer.String(), "until", stamp(p.Leaf.NotAfter))
	k.offer(p)
}

// readAnchor takes the authorities that the file names now.
func (k *Credentials) readAnchor() error {
	text, err := readSmall(k.Settings.Anchor, false)
	if err != nil || slices.Equal(text, k.files.anchor) {
		return err
	}
	certs, err := identity.ParseCertificates(text)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.anchors = certs
	k.mu.Unlock()
	k.files.anchor = text
	return nil
}

// whole returns the pair that two files are, if they belong together and to this
// camera, and are for this time.
func (k *Credentials) whole(cert, key []byte, clock Clock) (*tls.Certificate, error) {
	p, err := parsePair(cert, key)
	if err != nil {
		return nil, err
	}
	if err := named(p.Leaf, string(k.Camera.ID())); err != nil {
		return nil, err
	}
	if clock != nil {
		t, known := clock.Time()
		if _, err := (moment{t, known}).within(p.Leaf); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func parsePair(cert, key []byte) (*tls.Certificate, error) {
	if _, err := identity.ParseCertificates(cert); err != nil {
		return nil, err
	}
	p, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// readPair reads a certificate, perhaps with others that stand above it, and its key.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	cert, err := readSmall(certFile, false)
	if err != nil {
		return nil, err
	}
	key, err := readSmall(keyFile, true)
	if err != nil {
		return nil, err
	}
	return parsePair(cert, key)
}

func readCertificates(path string) ([]*x509.Certificate, error) {
	text, err := readSmall(path, false)
	if err != nil {
		return nil, err
	}
	certs, err := identity.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certs, nil
}

// readSmall reads a file. One that is secret may be its group's, because somebody
// else writes it, and nobody else's.
func readSmall(path string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case secret && st.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("%s: every user of this machine can read this secret (mode %04o): chmod o= %s", path, st.Mode().Perm(), path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d KiB", path, maxFile>>10)
	}
	return data, nil
}
