package tuf_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// attacks are what a repository, or whoever stands before it, may do to a camera
// that has seen version 1 of everything. None may move the camera; each is called
// by its name.
var attacks = []struct {
	name string
	do   func(s *sim)
	want error
}{
	{"timestamp without signatures", func(s *sim) { s.next("timestamp"); s.put("timestamp") }, tuf.ErrUnsigned},
	{"timestamp by the snapshot's key", func(s *sim) { s.next("timestamp"); s.put("timestamp", s.keys["snapshot"]...) }, tuf.ErrUnsigned},
	{"timestamp by a stranger", func(s *sim) { s.next("timestamp"); s.put("timestamp", s.key()) }, tuf.ErrUnsigned},
	{"timestamp that was changed", func(s *sim) {
		s.publish("timestamp")
		s.edit("metadata/timestamp.json", `"version":2`, `"version":3`)
	}, tuf.ErrUnsigned},
	{"targets by the timestamp's key", func(s *sim) {
		s.next("targets")
		s.put("targets", s.keys["timestamp"]...)
		s.publish("snapshot", "timestamp")
	}, tuf.ErrUnsigned},
	{"snapshot by the timestamp's key", func(s *sim) {
		s.next("snapshot")
		s.put("snapshot", s.keys["timestamp"]...)
		s.publish("timestamp")
	}, tuf.ErrUnsigned},
	{"root by a stranger", func(s *sim) { s.next("root"); s.put("root", s.key()) }, tuf.ErrUnsigned},
	{"root by its own new key alone", func(s *sim) { s.rotate("root"); s.publish("root") }, tuf.ErrUnsigned},
	{"root that its new keys did not sign", func(s *sim) {
		old := s.keys["root"]
		s.rotate("root")
		s.next("root")
		s.put("root", old...)
	}, tuf.ErrUnsigned},
	{"root that skips a version", func(s *sim) {
		s.docs["root"]["version"] = 3
		s.files["metadata/2.root.json"] = signed(s.docs["root"], s.keys["root"]...)
	}, tuf.ErrRootVersion},
	{"root that is the old one again", func(s *sim) { s.files["metadata/2.root.json"] = s.files["metadata/1.root.json"] }, tuf.ErrRootVersion},
	{"root that has ended", func(s *sim) { s.docs["root"]["expires"] = s.in(-time.Hour); s.publish("root") }, tuf.ErrExpired},
	{"too few of the snapshot's keys", func(s *sim) {
		s.allow("snapshot", s.key())
		s.role("snapshot")["threshold"] = 2
		s.publish("root", "targets")
		s.keys["snapshot"] = s.keys["snapshot"][:1]
		s.publish("snapshot", "timestamp")
	}, tuf.ErrThreshold},
	{"one key under two names", func(s *sim) {
		k := s.keys["snapshot"][0]
		id, d := described(k)
		s.docs["root"]["keys"].(doc)["another"] = d
		s.role("snapshot")["keyids"] = []any{id, "another"}
		s.role("snapshot")["threshold"] = 2
		s.publish("root")
		s.next("snapshot")
		s.put("snapshot", k)
		s.edit("metadata/3.snapshot.json", `[{`, `[{"keyid":"another","sig":"`+hexOfSignature(s.files["metadata/3.snapshot.json"])+`"},{`)
		s.publish("timestamp")
	}, tuf.ErrThreshold},
	{"one signature twice", func(s *sim) {
		k := s.keys["timestamp"][0]
		s.next("timestamp")
		s.put("timestamp", k, k)
	}, tuf.ErrMalformed},
	{"older timestamp", func(s *sim) { s.docs["timestamp"]["version"] = -1; s.next("timestamp"); s.lower("timestamp") }, tuf.ErrRollback},
	{"timestamp that names an older snapshot", func(s *sim) {
		s.next("timestamp")
		s.docs["timestamp"]["meta"].(doc)["snapshot.json"] = doc{"version": 1}
		s.put("timestamp", s.keys["timestamp"]...)
	}, tuf.ErrRollback},
	{"snapshot that names older targets", func(s *sim) {
		s.next("snapshot")
		s.docs["snapshot"]["meta"].(doc)["targets.json"] = doc{"version": 1}
		s.put("snapshot", s.keys["snapshot"]...)
		s.publish("timestamp")
	}, tuf.ErrRollback},
	{"snapshot that forgets the targets", func(s *sim) {
		s.next("snapshot")
		s.docs["snapshot"]["meta"] = doc{}
		s.put("snapshot", s.keys["snapshot"]...)
		s.publish("timestamp")
	}, tuf.ErrRollback},
	{"frozen", func(s *sim) { s.now = s.now.Add(31 * 24 * time.Hour) }, tuf.ErrExpired},
	{"timestamp that has ended", func(s *sim) { s.docs["timestamp"]["expires"] = s.in(-time.Hour); s.all() }, tuf.ErrExpired},
	{"snapshot that has ended", func(s *sim) { s.docs["snapshot"]["expires"] = s.in(-time.Hour); s.all() }, tuf.ErrExpired},
	{"targets that have ended", func(s *sim) { s.docs["targets"]["expires"] = s.in(-time.Hour); s.all() }, tuf.ErrExpired},
	{"snapshot of another day", func(s *sim) {
		s.all()
		s.publish("snapshot")
		s.files["metadata/3.snapshot.json"], s.files["metadata/4.snapshot.json"] = s.files["metadata/4.snapshot.json"], nil
	}, tuf.ErrMixed},
	{"snapshot of another version, without hashes", func(s *sim) {
		s.publish("snapshot")
		s.docs["timestamp"]["version"] = 3
		s.docs["timestamp"]["meta"].(doc)["snapshot.json"] = doc{"version": 4}
		s.put("timestamp", s.keys["timestamp"]...)
		s.files["metadata/4.snapshot.json"] = s.files["metadata/3.snapshot.json"]
	}, tuf.ErrMixed},
	{"targets of another day", func(s *sim) {
		s.docs["targets"]["x"] = 1
		s.all()
		delete(s.docs["targets"], "x")
		s.put("targets", s.keys["targets"]...)
	}, tuf.ErrMixed},
	{"targets of another day, as long", func(s *sim) {
		s.docs["targets"]["x"] = 1
		s.all()
		s.docs["targets"]["x"] = 2
		s.put("targets", s.keys["targets"]...)
	}, tuf.ErrMixed},
	{"a snapshot for a timestamp", func(s *sim) {
		s.docs["snapshot"]["version"] = 9
		s.docs["snapshot"]["meta"] = doc{"snapshot.json": doc{"version": 9}}
		s.files["metadata/timestamp.json"] = signed(s.docs["snapshot"], s.keys["timestamp"]...)
	}, tuf.ErrWrongRole},
	{"targets that delegate", func(s *sim) {
		s.docs["targets"]["delegations"] = doc{"keys": doc{}, "roles": []any{
			doc{"name": "friend", "keyids": []any{}, "threshold": 1, "terminating": false, "paths": []any{"*"}}}}
		s.all()
	}, tuf.ErrDelegation},
	{"endless timestamp", func(s *sim) { s.pad("timestamp.json", 17<<10) }, tuf.ErrTooLarge},
	{"endless root", func(s *sim) { s.files["metadata/2.root.json"] = bytes.Repeat([]byte(" "), 257<<10) }, tuf.ErrTooLarge},
	{"snapshot longer than announced", func(s *sim) { s.all(); s.pad("3.snapshot.json", 1) }, tuf.ErrTooLarge},
	{"targets longer than announced", func(s *sim) { s.all(); s.pad("3.targets.json", 1) }, tuf.ErrTooLarge},
	{"deep JSON", func(s *sim) {
		var deep any = 1
		for range 30 {
			deep = doc{"a": deep}
		}
		s.docs["timestamp"]["x"] = deep
		s.publish("timestamp")
	}, tuf.ErrMalformed},
	{"very deep JSON", func(s *sim) {
		s.files["metadata/timestamp.json"] = []byte(strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000))
	}, tuf.ErrMalformed},
	{"a name twice", func(s *sim) {
		s.publish("timestamp")
		s.edit("metadata/timestamp.json", `"version":3`, `"version":2,"version":3`)
	}, tuf.ErrMalformed},
	{"a broken number", func(s *sim) { s.docs["timestamp"]["x"] = 1.5; s.publish("timestamp") }, tuf.ErrMalformed},
	{"not UTF-8", func(s *sim) { s.edit("metadata/timestamp.json", "timestamp", "time\xff") }, tuf.ErrMalformed},
	{"another specification", func(s *sim) { s.docs["timestamp"]["spec_version"] = "2.0.0"; s.publish("timestamp") }, tuf.ErrMalformed},
	{"not JSON", func(s *sim) { s.files["metadata/timestamp.json"] = []byte("<html>please log in</html>") }, tuf.ErrMalformed},
	{"no timestamp", func(s *sim) { delete(s.files, "metadata/timestamp.json") }, tuf.ErrAbsent},
	{"no snapshot", func(s *sim) { s.all(); delete(s.files, "metadata/3.snapshot.json") }, tuf.ErrAbsent},
	{"no targets", func(s *sim) { s.all(); delete(s.files, "metadata/3.targets.json") }, tuf.ErrAbsent},
	{"a path out of the repository", func(s *sim) { s.add("../../etc/passwd", 9, nil, nil); s.all() }, tuf.ErrMalformed},
}

// next raises a version without publishing it.
func (s *sim) next(role string) { s.docs[role]["version"] = s.docs[role]["version"].(int) + 1 }

// lower publishes role at version 1 again.
func (s *sim) lower(role string) {
	s.docs[role]["version"] = 1
	s.put(role, s.keys[role]...)
}

func (s *sim) edit(name, from, to string) {
	s.t.Helper()
	if !bytes.Contains(s.files[name], []byte(from)) {
		s.t.Fatalf("%s has no %s: %s", name, from, s.files[name])
	}
	s.files[name] = bytes.Replace(s.files[name], []byte(from), []byte(to), 1)
}

func (s *sim) pad(name string, n int) {
	s.files["metadata/"+name] = append(bytes.Clone(s.files["metadata/"+name]), bytes.Repeat([]byte(" "), n)...)
}

func hexOfSignature(file []byte) string {
	_, after, _ := bytes.Cut(file, []byte(`"sig":"`))
	return string(after[:hex.EncodedLen(64)])
}

// TestAttacks is the table above. The camera has seen version 2, which holds
// release 1; after the attack nothing newer is kept.
func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			s := newSim(t)
			s.add("agent-1", 1, []byte("one"), nil)
			s.all()
			c := newCamera(t, s)
			if r := c.check(); r == nil || r.Number != 1 {
				t.Fatalf("before the attack: release %+v", r)
			}
			s.add("agent-2", 2, []byte("two"), nil)
			a.do(s)
			r, err := c.client().Check(t.Context())
			if !errors.Is(err, a.want) {
				t.Fatalf("Check: release %+v, error %v; want %v", r, err, a.want)
			}
			if v := c.kept("targets"); v != 2 {
				t.Errorf("targets %d are kept, want 2", v)
			}
			if v := c.kept("timestamp"); v != 2 && strings.HasPrefix(a.name, "timestamp") {
				t.Errorf("timestamp %d is kept, want 2", v)
			}
			var e *tuf.Error
			if !errors.As(err, &e) || e.Hint() == "" {
				t.Errorf("error %v has no hint", err)
			}
		})
	}
}
