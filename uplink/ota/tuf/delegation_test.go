package tuf_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// delegate has by hand paths on to role, whose key is its own for each delegator.
func (s *sim) delegate(by, role string, terminating bool, paths ...string) {
	if s.docs[role] == nil {
		s.docs[role] = doc{"_type": "targets", "spec_version": "1.0.31", "version": 0, "expires": s.docs["targets"]["expires"], "targets": doc{}}
	}
	k := s.key()
	s.keys[role] = append(s.keys[role], k)
	id, d := described(k)
	if s.docs[by]["delegations"] == nil {
		s.docs[by]["delegations"] = doc{"keys": doc{}, "roles": []any{}}
	}
	all := s.docs[by]["delegations"].(doc)
	all["keys"].(doc)[id] = d
	all["roles"] = append(all["roles"].([]any), doc{"name": role, "keyids": []any{id}, "threshold": 1, "terminating": terminating, "paths": paths})
}

// publishAll publishes every role there is.
func (s *sim) publishAll() {
	meta := s.docs["snapshot"]["meta"].(doc)
	for role := range s.docs {
		if !slices.Contains([]string{"root", "targets", "snapshot", "timestamp"}, role) {
			s.publish(role)
			meta[role+".json"] = s.meta(role)
		}
	}
	s.all()
}

// asked is a Remote that notes which delegated roles it was asked for.
type asked struct {
	folder
	roles *[]string
}

func (a asked) Open(ctx context.Context, name string, from int64, tag string) (*tuf.Content, error) {
	if _, role, ok := strings.Cut(strings.TrimSuffix(name, ".json"), "."); ok && !slices.Contains([]string{"root", "targets", "snapshot"}, role) {
		*a.roles = append(*a.roles, role)
	}
	return a.folder.Open(ctx, name, from, tag)
}

// TestDelegations: in which order roles are looked at for a file that none has, and
// for some that one has. A line says who hands on to whom: "targets A:*.txt!" is
// the top level to A, for such paths, and nobody after A.
func TestDelegations(t *testing.T) {
	for _, test := range []struct {
		name, graph, path, order string
		found                    bool
	}{
		{"one", "targets A", "missing", "A", false},
		{"two", "targets A|targets B", "missing", "A B", false},
		{"two levels", "targets A|targets B|B C", "missing", "A B C", false},
		{"depth first", "targets A|targets B|A C|A D", "missing", "A C D B", false},
		{"three levels", "targets A|targets B|A C|C D", "missing", "A C D B", false},
		{"terminating", "targets A|targets B|A C:*!|A D", "missing", "A C", false},
		{"terminating, and below", "targets A|targets B|A C:*!|C D", "missing", "A C D", false},
		{"other paths", "targets A:*.py|targets B|A C", "missing", "B", false},
		{"other paths below", "targets A|targets B|A C:*.py|C D", "missing", "A B", false},
		{"in a circle", "targets A|targets B|B C|C D|D B", "missing", "A B C D", false},
		{"twice to one", "targets A|targets B|B C|A C", "missing", "A C B", false},
		{"twice to one, by other paths", "targets A|targets B|B C|A C:*.py", "missing", "A B C", false},
		{"found at the top", "targets A", "targets.bin", "", true},
		{"found below", "targets A|A C", "C.bin", "A C", true},
		{"a star is one part of a path", "targets A:*.bin", "x/A.bin", "", false},
		{"case matters", "targets A:*.bin", "A.BIN", "", false},
		{"a question mark is one letter", "targets A:?.bin", "AA.bin", "", false},
		{"who may not have it, though it says so", "targets A:x*", "A.bin", "", false},
		{"too many", "targets A|A B|B C|C D|D E|E F", "missing", "A B C D", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSim(t)
			for _, line := range strings.Split(test.graph, "|") {
				by, role, _ := strings.Cut(line, " ")
				role, path, ok := strings.Cut(role, ":")
				if !ok {
					path = "*"
				}
				s.delegate(by, role, strings.HasSuffix(path, "!"), strings.TrimSuffix(path, "!"))
			}
			for role, d := range s.docs {
				if d["_type"] == "targets" {
					d["targets"].(doc)[role+".bin"] = doc{"length": 1, "hashes": doc{"sha256": fmt.Sprintf("%064d", 1)}}
				}
			}
			s.publishAll()
			c := newCamera(t, s)
			c.conf.Limits.Delegations = 4
			var roles []string
			c.conf.Metadata = asked{folder{s, "metadata"}, &roles}
			client := c.client()
			if err := client.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := client.Target(t.Context(), test.path)
			if (err == nil) != test.found || err != nil && !errors.Is(err, tuf.ErrAbsent) && !errors.Is(err, tuf.ErrDelegation) {
				t.Errorf("error %v", err)
			}
			if got := strings.Join(roles, " "); got != test.order {
				t.Errorf("looked at %q, want %q", got, test.order)
			}
		})
	}
}

// TestEachDelegatorVouches: a role that one delegator vouches for, and that is kept,
// is nothing to another whose key did not sign it.
func TestEachDelegatorVouches(t *testing.T) {
	s := newSim(t)
	s.delegate("targets", "a", false, "a/*")
	s.delegate("targets", "b", false, "b/*")
	s.delegate("a", "both", false, "*/*")
	s.delegate("b", "both", false, "*/*")
	for _, path := range []string{"a/x", "b/x"} {
		s.docs["both"]["targets"].(doc)[path] = doc{"length": 1, "hashes": doc{"sha256": fmt.Sprintf("%064d", 1)}}
	}
	s.keys["both"] = s.keys["both"][:1] // the key that a names
	s.publishAll()
	c := newCamera(t, s)
	c.conf.Limits.Delegations = 8
	client := c.client()
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Target(t.Context(), "a/x"); err != nil {
		t.Error(err)
	}
	if _, err := client.Target(t.Context(), "b/x"); !errors.Is(err, tuf.ErrUnsigned) {
		t.Errorf("through b: %v", err)
	}
}

// TestDelegatedNames: a role may not be called like one of the four, and however it
// is called, it is kept in the camera's folder.
func TestDelegatedNames(t *testing.T) {
	for name, good := range map[string]bool{"a b": true, "../up": true, "/root": true, "?#%": true, "root": false, "timestamp": false, "": false} {
		s := newSim(t)
		s.delegate("targets", "plain", false, "*")
		s.docs["targets"]["delegations"].(doc)["roles"].([]any)[0].(doc)["name"] = name
		s.publish("plain")
		s.docs["snapshot"]["meta"].(doc)[name+".json"] = s.meta("plain")
		s.all()
		escaped := map[string]string{"a b": "a%20b", "../up": "..%2Fup", "/root": "%2Froot", "?#%": "%3F%23%25"}[name]
		s.files["metadata/1."+escaped+".json"] = s.files["metadata/1.plain.json"]
		c := newCamera(t, s)
		c.conf.Limits.Delegations = 8
		client := c.client()
		err := client.Refresh(t.Context())
		if err == nil {
			_, err = client.Target(t.Context(), "missing")
		}
		if want := map[bool]error{true: tuf.ErrAbsent, false: tuf.ErrMalformed}[good]; !errors.Is(err, want) {
			t.Errorf("role %q: %v", name, err)
		}
	}
}
