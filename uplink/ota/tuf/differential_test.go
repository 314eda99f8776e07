package tuf_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/ota/tuf/repo"
)

// follows says whether the specification's own library takes what s serves. Where
// it panics, it does not.
func (s *sim) follows() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return repo.Follow(s.files["metadata/1.root.json"], s.now, func(name string) ([]byte, error) {
		data, ok := s.files["metadata/"+name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return data, nil
	})
}

// twisted returns v with one thing in it changed, at random.
func twisted(r *rand.Rand, v any) any {
	odd := []any{nil, true, -1, 0, 1, 1.5, int64(1 << 40), "", "x", "2026-05-02T00:00:00Z", "1.0.0", "ed25519", []any{}, []any{"x"}, map[string]any{}, map[string]any{"x": 1}}
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 || r.IntN(6) == 0 {
			break
		}
		name := slices.Sorted(maps.Keys(v))[r.IntN(len(v))]
		out := maps.Clone(v)
		switch r.IntN(8) {
		case 0:
			delete(out, name)
		case 1:
			out[name+"x"] = out[name]
		default:
			out[name] = twisted(r, v[name])
		}
		return out
	case []any:
		if len(v) == 0 || r.IntN(6) == 0 {
			break
		}
		out := slices.Clone(v)
		i := r.IntN(len(v))
		out[i] = twisted(r, v[i])
		return out
	}
	return odd[r.IntN(len(odd))]
}

// plain returns v as encoding/json has it.
func plain(v any) any {
	var out any
	if err := json.Unmarshal(canonicalJSON(v), &out); err != nil {
		panic(err)
	}
	return out
}

// TestAgainstLibrary twists what a role says, signs it by the right keys, and asks
// both readers: what the library refuses, the camera refuses. (It refuses more, such as
// a name that stands twice.)
func TestAgainstLibrary(t *testing.T) {
	rounds := 400 // of 20,000 that were run once
	if testing.Short() {
		rounds = 60
	}
	both, ours, theirs := 0, 0, 0
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := newSim(t)
		s.add("agent", 1, []byte("x"), nil)
		role := []string{"root", "targets", "snapshot", "timestamp"}[r.IntN(4)]
		from := slices.Index([]string{"root", "targets", "snapshot", "timestamp"}, role)
		next := []string{"root", "targets", "snapshot", "timestamp"}
		s.publish(next[:from]...)
		s.twist(r, role)
		s.publish(next[from+1:]...)
		_, err := newCamera(t, s).client().Check(t.Context())
		switch library := s.follows(); {
		case err == nil && library != nil && strings.Contains(library.Error(), "unknown hashing algorithm"):
			both++ // beside one that is known: the library refuses it, and a camera must not be left behind by it
		case err == nil && library != nil:
			t.Errorf("seed %d, %s: taken here, and there: %v\n%s", seed, role, library, canonicalJSON(s.docs[role]))
		case err == nil:
			both++
		case library == nil:
			theirs++
		default:
			ours++
		}
	}
	t.Logf("%d taken by both, %d refused by both, %d refused here alone", both, ours, theirs)
	if both < rounds/20 || ours < rounds/10 {
		t.Error("the twists say little")
	}
}

// twist publishes role with something in it changed, signed as if it were right.
func (s *sim) twist(r *rand.Rand, role string) {
	s.publish(role)
	version := s.docs[role]["version"]
	d := twisted(r, plain(s.docs[role]))
	name := fmt.Sprintf("metadata/%v.%s.json", version, role)
	if role == "timestamp" {
		name = "metadata/timestamp.json"
	}
	keys := s.keys[role]
	if m, ok := d.(map[string]any); ok {
		s.files[name] = signed(m, keys...)
	} else {
		s.files[name] = []byte(`{"signed":` + string(canonicalJSON(d)) + `,"signatures":[]}`)
	}
}
