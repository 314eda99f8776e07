package repo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// meta is what one role says of the file of another.
func meta(version int64, data []byte) *metadata.MetaFiles {
	h := sha256.Sum256(data)
	m := metadata.MetaFile(version)
	m.Length, m.Hashes = int64(len(data)), metadata.Hashes{"sha256": h[:]}
	return m
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func copyRoot(r *metadata.Metadata[metadata.RootType]) (*metadata.Metadata[metadata.RootType], error) {
	data, err := r.ToBytes(false)
	if err != nil {
		return nil, err
	}
	return metadata.Root().FromBytes(data)
}

// check refuses the batch if a camera would, or if the specification's library
// would: two readers that share no code.
func (b *batch) check() error {
	first, err := b.read("1.root.json")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sealcam-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	limits := tuf.DefaultLimits()
	limits.Rotations = 1 << 10
	client, err := tuf.New(tuf.Config{Dir: dir, Root: first, Metadata: remote{b}, Now: b.now, Limits: limits})
	if err == nil {
		err = client.Refresh(context.Background())
	}
	if err != nil {
		return err
	}
	return Follow(first, b.now(), func(name string) ([]byte, error) { return b.read(name) })
}

// Follow follows a repository from its first root by the specification's library,
// as that does it, and returns why it would not. What is not there is fs.ErrNotExist.
func Follow(first []byte, now time.Time, read func(name string) ([]byte, error)) error {
	t, err := trustedmetadata.New(first)
	if err != nil {
		return err
	}
	t.RefTime = now
	for {
		data, err := read(fmt.Sprintf("%d.root.json", t.Root.Signed.Version+1))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err == nil {
			_, err = t.UpdateRoot(data)
		}
		if err != nil {
			return err
		}
	}
	data, err := read("timestamp.json")
	if err == nil {
		_, err = t.UpdateTimestamp(data)
	}
	if err != nil {
		return err
	}
	m := t.Timestamp.Signed.Meta["snapshot.json"]
	if m == nil {
		return errors.New("the timestamp names no snapshot")
	}
	if data, err = read(fmt.Sprintf("%d.snapshot.json", m.Version)); err == nil {
		_, err = t.UpdateSnapshot(data, false)
	}
	if err != nil {
		return err
	}
	if m = t.Snapshot.Signed.Meta["targets.json"]; m == nil {
		return errors.New("the snapshot names no targets")
	}
	if data, err = read(fmt.Sprintf("%d.targets.json", m.Version)); err == nil {
		_, err = t.UpdateTargets(data)
	}
	return err
}

// remote shows a batch as if it were public.
type remote struct{ *batch }

func (r remote) Open(_ context.Context, name string, _ int64, _ string) (*tuf.Content, error) {
	data, err := r.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &tuf.Error{What: name, Reason: tuf.ErrAbsent}
	}
	return &tuf.Content{ReadCloser: io.NopCloser(bytes.NewReader(data)), Size: int64(len(data))}, err
}
