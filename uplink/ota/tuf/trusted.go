package tuf

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// trusted is the metadata that was found good, and how it may change: the
// client workflow of the TUF specification, section 5, without files and
// networks. Each method either takes what it was given or says why not.
//
// What is taken although it is not the end of a chain (a timestamp that has
// expired, a snapshot that a newer timestamp has left behind) serves to notice
// what is older still. The next step refuses to go on from it.
type trusted struct {
	clock     func() time.Time
	floor     time.Time // the last time at which something trusted was signed
	root      *root
	timestamp *timestamp
	snapshot  *snapshot
	targets   *targets
}

type root struct {
	*metadata
	consistent bool // file names carry versions and hashes
	keys       object
	roles      map[string]role
}

type timestamp struct {
	*metadata
	snapshot fileMeta
}

type snapshot struct {
	*metadata
	meta map[string]fileMeta
}

// now is the time by which expiry is judged: the clock's, but never before a
// time at which something trusted says it was signed.
func (t *trusted) now() time.Time {
	if now := t.clock(); now.After(t.floor) {
		return now
	}
	return t.floor
}

// signedAt raises the floor to when m was signed.
func (t *trusted) signedAt(m *metadata) {
	if m.issued.After(t.floor) {
		t.floor = m.issued
	}
}

func (r *root) verify(m *metadata, name string) error {
	return verifySigned(m.what, m.message, m.signatures, r.keys, r.roles[name])
}

func parseRoot(what string, data []byte) (*root, error) {
	m, err := parseMetadata(what, roleRoot, data)
	if err != nil {
		return nil, err
	}
	r := &root{metadata: m, roles: map[string]role{}}
	if err := r.fill(); err != nil {
		return nil, &Error{What: what, Reason: ErrMalformed, Err: err}
	}
	return r, nil
}

func (r *root) fill() error {
	var err error
	if r.consistent, err = optional[bool](r.signed, "consistent_snapshot"); err != nil {
		return err
	}
	if r.keys, err = field[object](r.signed, "keys"); err != nil {
		return err
	}
	roles, err := field[object](r.signed, "roles")
	if err != nil {
		return err
	}
	for _, name := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
		o, err := field[object](roles, name)
		if err != nil {
			return err
		}
		if r.roles[name], err = parseRole(o); err != nil {
			return fmt.Errorf("role %s: %w", name, err)
		}
	}
	return nil
}

// begin takes the root that everything else follows from. It may have expired.
func (t *trusted) begin(data []byte) error {
	r, err := parseRoot("root.json", data)
	if err != nil {
		return err
	}
	if err := r.verify(r.metadata, roleRoot); err != nil {
		return err
	}
	t.root = r
	t.signedAt(r.metadata)
	return nil
}

// updateRoot takes the next root: signed by the one before and by itself.
func (t *trusted) updateRoot(data []byte) error {
	r, err := parseRoot(fmt.Sprintf("%d.root.json", t.root.version+1), data)
	if err != nil {
		return err
	}
	if err := t.root.verify(r.metadata, roleRoot); err != nil {
		return err
	}
	if r.version != t.root.version+1 {
		return refuse(r.what, ErrRootVersion, "it is version %d", r.version)
	}
	if err := r.verify(r.metadata, roleRoot); err != nil {
		return err
	}
	t.root = r
	t.signedAt(r.metadata)
	return nil
}

// updateTimestamp takes a newer timestamp and says whether it is one. A root
// that has expired ends all.
func (t *trusted) updateTimestamp(data []byte) (newer bool, err error) {
	if err := t.root.expired(t.now()); err != nil {
		return false, err
	}
	next, err := parseTimestamp(data)
	if err != nil {
		return false, err
	}
	if err := t.root.verify(next.metadata, roleTimestamp); err != nil {
		return false, err
	}
	if old := t.timestamp; old != nil {
		if next.version == old.version {
			return false, old.expired(t.now())
		}
		if next.version < old.version {
			return false, refuse(next.what, ErrRollback, "version %d after %d", next.version, old.version)
		}
		if next.snapshot.version < old.snapshot.version {
			return false, refuse(next.what, ErrRollback, "it names snapshot %d after %d", next.snapshot.version, old.snapshot.version)
		}
	}
	t.timestamp = next
	t.signedAt(next.metadata)
	return true, next.expired(t.now())
}

func parseTimestamp(data []byte) (*timestamp, error) {
	m, err := parseMetadata("timestamp.json", roleTimestamp, data)
	if err != nil {
		return nil, err
	}
	meta, err := parseMeta(m.signed)
	if err != nil {
		return nil, &Error{What: m.what, Reason: ErrMalformed, Err: err}
	}
	f, ok := meta["snapshot.json"]
	if !ok || len(meta) != 1 {
		return nil, refuse(m.what, ErrMalformed, "it names not the snapshot alone")
	}
	return &timestamp{m, f}, nil
}

// updateSnapshot takes the snapshot that the timestamp names. What comes from
// our own store was compared with its timestamp before, and may have been left
// behind by a newer one.
func (t *trusted) updateSnapshot(data []byte, stored bool) error {
	if err := t.timestamp.expired(t.now()); err != nil {
		return err
	}
	if !stored {
		if err := t.timestamp.snapshot.check("snapshot.json", data); err != nil {
			return err
		}
	}
	m, err := parseMetadata("snapshot.json", roleSnapshot, data)
	if err != nil {
		return err
	}
	meta, err := parseMeta(m.signed)
	if err != nil {
		return &Error{What: m.what, Reason: ErrMalformed, Err: err}
	}
	if err := t.root.verify(m, roleSnapshot); err != nil {
		return err
	}
	if t.snapshot != nil {
		for name, old := range t.snapshot.meta {
			if f, ok := meta[name]; !ok || f.version < old.version {
				return refuse(m.what, ErrRollback, "it names version %d of %.40s after %d", f.version, name, old.version)
			}
		}
	}
	t.snapshot = &snapshot{m, meta}
	t.signedAt(m)
	return t.checkSnapshot()
}

// checkSnapshot refuses to go on from a snapshot that is not the timestamp's.
func (t *trusted) checkSnapshot() error {
	if err := t.snapshot.expired(t.now()); err != nil {
		return err
	}
	if t.snapshot.version != t.timestamp.snapshot.version {
		return refuse(t.snapshot.what, ErrMixed, "version %d where the timestamp names %d", t.snapshot.version, t.timestamp.snapshot.version)
	}
	return nil
}

// verifyTargets returns what the targets role called name says, if it is the one
// that the snapshot names and is signed as r demands.
func (t *trusted) verifyTargets(data []byte, name string, keys object, r role) (*targets, error) {
	if err := t.checkSnapshot(); err != nil {
		return nil, err
	}
	what := name + ".json"
	f, ok := t.snapshot.meta[what]
	if !ok {
		return nil, refuse(what, ErrMixed, "the snapshot does not name it")
	}
	if err := f.check(what, data); err != nil {
		return nil, err
	}
	next, err := parseTargets(what, data)
	if err != nil {
		return nil, err
	}
	if err := verifySigned(what, next.message, next.signatures, keys, r); err != nil {
		return nil, err
	}
	if next.version != f.version {
		return nil, refuse(what, ErrMixed, "version %d where the snapshot names %d", next.version, f.version)
	}
	return next, next.expired(t.now())
}

// updateTargets takes the targets that the snapshot names.
func (t *trusted) updateTargets(data []byte) error {
	next, err := t.verifyTargets(data, roleTargets, t.root.keys, t.root.roles[roleTargets])
	if err != nil {
		return err
	}
	t.targets = next
	t.signedAt(next.metadata)
	return nil
}

// fileName is that of a role's file in the repository, as it stands in a URL.
func (r *root) fileName(name string, version int64) string {
	name = url.PathEscape(name) + ".json"
	if !r.consistent {
		return name
	}
	return fmt.Sprintf("%d.%s", version, name)
}

// filePath is where the file of a target lies in the repository, as it stands in
// a URL.
func (r *root) filePath(t Target) string {
	parts := strings.Split(t.Path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	if r.consistent {
		parts[len(parts)-1] = t.Hash() + "." + parts[len(parts)-1]
	}
	return strings.Join(parts, "/")
}
