package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// batch is what is about to be published: made and checked as a whole before the
// first file of it can be seen.
type batch struct {
	*Repo
	files map[string][]byte // by name in public/metadata
	order []string          // in which they are written: a camera that comes in between finds a whole repository
	root  *metadata.Metadata[metadata.RootType]
}

func (r *Repo) batch() *batch { return &batch{Repo: r, files: map[string][]byte{}, root: r.root} }

func (b *batch) put(name string, data []byte) {
	b.files[name] = data
	b.order = append(b.order, name)
}

// read returns what is or will be published under name.
func (b *batch) read(name string) ([]byte, error) {
	if data, ok := b.files[name]; ok {
		return data, nil
	}
	return readFile(b.metadataFile(name), 16<<20)
}

// issued is the part of what is signed that says when that was.
func (b *batch) issued() map[string]any {
	return map[string]any{tuf.Issued: b.now().UTC().Format("2006-01-02T15:04:05Z")}
}

func (b *batch) expires(role string) (time.Time, error) {
	d, err := b.lifetime(role)
	return b.now().UTC().Truncate(time.Second).Add(d), err
}

// newRoot signs next as the root after the present one: by that one's keys and by
// its own.
func (b *batch) newRoot(next *metadata.Metadata[metadata.RootType]) error {
	roles := map[string]*metadata.Role{"the new root": next.Signed.Roles[metadata.ROOT]}
	if b.root.Signed.Version > 0 {
		roles["root"] = b.root.Signed.Roles[metadata.ROOT]
	}
	var err error
	if next.Signed.Expires, err = b.expires(metadata.ROOT); err != nil {
		return err
	}
	next.Signed.Version = b.root.Signed.Version + 1
	next.Signed.UnrecognizedFields = b.issued()
	if err := sign(next, b.keys, roles); err != nil {
		return err
	}
	data, err := next.ToBytes(false)
	if err != nil {
		return err
	}
	b.put(fmt.Sprintf("%d.root.json", next.Signed.Version), data)
	b.put("root.json", data)
	b.root = next
	return nil
}

// publish makes the next timestamp; and the next targets and snapshot where they
// say something new, would end soon, or are not before the role called from.
func (b *batch) publish(from string) error {
	targets, changed, err := b.newTargets(from == metadata.TARGETS)
	if err != nil {
		return err
	}
	timestamp := metadata.Timestamp()
	timestamp.Signed.Version = 0
	snapshot := metadata.Snapshot()
	snapshot.Signed.Version = 0
	if err := errors.Join(load(b, "timestamp.json", timestamp), load(b, snapshotName(timestamp), snapshot)); err != nil {
		return err
	}
	if changed || from == metadata.SNAPSHOT || b.endsSoon(metadata.SNAPSHOT, snapshot.Signed.Expires) {
		snapshot.Signed.Meta = map[string]*metadata.MetaFiles{"targets.json": targets}
		if err := b.next(metadata.SNAPSHOT, &snapshot.Signed.Version, &snapshot.Signed.Expires, &snapshot.Signed.UnrecognizedFields); err != nil {
			return err
		}
		meta, err := finish(b, snapshot, metadata.SNAPSHOT, fmt.Sprintf("%d.snapshot.json", snapshot.Signed.Version), snapshot.Signed.Version)
		if err != nil {
			return err
		}
		timestamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": meta}
	}
	if err := b.next(metadata.TIMESTAMP, &timestamp.Signed.Version, &timestamp.Signed.Expires, &timestamp.Signed.UnrecognizedFields); err != nil {
		return err
	}
	_, err = finish(b, timestamp, metadata.TIMESTAMP, "timestamp.json", timestamp.Signed.Version)
	return err
}

func snapshotName(t *metadata.Metadata[metadata.TimestampType]) string {
	if m := t.Signed.Meta["snapshot.json"]; m != nil {
		return fmt.Sprintf("%d.snapshot.json", m.Version)
	}
	return "1.snapshot.json"
}

// next raises the version of what role signs, for its lifetime from now.
func (b *batch) next(role string, version *int64, expires *time.Time, other *map[string]any) (err error) {
	*version++
	*other = b.issued()
	*expires, err = b.expires(role)
	return err
}

// endsSoon says whether less than half of a role's lifetime is left.
func (b *batch) endsSoon(role string, expires time.Time) bool {
	d, err := b.lifetime(role)
	return err == nil && b.now().Add(d/2).After(expires)
}

// newTargets makes the next targets if they say something new, or always, and returns what the
// snapshot says of them.
func (b *batch) newTargets(always bool) (*metadata.MetaFiles, bool, error) {
	old := metadata.Targets()
	old.Signed.Version = 0
	name, err := b.newest(metadata.TARGETS)
	if err == nil {
		err = load(b, name, old)
	}
	if err != nil {
		return nil, false, err
	}
	want := map[string]*metadata.TargetFiles{}
	for _, e := range b.state.Releases {
		if want[e.Path], err = e.target(); err != nil {
			return nil, false, err
		}
	}
	same := maps.EqualFunc(old.Signed.Targets, want, func(a, b *metadata.TargetFiles) bool {
		return a.Equal(*b) && a.Custom != nil && b.Custom != nil && sameJSON(*a.Custom, *b.Custom)
	})
	if same && !always && old.Signed.Version > 0 && !b.targetsDue(old.Signed.Expires) {
		data, err := b.read(name)
		return meta(old.Signed.Version, data), false, err
	}
	old.Signed.Targets = want
	if err := b.next(metadata.TARGETS, &old.Signed.Version, &old.Signed.Expires, &old.Signed.UnrecognizedFields); err != nil {
		return nil, false, err
	}
	m, err := finish(b, old, metadata.TARGETS, fmt.Sprintf("%d.targets.json", old.Signed.Version), old.Signed.Version)
	return m, true, err
}

// targetsDue says whether the targets are to be renewed: they end soon, and their
// keys are here.
func (b *batch) targetsDue(expires time.Time) bool {
	role := b.root.Signed.Roles[metadata.TARGETS]
	have := 0
	for _, id := range role.KeyIDs {
		if _, ok := b.keys[id]; ok {
			have++
		}
	}
	return have >= role.Threshold && b.endsSoon(metadata.TARGETS, expires)
}

// newest returns the name of the newest published file of role.
func (b *batch) newest(role string) (string, error) {
	names, err := filepath.Glob(b.metadataFile("*." + role + ".json"))
	newest := 0
	for _, n := range names {
		var v int
		if _, err := fmt.Sscanf(filepath.Base(n), "%d.", &v); err == nil {
			newest = max(newest, v)
		}
	}
	return fmt.Sprintf("%d.%s.json", newest, role), err
}

// load reads m from the file called name. One that is not there leaves m as it is.
func load[T metadata.Roles](b *batch, name string, m *metadata.Metadata[T]) error {
	data, err := b.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = m.FromBytes(data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// finish signs m, puts it into the batch under name, and returns what the next role
// says of it.
func finish[T metadata.Roles](b *batch, m *metadata.Metadata[T], role, name string, version int64) (*metadata.MetaFiles, error) {
	if err := sign(m, b.keys, map[string]*metadata.Role{role: b.root.Signed.Roles[role]}); err != nil {
		return nil, err
	}
	data, err := m.ToBytes(false)
	if err != nil {
		return nil, err
	}
	b.put(name, data)
	return meta(version, data), nil
}

// write checks what is to be published, as cameras will, and then makes it public.
func (b *batch) write() error {
	if err := b.check(); err != nil {
		return fmt.Errorf("nothing was published: %w", err)
	}
	for _, name := range b.order {
		if err := writeFile(b.metadataFile(name), b.files[name], 0o644); err != nil {
			return err
		}
	}
	b.Repo.root = b.root
	return nil
}

// Publish makes what was added, changed and removed public, and renews what ends
// soon.
func (r *Repo) Publish() error {
	b := r.batch()
	if err := b.publish(metadata.TIMESTAMP); err != nil {
		return err
	}
	return b.write()
}

// Renew signs everything again whose keys are here: timestamp and snapshot at
// least, and targets and root when they end soon.
func (r *Repo) Renew() error {
	b := r.batch()
	if b.endsSoon(metadata.ROOT, r.root.Signed.Expires) {
		next, err := copyRoot(r.root)
		if err != nil {
			return err
		}
		var missing *KeysError
		if err := b.newRoot(next); err != nil && !errors.As(err, &missing) {
			return err
		}
	}
	if err := b.publish(metadata.TIMESTAMP); err != nil {
		return err
	}
	return b.write()
}

// Resign signs what role says again, for its lifetime from now, and what follows.
func (r *Repo) Resign(role string) error {
	b := r.batch()
	if role == metadata.ROOT {
		next, err := copyRoot(r.root)
		if err == nil {
			err = b.newRoot(next)
		}
		if err != nil {
			return err
		}
	}
	if err := b.publish(role); err != nil {
		return err
	}
	return b.write()
}

// Rotate replaces all keys of role by new ones, as many as there were, and signs
// again what they signed. It returns the files of the new keys. Those of the old ones
// are renamed: cameras that lay in a drawer do not need them.
func (r *Repo) Rotate(role string) ([]string, error) {
	if !slices.Contains(Roles, role) {
		return nil, fmt.Errorf("role %q: expected one of %v", role, Roles)
	}
	next, err := copyRoot(r.root)
	if err != nil {
		return nil, err
	}
	old := slices.Clone(next.Signed.Roles[role].KeyIDs)
	made, err := r.addKeys(next, role, len(old))
	if err == nil {
		err = r.reload()
	}
	for _, id := range old {
		if err == nil {
			err = next.Signed.RevokeKey(id, role)
		}
	}
	b := r.batch()
	if err == nil {
		err = b.newRoot(next)
	}
	if err == nil {
		err = b.publish(role)
	}
	if err == nil {
		err = b.write()
	}
	if err != nil {
		for _, path := range made {
			err = errors.Join(err, os.Remove(path))
		}
		return nil, err
	}
	for _, id := range old {
		if k, ok := r.keys[id]; ok {
			err = errors.Join(err, os.Rename(k.path, k.path+".retired"))
		}
	}
	return made, errors.Join(err, r.reload())
}
