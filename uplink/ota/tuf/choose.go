package tuf

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/uplink/ota"
)

// Camera is what decides which releases are meant for a camera.
type Camera struct {
	ID      string // of the camera: says when a staged roll-out reaches it
	Board   string // such as "pi-zero-2w"
	Arch    string // "armv6", "armv7", "arm64", "riscv64" or "amd64"
	Channel string // such as "stable"
	Kind    ota.Kind
}

// meant is what a maker says of a target, in "custom" of the targets file, under
// "sealcam".
type meant struct {
	kind    ota.Kind
	version string
	number  uint64
	boards  []string // or "*" for all
	arch    string
	channel string
	share   int64 // percent of all cameras
}

// maxVersion bounds a version's name, in bytes.
const maxVersion = 64

// parseMeant reads what a maker says of a target; nil if it is no release.
func parseMeant(custom object) (*meant, error) {
	if _, ok := custom["sealcam"]; !ok {
		return nil, nil
	}
	o, err := field[object](custom, "sealcam")
	if err != nil {
		return nil, err
	}
	m := &meant{}
	var kind string
	for name, to := range map[string]*string{"kind": &kind, "version": &m.version, "arch": &m.arch, "channel": &m.channel} {
		if *to, err = field[string](o, name); err != nil {
			return nil, err
		}
	}
	m.kind = ota.Kind(kind)
	if m.boards, err = texts(o, "boards"); err != nil {
		return nil, err
	}
	number, err := field[int64](o, "number")
	if err != nil {
		return nil, err
	}
	if m.share, err = field[int64](o, "share"); err != nil {
		return nil, err
	}
	if number < 1 || m.share < 0 || m.share > 100 {
		return nil, fmt.Errorf("number %d, share %d", number, m.share)
	}
	if len(m.version) > maxVersion || strings.ContainsFunc(m.version, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the version is no short word")
	}
	m.number = uint64(number)
	return m, nil
}

// Turn is a camera's place in the staged roll-out of a target, 0 to 99: it gets it
// when the share is above. It is different for every release, so that not always
// the same cameras come first.
func Turn(path, camera string) int64 {
	h := sha256.Sum256([]byte(path + "\x00" + camera))
	return int64(binary.BigEndian.Uint64(h[:8]) % 100)
}

// refuses says why a release is not for c, or nothing.
func (c Camera) refuses(path string, m *meant) string {
	switch {
	case m.kind != c.Kind:
		return fmt.Sprintf("it is of kind %s", m.kind)
	case m.arch != c.Arch:
		return fmt.Sprintf("it is for %s", m.arch)
	case m.channel != c.Channel:
		return fmt.Sprintf("it is in channel %s", m.channel)
	case !slices.Contains(m.boards, c.Board) && !slices.Contains(m.boards, "*"):
		return fmt.Sprintf("it is for board %s", strings.Join(m.boards, ", "))
	case Turn(path, c.ID) >= m.share:
		return fmt.Sprintf("it is rolled out to %d %% of all cameras, and not to this one yet", m.share)
	}
	return ""
}

// release returns what a target installs on c, or why nothing.
func (c Camera) release(t Target) (*ota.Release, error) {
	m, err := parseMeant(t.custom)
	if err != nil {
		return nil, &Error{What: t.Path, Reason: ErrMalformed, Err: err}
	}
	if m == nil {
		return nil, refuse(t.Path, ErrProduct, "it is no release")
	}
	if why := c.refuses(t.Path, m); why != "" {
		return nil, refuse(t.Path, ErrProduct, "%s", why)
	}
	if t.hashes.sha256 == nil {
		return nil, refuse(t.Path, ErrMalformed, "a release has a sha256")
	}
	return &ota.Release{
		Path: t.Path, Kind: m.kind, Version: m.version, Number: m.number,
		Size: t.Size, SHA256: [sha256.Size]byte(t.hashes.sha256),
	}, nil
}

// Check refreshes the metadata and returns the release with the highest number
// that is meant for this camera, nil for none. Of two with one number it takes
// the one whose path comes last. What a maker wrote wrongly about one target
// keeps that target away and no other.
func (c *Client) Check(ctx context.Context) (*ota.Release, error) {
	if err := c.Refresh(ctx); err != nil {
		return nil, err
	}
	var best *ota.Release
	for _, t := range c.trusted.targets.files {
		r, err := c.conf.Camera.release(t)
		if err != nil {
			c.log.Debug("release passed over", "why", err)
			continue
		}
		if best == nil || r.Number > best.Number || r.Number == best.Number && r.Path > best.Path {
			best = r
		}
	}
	return best, nil
}

// Fetch brings the file of a release that the last Check found.
func (c *Client) Fetch(ctx context.Context, r ota.Release) (string, error) {
	if c.trusted == nil {
		return "", refuse(r.Path, ErrAbsent, "there was no check that ended well")
	}
	t, ok := c.trusted.targets.files[r.Path]
	if !ok {
		return "", refuse(r.Path, ErrAbsent, "the last check did not find it")
	}
	offered, err := c.conf.Camera.release(t)
	if err != nil {
		return "", err
	}
	if *offered != r {
		return "", refuse(r.Path, ErrMixed, "the last check found another release there")
	}
	return c.Download(ctx, t)
}
