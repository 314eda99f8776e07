package repo

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Roles in the order in which one vouches for the next.
var Roles = []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}

// Options say how a repository is made.
type Options struct {
	RootKeys, RootThreshold int    // so many keys, of which so many must sign a new root
	Offline                 string // folder for the keys of root and targets; empty for DIR/keys
}

// Repo is a repository on the maker's disk.
type Repo struct {
	dir, offline string
	now          func() time.Time
	keys         map[string]key
	state        state
	root         *metadata.Metadata[metadata.RootType] // as published
}

// state is what releases.json holds.
type state struct {
	Lifetimes map[string]string `json:"lifetimes"` // of what each role signs, such as "720h"
	Releases  []Entry           `json:"releases"`
}

// defaultLifetimes are long where keys lie in a safe, and short where a machine
// renews: the timestamp's is how long somebody can show an old repository.
var defaultLifetimes = map[string]string{
	metadata.ROOT: "17520h", metadata.TARGETS: "8760h", metadata.SNAPSHOT: "720h", metadata.TIMESTAMP: "720h",
}

// ErrExists is that there is a repository already.
var ErrExists = errors.New("there is a repository already")

// Init makes a repository without releases in dir, and its keys.
func Init(dir string, o Options, now func() time.Time) (*Repo, error) {
	if o.RootThreshold < 1 || o.RootKeys < o.RootThreshold || o.RootKeys > 16 {
		return nil, fmt.Errorf("%d of %d root keys: expected 1 of 1 to 16 of 16", o.RootThreshold, o.RootKeys)
	}
	r := &Repo{dir: dir, offline: o.Offline, now: now, state: state{Lifetimes: defaultLifetimes}}
	if _, err := os.Stat(r.file("releases.json")); err == nil {
		return nil, fmt.Errorf("%s: %w", dir, ErrExists)
	}
	for _, d := range []string{r.file("keys"), r.offlineKeys()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	r.root = metadata.Root(now())
	r.root.Signed.Version = 0
	for _, role := range Roles {
		n := 1
		if role == metadata.ROOT {
			n = o.RootKeys
		}
		if _, err := r.addKeys(r.root, role, n); err != nil {
			return nil, err
		}
	}
	r.root.Signed.Roles[metadata.ROOT].Threshold = o.RootThreshold
	if err := r.reload(); err != nil {
		return nil, err
	}
	b := r.batch()
	err := b.newRoot(r.root)
	if err == nil {
		err = b.publish(metadata.TARGETS)
	}
	if err == nil {
		err = r.save()
	}
	if err == nil {
		err = b.write()
	}
	return r, err
}

// Open opens the repository in dir. offline may be a second folder with keys.
func Open(dir, offline string, now func() time.Time) (*Repo, error) {
	r := &Repo{dir: dir, offline: offline, now: now}
	data, err := readFile(r.file("releases.json"), 16<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no repository: make one with sealcam release init", dir)
	}
	if err == nil {
		err = json.Unmarshal(data, &r.state)
	}
	if err == nil {
		err = r.reload()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	data, err = readFile(r.metadataFile("root.json"), 1<<20)
	if err != nil {
		return nil, err
	}
	r.root, err = metadata.Root().FromBytes(data)
	return r, err
}

func (r *Repo) file(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r *Repo) metadataFile(name string) string { return r.file("public/metadata/" + name) }

func (r *Repo) offlineKeys() string {
	if r.offline == "" {
		return r.file("keys")
	}
	return r.offline
}

func (r *Repo) reload() (err error) {
	dirs := []string{r.file("keys")}
	if r.offline != "" {
		dirs = append(dirs, r.offline)
	}
	r.keys, err = loadKeys(dirs...)
	return err
}

// addKeys makes n keys for role and enters them into root.
func (r *Repo) addKeys(root *metadata.Metadata[metadata.RootType], role string, n int) ([]string, error) {
	dir := r.file("keys")
	if role == metadata.ROOT || role == metadata.TARGETS {
		dir = r.offlineKeys()
	}
	var made []string
	for range n {
		k, err := makeKey(dir, role, rand.Reader)
		if err != nil {
			return made, err
		}
		made = append(made, k.path)
		if err := root.Signed.AddKey(k.public, role); err != nil {
			return made, err
		}
	}
	return made, nil
}

func (r *Repo) save() error {
	data, err := json.MarshalIndent(r.state, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(r.file("releases.json"), append(data, '\n'), 0o644)
}

// Add takes a file in as a release. It is published by Publish.
func (r *Repo) Add(file string, release Release) (Entry, error) {
	if err := release.check(); err != nil {
		return Entry{}, err
	}
	e := Entry{Path: release.path(), Release: release}
	for _, old := range r.state.Releases {
		if old.Path == e.Path {
			return Entry{}, fmt.Errorf("%s is there already: what was published is not replaced; give the new file a new version", e.Path)
		}
		if old.Kind == e.Kind && old.Arch == e.Arch && old.Channel == e.Channel && old.Number == e.Number && slices.Equal(old.Boards, e.Boards) {
			return Entry{}, fmt.Errorf("%s has number %d: give the new file a higher one", old.Path, old.Number)
		}
	}
	var err error
	if e.Size, e.SHA256, err = hashFile(file); err != nil {
		return Entry{}, err
	}
	if err := copyFile(file, r.file("public/targets/"+e.file())); err != nil {
		return Entry{}, err
	}
	r.state.Releases = append(r.state.Releases, e)
	return e, r.save()
}

// Entries returns the releases in the order in which they were added.
func (r *Repo) Entries() []Entry { return slices.Clone(r.state.Releases) }

// SetShare changes the share of cameras that get the release at path. Publish
// makes it so.
func (r *Repo) SetShare(path string, share int) error {
	i, err := r.find(path)
	if err != nil {
		return err
	}
	r.state.Releases[i].Share = share
	if err := r.state.Releases[i].check(); err != nil {
		return err
	}
	return r.save()
}

// Remove withdraws the release at path. Cameras that have it keep it; its file
// stays for those that are fetching it.
func (r *Repo) Remove(path string) error {
	i, err := r.find(path)
	if err != nil {
		return err
	}
	r.state.Releases = slices.Delete(r.state.Releases, i, i+1)
	return r.save()
}

func (r *Repo) find(path string) (int, error) {
	for i, e := range r.state.Releases {
		if e.Path == path {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s: no release here is called so: see sealcam release list", path)
}

// lifetime returns for how long role signs.
func (r *Repo) lifetime(role string) (time.Duration, error) {
	d, err := time.ParseDuration(r.state.Lifetimes[role])
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("releases.json: lifetime of %s: %q is no time such as 720h", role, r.state.Lifetimes[role])
	}
	return d, nil
}

// State is how a role stands, as published.
type State struct {
	Role            string
	Version         int64
	Expires         time.Time
	Keys, Threshold int
	Here            int // of the keys are at hand
}

// States returns how the roles stand.
func (r *Repo) States() ([]State, error) {
	b := r.batch()
	var states []State
	for _, role := range Roles {
		name := role + ".json"
		if role == metadata.TARGETS || role == metadata.SNAPSHOT {
			var err error
			if name, err = b.newest(role); err != nil {
				return nil, err
			}
		}
		data, err := b.read(name)
		if err != nil {
			return nil, err
		}
		var m struct {
			Signed struct {
				Version int64     `json:"version"`
				Expires time.Time `json:"expires"`
			} `json:"signed"`
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		of := r.root.Signed.Roles[role]
		s := State{Role: role, Version: m.Signed.Version, Expires: m.Signed.Expires, Keys: len(of.KeyIDs), Threshold: of.Threshold}
		for _, id := range of.KeyIDs {
			if _, ok := r.keys[id]; ok {
				s.Here++
			}
		}
		states = append(states, s)
	}
	return states, nil
}

// SetLifetime has role sign for d from now on.
func (r *Repo) SetLifetime(role string, d time.Duration) error {
	if !slices.Contains(Roles, role) {
		return fmt.Errorf("role %q: expected one of %v", role, Roles)
	}
	if d < time.Hour {
		return fmt.Errorf("a lifetime of %s: expected an hour or more", d)
	}
	r.state.Lifetimes[role] = d.String()
	return r.save()
}
