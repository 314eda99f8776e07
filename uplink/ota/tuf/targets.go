package tuf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Target is one signed file of a repository.
type Target struct {
	Path string // with "/" between its parts, relative and clean
	Size int64  // bytes

	hashes digests
	custom object // what its maker says of it
}

// Hash is that by which the file is called, in hex.
func (t Target) Hash() string {
	if t.hashes.sha256 != nil {
		return hex.EncodeToString(t.hashes.sha256)
	}
	return hex.EncodeToString(t.hashes.sha512)
}

// targets is what a targets role says.
type targets struct {
	*metadata
	files       map[string]Target
	delegations delegations
}

// maxTargetPath bounds the name of a target, in bytes: with its hash it must
// still be a file name.
const maxTargetPath = 255 - 129

func parseTargets(what string, data []byte) (*targets, error) {
	m, err := parseMetadata(what, roleTargets, data)
	if err != nil {
		return nil, err
	}
	t := &targets{metadata: m}
	if t.files, err = parseFiles(m.signed); err == nil {
		t.delegations, err = parseDelegations(m.signed)
	}
	if err != nil {
		return nil, &Error{What: what, Reason: ErrMalformed, Err: err}
	}
	return t, nil
}

func parseFiles(signed object) (map[string]Target, error) {
	list, err := field[object](signed, "targets")
	if err != nil {
		return nil, err
	}
	files := make(map[string]Target, len(list))
	for path := range list {
		o, err := field[object](list, path)
		if err != nil {
			return nil, err
		}
		t, err := parseTarget(path, o)
		if err != nil {
			return nil, fmt.Errorf("target %.60q: %w", path, err)
		}
		files[path] = t
	}
	return files, nil
}

// parseTarget reads one target. One whose hashes are all of kinds unknown here stays
// in the list and has none: it cannot be fetched.
func parseTarget(path string, o object) (Target, error) {
	t := Target{Path: path}
	if !cleanPath(path) {
		return t, errors.New("its name is no clean relative path")
	}
	var err error
	if t.Size, err = field[int64](o, "length"); err != nil {
		return t, err
	}
	if t.Size < 0 {
		return t, errors.New("its length is negative")
	}
	hashes, err := field[object](o, "hashes")
	if err != nil {
		return t, err
	}
	if t.hashes, err = parseDigests(hashes); err != nil && (len(hashes) == 0 || !errors.Is(err, errNoDigest)) {
		return t, err
	}
	t.custom, err = optional[object](o, "custom")
	return t, err
}

// cleanPath says whether a path of the repository is safe to use, everywhere.
func cleanPath(path string) bool {
	return fs.ValidPath(path) && path != "." && len(path) <= maxTargetPath &&
		!strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
}
