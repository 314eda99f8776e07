package ota

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Memory keeps a few bytes over restarts.
type Memory interface {
	// Load returns what Store stored last, nil if nothing was.
	Load() ([]byte, error)
	// Store is durable, and whole or without effect, wherever the power fails.
	Store(b []byte) error
}

// File is a Memory at a path.
type File string

// maxMemory bounds what is read, in bytes.
const maxMemory = 4 << 10

// Load implements Memory.
func (f File) Load() ([]byte, error) {
	r, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxMemory+1))
	if err == nil && len(b) > maxMemory {
		err = fmt.Errorf("%s: too large", string(f))
	}
	return b, err
}

// Store implements Memory.
func (f File) Store(b []byte) error {
	dir := filepath.Dir(string(f))
	temp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(b)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), string(f))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// memory is what lasts of what was tried.
type memory struct {
	Tried *tried  `json:"tried,omitempty"` // whose end is not known yet; nil for none
	Fell  []tried `json:"fell,omitempty"`  // at most maxFell, the newest last
}

// maxFell is how many releases that fell are remembered: a maker offers one.
const maxFell = 8

// tried is a release that was tried.
type tried struct {
	SHA256  hash   `json:"sha256"`
	Number  uint64 `json:"number"`
	Version string `json:"version"`
}

// fell says whether r has fallen, under its number or a higher one.
func (m *memory) fell(r Release) bool {
	return slices.ContainsFunc(m.Fell, func(t tried) bool { return t.SHA256 == r.SHA256 && r.Number <= t.Number })
}

type hash [sha256.Size]byte

func (h hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

func (h *hash) UnmarshalText(b []byte) error {
	if len(b) != 2*len(h) {
		return errors.New("not a SHA-256")
	}
	_, err := hex.Decode(h[:], b)
	return err
}

func (u *Updater) recall() (m memory, err error) {
	if u.Memory == nil {
		return m, nil
	}
	b, err := u.Memory.Load()
	if err != nil || len(b) == 0 {
		return m, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&m); err != nil {
		return memory{}, fmt.Errorf("what was tried last is damaged: %w", err)
	}
	return m, nil
}

func (u *Updater) remember(m memory) error {
	if u.Memory == nil {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return u.Memory.Store(b)
}
