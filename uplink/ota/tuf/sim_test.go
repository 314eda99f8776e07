package tuf_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

type doc = map[string]any

// sim is a repository under the hands of whoever writes the test: its documents
// are maps that may be made to say anything, signed by whatever keys. It knows
// nothing of the package under test; encoding/json's sorted names are canonical
// JSON for the plain text that stands in here, but for line breaks.
type sim struct {
	t       testing.TB
	keys    map[string][]ed25519.PrivateKey
	made    int
	docs    map[string]doc
	files   map[string][]byte // what is served, by path
	now     time.Time
	targets map[string][]byte
}

func newSim(t testing.TB) *sim {
	s := &sim{t: t, keys: map[string][]ed25519.PrivateKey{}, docs: map[string]doc{}, files: map[string][]byte{},
		now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), targets: map[string][]byte{}}
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		s.docs[role] = doc{"_type": role, "spec_version": "1.0.31", "version": 0, "expires": s.in(30 * 24 * time.Hour)}
	}
	s.docs["root"]["consistent_snapshot"] = true
	s.docs["root"]["keys"] = doc{}
	s.docs["root"]["roles"] = doc{}
	s.docs["targets"]["targets"] = doc{}
	s.docs["snapshot"]["meta"] = doc{"targets.json": doc{"version": 1}}
	s.docs["timestamp"]["meta"] = doc{"snapshot.json": doc{"version": 1}}
	for role := range s.docs {
		s.rotate(role)
	}
	s.publish("root", "targets", "snapshot", "timestamp")
	return s
}

func (s *sim) in(d time.Duration) string { return s.now.Add(d).Format(time.RFC3339) }

// key makes a key of its own.
func (s *sim) key() ed25519.PrivateKey {
	s.made++
	seed := sha256.Sum256(fmt.Append(nil, "key", s.made))
	return ed25519.NewKeyFromSeed(seed[:])
}

func described(k ed25519.PrivateKey) (string, doc) {
	d := doc{"keytype": "ed25519", "scheme": "ed25519", "keyval": doc{"public": hex.EncodeToString(k.Public().(ed25519.PublicKey))}}
	id := sha256.Sum256(canonicalJSON(d))
	return hex.EncodeToString(id[:]), d
}

// allow lets k sign for role, in the root.
func (s *sim) allow(role string, k ed25519.PrivateKey) {
	id, d := described(k)
	s.docs["root"]["keys"].(doc)[id] = d
	r := s.role(role)
	r["keyids"] = append(r["keyids"].([]any), id)
	s.keys[role] = append(s.keys[role], k)
}

func (s *sim) role(role string) doc {
	roles := s.docs["root"]["roles"].(doc)
	if roles[role] == nil {
		roles[role] = doc{"keyids": []any{}, "threshold": 1}
	}
	return roles[role].(doc)
}

// rotate replaces the keys of role by a new one.
func (s *sim) rotate(role string) {
	s.keys[role] = nil
	s.role(role)["keyids"] = []any{}
	s.allow(role, s.key())
}

func canonicalJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// signed returns d as a metadata file.
func signed(d doc, keys ...ed25519.PrivateKey) []byte {
	// The line breaks of a PEM are one byte in canonical JSON, and two in JSON.
	message := bytes.ReplaceAll(canonicalJSON(d), []byte(`\n`), []byte("\n"))
	signatures := []any{}
	for _, k := range keys {
		id, _ := described(k)
		signatures = append(signatures, doc{"keyid": id, "sig": hex.EncodeToString(ed25519.Sign(k, message))})
	}
	return canonicalJSON(doc{"signed": d, "signatures": signatures})
}

// put serves d as role's file, as it is.
func (s *sim) put(role string, keys ...ed25519.PrivateKey) {
	d := s.docs[role]
	name := fmt.Sprintf("%v.%s.json", d["version"], role)
	if role == "timestamp" {
		name = "timestamp.json"
	}
	s.files["metadata/"+name] = signed(d, keys...)
}

// publish makes the next versions of roles, in which the one after names the one
// before as it is. A root is signed by the keys before it, too.
func (s *sim) publish(roles ...string) {
	for _, role := range roles {
		d := s.docs[role]
		d["version"] = d["version"].(int) + 1
		switch role {
		case "snapshot":
			d["meta"].(doc)["targets.json"] = s.meta("targets")
		case "timestamp":
			d["meta"].(doc)["snapshot.json"] = s.meta("snapshot")
		}
		keys := s.keys[role]
		if role == "root" {
			keys = append(keys[:len(keys):len(keys)], s.keys["before"]...)
			s.keys["before"] = nil
			keys = unique(keys)
		}
		s.put(role, keys...)
	}
}

func unique(keys []ed25519.PrivateKey) []ed25519.PrivateKey {
	var out []ed25519.PrivateKey
	for _, k := range keys {
		same := false
		for _, o := range out {
			same = same || o.Equal(k)
		}
		if !same {
			out = append(out, k)
		}
	}
	return out
}

func (s *sim) meta(role string) doc {
	v := s.docs[role]["version"]
	b := s.files[fmt.Sprintf("metadata/%v.%s.json", v, role)]
	h := sha256.Sum256(b)
	return doc{"version": v, "length": len(b), "hashes": doc{"sha256": hex.EncodeToString(h[:])}}
}

// all publishes everything but a root.
func (s *sim) all() { s.publish("targets", "snapshot", "timestamp") }

// add puts a file into the targets, meant as changes of the usual camera say.
func (s *sim) add(path string, number int, data []byte, changes doc) {
	h := sha256.Sum256(data)
	m := doc{"kind": "agent", "version": fmt.Sprintf("v1.%d.0", number), "number": number, "boards": []any{"*"},
		"arch": "armv7", "channel": "stable", "share": 100}
	maps.Copy(m, changes)
	s.docs["targets"]["targets"].(doc)[path] = doc{"length": len(data), "hashes": doc{"sha256": hex.EncodeToString(h[:])}, "custom": doc{"sealcam": m}}
	dir, file := filepath.Split(path)
	s.files["targets/"+dir+hex.EncodeToString(h[:])+"."+file] = data
}

// folder is part of a sim as a Remote.
type folder struct {
	*sim
	name string
}

func (f folder) Open(_ context.Context, name string, from int64, _ string) (*tuf.Content, error) {
	data, ok := f.files[f.name+"/"+name]
	if !ok {
		return nil, &tuf.Error{What: name, Reason: tuf.ErrAbsent}
	}
	return &tuf.Content{ReadCloser: io.NopCloser(bytes.NewReader(data[from:])), From: from, Size: int64(len(data)), Tag: `"x"`}, nil
}

// camera is a client with a directory, that may be made anew as after a restart.
type camera struct {
	conf tuf.Config
	t    testing.TB
}

func newCamera(t testing.TB, s *sim) *camera {
	return &camera{t: t, conf: tuf.Config{
		Dir: t.TempDir(), Root: bytes.Clone(s.files["metadata/1.root.json"]), Metadata: folder{s, "metadata"}, Targets: folder{s, "targets"},
		Camera: tuf.Camera{ID: "camera-1", Board: "emulated", Arch: "armv7", Channel: "stable", Kind: ota.Agent},
		Now:    func() time.Time { return s.now },
	}}
}

func (c *camera) client() *tuf.Client {
	c.t.Helper()
	client, err := tuf.New(c.conf)
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

// check checks as after a restart, and wants a release.
func (c *camera) check() *ota.Release {
	c.t.Helper()
	r, err := c.client().Check(c.t.Context())
	if err != nil {
		c.t.Fatalf("Check: %v", err)
	}
	return r
}

// kept returns the version of a role that is in the store, 0 for none.
func (c *camera) kept(role string) int {
	data, err := os.ReadFile(filepath.Join(c.conf.Dir, "tuf", role+".json"))
	if err != nil {
		return 0
	}
	var m struct{ Signed struct{ Version int } }
	if err := json.Unmarshal(data, &m); err != nil {
		c.t.Fatal(err)
	}
	return m.Signed.Version
}
