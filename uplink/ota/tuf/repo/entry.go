package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Release is what a maker says of a file: for which cameras it is meant.
type Release struct {
	Kind    string   `json:"kind"` // "agent" or "system"
	Version string   `json:"version"`
	Number  uint64   `json:"number"`
	Boards  []string `json:"boards"` // or "*" for all
	Arch    string   `json:"arch"`
	Channel string   `json:"channel"`
	Share   int      `json:"share"` // percent of all cameras that get it
}

// Entry is a release with its file.
type Entry struct {
	Path string `json:"path"`
	Release
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// architectures are those that sealcam is built for.
var architectures = []string{"armv6", "armv7", "arm64", "riscv64", "amd64"}

var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$`)

// check refuses what no camera would take, before it is signed.
func (r Release) check() error {
	switch {
	case r.Kind != "agent" && r.Kind != "system":
		return fmt.Errorf("kind %q: expected agent or system", r.Kind)
	case !slices.Contains(architectures, r.Arch):
		return fmt.Errorf("architecture %q: expected one of %s", r.Arch, strings.Join(architectures, ", "))
	case !word.MatchString(r.Version):
		return fmt.Errorf("version %q: expected a word such as v1.4.0", r.Version)
	case !word.MatchString(r.Channel):
		return fmt.Errorf("channel %q: expected a word such as stable", r.Channel)
	case r.Number < 1 || r.Number > 1<<62:
		return fmt.Errorf("number %d: expected one above that of every earlier release", r.Number)
	case r.Share < 0 || r.Share > 100:
		return fmt.Errorf("share %d: expected 0 to 100 percent", r.Share)
	case len(r.Boards) == 0:
		return fmt.Errorf("no board: expected names of boards, or * for all")
	}
	for _, b := range r.Boards {
		if b != "*" && !word.MatchString(b) {
			return fmt.Errorf("board %q: expected a name, or * for all", b)
		}
	}
	return nil
}

// path is what a release is called in the repository.
func (r Release) path() string {
	name := r.Arch
	if !slices.Contains(r.Boards, "*") {
		name += "-" + strings.Join(r.Boards, "-")
	}
	return path.Join(r.Kind, r.Channel, r.Version, name)
}

// hashFile returns size and hash of the file at name.
func hashFile(name string) (int64, string, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// file is where an entry lies in public/targets.
func (e Entry) file() string {
	dir, base := path.Split(e.Path)
	return dir + e.SHA256 + "." + base
}

// target says it in the words of the specification.
func (e Entry) target() (*metadata.TargetFiles, error) {
	custom, err := json.Marshal(map[string]Release{"sealcam": e.Release})
	if err != nil {
		return nil, err
	}
	hash, err := hex.DecodeString(e.SHA256)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Path, err)
	}
	raw := json.RawMessage(custom)
	return &metadata.TargetFiles{Length: e.Size, Hashes: metadata.Hashes{"sha256": hash}, Custom: &raw, Path: e.Path}, nil
}
