package tuf

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// delegations is what a targets role hands on to others.
type delegations struct {
	keys  object
	roles []delegated
}

type delegated struct {
	role
	name        string
	terminating bool // what is not found there is not looked for elsewhere
	paths       []string
	prefixes    []string // of the SHA-256 of a path, in hex
}

var errDelegation = errors.New("a delegation that is not understood here")

func parseDelegations(signed object) (delegations, error) {
	var d delegations
	o, err := optional[object](signed, "delegations")
	if err != nil || len(o) == 0 {
		return d, err
	}
	if d.keys, err = field[object](o, "keys"); err != nil {
		return d, err
	}
	if _, ok := o["succinct_roles"]; ok {
		return d, errDelegation
	}
	list, err := field[[]any](o, "roles")
	if err != nil {
		return d, err
	}
	for _, v := range list {
		o, ok := v.(object)
		if !ok {
			return d, errDelegation
		}
		r, err := parseDelegated(o)
		if err != nil {
			return d, err
		}
		d.roles = append(d.roles, r)
	}
	return d, nil
}

func parseDelegated(o object) (delegated, error) {
	var r delegated
	var err error
	if r.name, err = field[string](o, "name"); err != nil {
		return r, err
	}
	if r.name == "" || len(r.name) > maxTargetPath || slices.Contains([]string{roleRoot, roleTimestamp, roleSnapshot, roleTargets}, r.name) {
		return r, fmt.Errorf("a delegation to %.40q", r.name)
	}
	if r.role, err = parseRole(o); err != nil {
		return r, err
	}
	if r.terminating, err = optional[bool](o, "terminating"); err != nil {
		return r, err
	}
	if _, ok := o["paths"]; ok {
		r.paths, err = texts(o, "paths")
		return r, err
	}
	r.prefixes, err = texts(o, "path_hash_prefixes")
	return r, err
}

// holds says whether the target at p may be this role's.
func (r delegated) holds(p string) bool {
	for _, pattern := range r.paths {
		if ok, err := path.Match(pattern, p); ok && err == nil {
			return true
		}
	}
	h := sha256.Sum256([]byte(p))
	for _, prefix := range r.prefixes {
		if strings.HasPrefix(hex.EncodeToString(h[:]), prefix) {
			return true
		}
	}
	return false
}

// Target returns what is signed of the file at p, by the top level or, where
// Limits allow it, by the roles it delegates to: depth first, in the order in
// which they stand. A role is verified anew against whoever delegates to it on
// the way that is gone: what one delegator vouched for says nothing to another.
func (c *Client) Target(ctx context.Context, p string) (Target, error) {
	if c.trusted == nil {
		return Target{}, refuse(p, ErrAbsent, "there was no check that ended well")
	}
	type step struct {
		by   *targets
		role delegated
	}
	var steps []step
	visited := map[string]bool{}
	for at := c.trusted.targets; ; {
		if t, ok := at.files[p]; ok {
			return t, nil
		}
		next := 0
		for _, r := range at.delegations.roles {
			if !r.holds(p) {
				continue
			}
			if r.terminating {
				steps = steps[len(steps)-next:]
			}
			steps = slices.Insert(steps, len(steps)-next, step{at, r})
			next++
			if r.terminating {
				break
			}
		}
		for len(steps) > 0 && visited[steps[len(steps)-1].role.name] {
			steps = steps[:len(steps)-1]
		}
		if len(steps) == 0 {
			return Target{}, refuse(p, ErrAbsent, "no role signs it")
		}
		s := steps[len(steps)-1]
		steps = steps[:len(steps)-1]
		if visited[s.role.name] = true; len(visited) > c.limits.Delegations {
			return Target{}, refuse(p, ErrDelegation, "to more than %d roles", c.limits.Delegations)
		}
		var err error
		if at, err = c.delegated(ctx, s.by, s.role); err != nil {
			return Target{}, err
		}
	}
}

// delegated brings the metadata of a role, as by delegates to it.
func (c *Client) delegated(ctx context.Context, by *targets, r delegated) (*targets, error) {
	var t *targets
	verify := func(data []byte) (err error) {
		t, err = c.trusted.verifyTargets(data, r.name, by.delegations.keys, r.role)
		return err
	}
	name := url.PathEscape(r.name) + ".json"
	if c.stored(name, c.limits.Targets, verify) == nil {
		return t, nil
	}
	f, ok := c.trusted.snapshot.meta[r.name+".json"]
	if !ok {
		return nil, refuse(r.name+".json", ErrMixed, "the snapshot does not name it")
	}
	data, err := readAll(ctx, c.conf.Metadata, c.trusted.root.fileName(r.name, f.version), r.name+".json", atMost(c.limits.Targets, f.length), c.limits)
	if err == nil {
		err = verify(data)
	}
	if err == nil {
		err = c.metadata.write(name, data)
	}
	return t, err
}
