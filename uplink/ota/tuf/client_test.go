package tuf_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// TestFollows: a camera follows new releases and new keys, over restarts, and
// keeps what it has seen as it came.
func TestFollows(t *testing.T) {
	s := newSim(t)
	c := newCamera(t, s)
	if r := c.check(); r != nil {
		t.Fatalf("an empty repository has release %+v", r)
	}
	for n := 1; n <= 4; n++ {
		s.add(fmt.Sprintf("agents/agent %d", n), n, []byte("x"), nil)
		switch n {
		case 2:
			s.rotate("timestamp")
			s.publish("root")
		case 3:
			s.keys["before"] = s.keys["root"]
			s.rotate("root")
			s.publish("root")
		}
		s.all()
		if r := c.check(); r == nil || r.Number != uint64(n) || r.Version != fmt.Sprintf("v1.%d.0", n) {
			t.Fatalf("release %+v, want %d", r, n)
		}
	}
	for role, want := range map[string]int{"root": 3, "timestamp": 5, "snapshot": 5, "targets": 5} {
		if v := c.kept(role); v != want {
			t.Errorf("%s %d is kept, want %d", role, v, want)
		}
	}
}

// TestFastForward: somebody with a stolen key has raised versions so far that no
// honest one is above them. New keys undo that.
func TestFastForward(t *testing.T) {
	for _, roles := range [][]string{{"timestamp"}, {"snapshot", "timestamp"}, {"targets", "snapshot"}} {
		s := newSim(t)
		c := newCamera(t, s)
		for _, role := range roles {
			s.docs[role]["version"] = 1 << 30
		}
		s.all()
		c.check()
		for _, role := range roles {
			s.docs[role]["version"] = 1
		}
		s.publish("targets", "snapshot", "timestamp")
		if _, err := c.client().Check(t.Context()); !errors.Is(err, tuf.ErrRollback) && !errors.Is(err, tuf.ErrUnsigned) {
			t.Errorf("%v with the old keys: %v", roles, err)
		}
		for _, role := range roles {
			s.rotate(role)
		}
		s.rotate("timestamp")
		s.publish("root")
		s.docs["timestamp"]["version"] = 5
		s.add("agent", 7, []byte("x"), nil)
		s.all()
		if r, err := c.client().Check(t.Context()); err != nil || r.Number != 7 {
			t.Errorf("%v with new keys: release %+v, error %v", roles, r, err)
		}
	}
}

// TestClock: what is refused as ended depends on a clock that may be wrong, and
// on what was signed.
func TestClock(t *testing.T) {
	nineteen70 := time.Unix(100, 0)
	for _, test := range []struct {
		name   string
		issued bool // the repository says when it signed
		first  func(s *sim) time.Time
		then   func(s *sim) time.Time
		wait   time.Duration // until the second check, with nothing published
		want   error
	}{
		{"good clock, fresh", true, (*sim).time, (*sim).time, time.Hour, nil},
		{"good clock, frozen", true, (*sim).time, (*sim).time, 31 * 24 * time.Hour, tuf.ErrExpired},
		{"no clock, frozen: cannot be noticed", true, nil, nil, 31 * 24 * time.Hour, nil},
		{"clock ahead", true, (*sim).time, func(s *sim) time.Time { return s.now.AddDate(20, 0, 0) }, 0, tuf.ErrExpired},
		{"clock was ahead once", true, func(s *sim) time.Time { return s.now.AddDate(20, 0, 0) }, (*sim).time, 0, nil},
		{"clock lost after a good one", true, (*sim).time, nil, time.Hour, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSim(t)
			s.docs["timestamp"][tuf.Issued] = s.in(0)
			s.all()
			c := newCamera(t, s)
			for i, now := range []func(*sim) time.Time{test.first, test.then} {
				if now == nil {
					now = func(*sim) time.Time { return nineteen70 }
				}
				c.conf.Now = func() time.Time { return now(s) }
				_, err := c.client().Check(t.Context())
				if i == 1 && !errors.Is(err, test.want) || i == 1 && test.want == nil && err != nil {
					t.Errorf("second check: %v, want %v", err, test.want)
				}
				s.now = s.now.Add(test.wait)
			}
		})
	}
}

func (s *sim) time() time.Time { return s.now }

// TestFloor: a camera without a clock learns from a signed time that time has
// passed, and then refuses what ended before. The time falls with its keys.
func TestFloor(t *testing.T) {
	s := newSim(t)
	c := newCamera(t, s)
	c.conf.Now = func() time.Time { return time.Unix(0, 0) }
	s.docs["targets"]["expires"] = s.in(time.Hour)
	s.all()
	c.check()
	s.docs["timestamp"][tuf.Issued] = s.in(2 * time.Hour)
	s.publish("timestamp")
	if _, err := c.client().Check(t.Context()); !errors.Is(err, tuf.ErrExpired) {
		t.Fatalf("targets that ended before the timestamp was signed: %v", err)
	}
	s.rotate("timestamp")
	delete(s.docs["timestamp"], tuf.Issued)
	s.publish("root", "timestamp")
	if _, err := c.client().Check(t.Context()); err != nil {
		t.Fatalf("after the keys that said a wrong time are gone: %v", err)
	}
}

// TestChoice: which release a camera takes.
func TestChoice(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes doc
		taken   bool
	}{
		{"for all", nil, true},
		{"this board", doc{"boards": []any{"other", "emulated"}}, true},
		{"another board", doc{"boards": []any{"other"}}, false},
		{"no board", doc{"boards": []any{}}, false},
		{"another processor", doc{"arch": "arm64"}, false},
		{"another channel", doc{"channel": "beta"}, false},
		{"a whole system", doc{"kind": "system"}, false},
		{"no share", doc{"share": 0}, false},
		{"more than everybody", doc{"share": 101}, false},
		{"no number", doc{"number": 0}, false},
		{"number in words", doc{"number": "two"}, false},
		{"version in two words", doc{"version": "v1 v2"}, false},
	} {
		s := newSim(t)
		s.add("good", 1, []byte("x"), nil)
		s.add("better", 2, []byte("x"), test.changes)
		s.docs["targets"]["targets"].(doc)["readme"] = doc{"length": 0, "hashes": doc{"sha256": fmt.Sprintf("%064d", 0)}}
		s.all()
		if r := newCamera(t, s).check(); r == nil || (r.Path == "better") != test.taken || (r.Path == "good") == test.taken {
			t.Errorf("%s: release %+v", test.name, r)
		}
	}
}

// TestShare: a share of the cameras is that share of them, others for every
// release, and whoever is in it stays in it when it grows.
func TestShare(t *testing.T) {
	const cameras = 4000
	before := map[string]int64{}
	for _, path := range []string{"agent-1", "agent-2"} {
		in, both := 0, 0
		for i := range cameras {
			id := fmt.Sprint("camera", i)
			turn := tuf.Turn(path, id)
			if turn < 0 || turn > 99 {
				t.Fatalf("turn %d", turn)
			}
			if turn < 10 {
				in++
				if p, ok := before[id]; ok && p < 10 {
					both++
				}
			}
			before[id] = turn
		}
		if in < cameras*7/100 || in > cameras*13/100 {
			t.Errorf("%d of %d cameras are among 10 %%", in, cameras)
		}
		if path == "agent-2" && (both < 10 || both > 90) {
			t.Errorf("%d cameras are in both tenths, want about 40", both)
		}
	}
	if got := tuf.Turn("agents/sealcamd-v1.4.0-armv7", "camera"); got != 48 {
		t.Errorf("turn %d: the rule may not change, or cameras change their places", got)
	}
}

// TestDamagedStore: whatever becomes of what is kept, the camera finds its way
// from the root it was made with.
func TestDamagedStore(t *testing.T) {
	for _, role := range []string{"root", "timestamp", "snapshot", "targets"} {
		for _, content := range []string{"", "{}", "\x00\x00\x00\x00", `{"signed":{},"signatures":[]}`} {
			s := newSim(t)
			c := newCamera(t, s)
			s.publish("root", "root")
			s.add("agent", 1, []byte("x"), nil)
			s.all()
			c.check()
			if err := os.WriteFile(filepath.Join(c.conf.Dir, "tuf", role+".json"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := c.check(); r == nil || r.Number != 1 || c.kept(role) == 0 {
				t.Errorf("%s with %q: release %+v, version %d kept", role, content, r, c.kept(role))
			}
		}
	}
}

// TestManyRotations: a camera that lay in a drawer takes so many roots at once,
// and the rest at the next checks.
func TestManyRotations(t *testing.T) {
	s := newSim(t)
	c := newCamera(t, s)
	c.conf.Limits.Rotations = 4
	for range 9 {
		s.publish("root")
	}
	for _, want := range []int{5, 9} {
		if _, err := c.client().Check(t.Context()); !errors.Is(err, tuf.ErrRotations) || c.kept("root") != want {
			t.Errorf("error %v, root %d, want %d", err, c.kept("root"), want)
		}
	}
	if c.check(); c.kept("root") != 10 {
		t.Errorf("root %d is kept", c.kept("root"))
	}
}

// TestNewerImage: a camera that was flashed anew with a newer root does not go
// back to the one it kept.
func TestNewerImage(t *testing.T) {
	s := newSim(t)
	c := newCamera(t, s)
	s.publish("root")
	c.check()
	s.rotate("timestamp")
	s.publish("root", "timestamp")
	c.conf.Root = s.files["metadata/3.root.json"]
	delete(s.files, "metadata/3.root.json") // nobody serves what was flashed
	c.check()
}

// TestFetchOnlyWhatIsOffered: a release that the last check did not find is not
// fetched, whoever asks.
func TestFetchOnlyWhatIsOffered(t *testing.T) {
	s := newSim(t)
	s.add("agent", 1, []byte("x"), nil)
	s.add("other", 1, []byte("x"), doc{"arch": "arm64"})
	s.all()
	c := newCamera(t, s)
	client := c.client()
	if _, err := client.Fetch(t.Context(), ota.Release{Path: "agent"}); !errors.Is(err, tuf.ErrAbsent) {
		t.Errorf("before any check: %v", err)
	}
	r, err := client.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := *r
	other.Path = "other"
	if _, err := client.Fetch(t.Context(), other); !errors.Is(err, tuf.ErrProduct) {
		t.Errorf("for another processor: %v", err)
	}
	longer := *r
	longer.Size++
	if _, err := client.Fetch(t.Context(), longer); !errors.Is(err, tuf.ErrMixed) {
		t.Errorf("with another length: %v", err)
	}
	if path, err := client.Fetch(t.Context(), *r); err != nil || filepath.Dir(path) != filepath.Join(c.conf.Dir, "download") {
		t.Errorf("as it is: %s, %v", path, err)
	}
}
