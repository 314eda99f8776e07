package tuf

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The roles that every repository has.
const (
	roleRoot      = "root"
	roleTimestamp = "timestamp"
	roleSnapshot  = "snapshot"
	roleTargets   = "targets"
)

// metadata is what every role's file has.
type metadata struct {
	what       string // file name, for errors
	version    int64
	expires    time.Time
	issued     time.Time // zero unless the maker says when it was signed
	signed     object
	message    []byte // signed in canonical JSON
	signatures []signature
}

// parseMetadata reads the file of a role of the given type.
func parseMetadata(what, kind string, data []byte) (*metadata, error) {
	m := &metadata{what: what}
	if err := m.parse(kind, data); err != nil {
		var refused *Error
		if errors.As(err, &refused) {
			return nil, err
		}
		return nil, &Error{What: what, Reason: ErrMalformed, Err: err}
	}
	return m, nil
}

func (m *metadata) parse(kind string, data []byte) error {
	all, err := parseJSON(data)
	if err != nil {
		return err
	}
	if m.signed, err = field[object](all, "signed"); err != nil {
		return err
	}
	if m.signatures, err = parseSignatures(all); err != nil {
		return err
	}
	found, err := field[string](m.signed, "_type")
	if err != nil {
		return err
	}
	if found != kind {
		return refuse(m.what, ErrWrongRole, "it says %.20q", found)
	}
	spec, err := field[string](m.signed, "spec_version")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(spec, "1.") {
		return fmt.Errorf("version %.20q of the specification is not known", spec)
	}
	if m.version, err = field[int64](m.signed, "version"); err != nil {
		return err
	}
	if m.version < 1 {
		return fmt.Errorf("version %d", m.version)
	}
	if m.expires, err = parseTime(m.signed, "expires"); err != nil {
		return err
	}
	if _, ok := m.signed[Issued]; ok {
		if m.issued, err = parseTime(m.signed, Issued); err != nil {
			return err
		}
	}
	m.message = canonical(nil, m.signed)
	return nil
}

// Issued is the name under which a maker's signed metadata says when it was
// made, like "expires". The specification has no such thing and lets it stand.
const Issued = "x-sealcam-issued"

func parseTime(o object, name string) (time.Time, error) {
	s, err := field[string](o, name)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !strings.HasSuffix(s, "Z") {
		return time.Time{}, fmt.Errorf("%q is no time in UTC, such as 2026-01-02T15:04:05Z", name)
	}
	return t, nil
}

// maxSignatures bounds the keys one file can be signed by.
const maxSignatures = 64

func parseSignatures(all object) ([]signature, error) {
	list, err := field[[]any](all, "signatures")
	if err != nil {
		return nil, err
	}
	if len(list) > maxSignatures {
		return nil, fmt.Errorf("more than %d signatures", maxSignatures)
	}
	seen := map[string]bool{}
	out := make([]signature, 0, len(list))
	for _, v := range list {
		o, ok := v.(object)
		if !ok {
			return nil, errors.New("a signature is not an object")
		}
		id, err := field[string](o, "keyid")
		if err != nil {
			return nil, err
		}
		sig, err := field[string](o, "sig")
		if err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, fmt.Errorf("two signatures by key %.16s", id)
		}
		seen[id] = true
		out = append(out, signature{id, sig})
	}
	return out, nil
}

// expired refuses what ended before now.
func (m *metadata) expired(now time.Time) error {
	if now.Before(m.expires) {
		return nil
	}
	return refuse(m.what, ErrExpired, "on %s, and it is %s or later", m.expires.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))
}

// digests are the signed hashes of a file. At least one is there; those that
// are must all be right.
type digests struct{ sha256, sha512 []byte }

// errNoDigest is that a file is signed by other hashes than are known here.
var errNoDigest = errors.New("neither a sha256 nor a sha512")

func parseDigests(o object) (digests, error) {
	var d digests
	var err error
	if d.sha256, err = parseDigest(o, "sha256", sha256.Size); err != nil {
		return d, err
	}
	if d.sha512, err = parseDigest(o, "sha512", sha512.Size); err != nil {
		return d, err
	}
	if d.sha256 == nil && d.sha512 == nil {
		return d, errNoDigest
	}
	return d, nil
}

func parseDigest(o object, name string, size int) ([]byte, error) {
	s, err := optional[string](o, name)
	if err != nil || s == "" {
		return nil, err
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != size {
		return nil, fmt.Errorf("%q is no hash in hex", name)
	}
	return b, nil
}

// match says whether data has these hashes.
func (d digests) match(data []byte) bool {
	a, b := sha256.Sum256(data), sha512.Sum512(data)
	return (d.sha256 == nil || bytes.Equal(d.sha256, a[:])) && (d.sha512 == nil || bytes.Equal(d.sha512, b[:]))
}

// fileMeta is what timestamp says of the snapshot, and snapshot of the targets.
type fileMeta struct {
	version int64
	length  int64 // 0 if it is not said
	hashes  digests
}

// parseMeta reads "meta" of a timestamp or a snapshot.
func parseMeta(signed object) (map[string]fileMeta, error) {
	list, err := field[object](signed, "meta")
	if err != nil {
		return nil, err
	}
	out := make(map[string]fileMeta, len(list))
	for name := range list {
		o, err := field[object](list, name)
		if err != nil {
			return nil, err
		}
		f := fileMeta{}
		if f.version, err = field[int64](o, "version"); err != nil {
			return nil, err
		}
		if f.length, err = optional[int64](o, "length"); err != nil {
			return nil, err
		}
		if _, said := o["length"]; f.version < 1 || said && f.length < 1 {
			return nil, fmt.Errorf("%.40q has version %d and length %d", name, f.version, f.length)
		}
		hashes, err := optional[object](o, "hashes")
		if err == nil && hashes != nil {
			f.hashes, err = parseDigests(hashes)
		}
		if err != nil {
			return nil, err
		}
		out[name] = f
	}
	return out, nil
}

// check refuses data that is not the file that f is about.
func (f fileMeta) check(what string, data []byte) error {
	if f.length > 0 && int64(len(data)) != f.length {
		return refuse(what, ErrMixed, "it has %d bytes, and %d were announced", len(data), f.length)
	}
	if !f.hashes.match(data) {
		return refuse(what, ErrMixed, "its hash is not the one that was announced")
	}
	return nil
}
