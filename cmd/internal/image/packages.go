//go:build linux

package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// tree is Debian's packages for one board, unpacked.
type tree struct {
	dir     string
	release string   // of the kernel
	pins    []string // exact packages, "name:arch=version"
}

// unpack returns the packages of a board from the cache, fetching them first if it
// has none. Which versions they are is looked up once and then kept in a file of
// the cache, so that an image can be made again, without a network too.
func unpack(ctx context.Context, cache string, b Board, say func(string)) (*tree, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	list := filepath.Join(cache, "image-"+b.Name+"-"+short([]byte(strings.Join(b.Packages, " ")))+".txt")
	text, err := os.ReadFile(list)
	if err != nil {
		if text, err = lookUp(ctx, cache, b, say); err != nil {
			return nil, err
		}
		if err := os.WriteFile(list, text, 0o644); err != nil {
			return nil, err
		}
	}
	t := &tree{pins: strings.Fields(string(text))}
	t.dir = filepath.Join(cache, "image-"+b.Name+"-"+short(text))
	if _, err := os.Stat(t.dir); err != nil {
		if err := t.fetch(ctx, cache, b, say); err != nil {
			return nil, fmt.Errorf("%w\nhint: the mirror may have moved on; delete %s to look versions up again", err, list)
		}
	}
	kernels, err := filepath.Glob(filepath.Join(t.dir, "boot", "vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		return nil, fmt.Errorf("%d kernels in %s, want one: delete that directory and try again", len(kernels), t.dir)
	}
	t.release = strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	return t, nil
}

// short names what is made from b.
func short(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// open opens the package database: the lab's, unless the board needs components
// that the host's sources may lack.
func open(ctx context.Context, cache string, b Board) (*debian.Apt, error) {
	return debian.Open(ctx, filepath.Join(cache, strings.Join(append([]string{"apt"}, b.Sources...), "-")), b.Sources...)
}

// lookUp returns the exact packages of a board, one a line.
func lookUp(ctx context.Context, cache string, b Board, say func(string)) ([]byte, error) {
	a, err := open(ctx, cache, b)
	if err != nil {
		return nil, err
	}
	say("fetching package lists")
	updated := a.Update(ctx)
	deps, err := a.Depends(ctx, "linux-image-arm64:arm64")
	if err != nil {
		return nil, missing(err, updated)
	}
	var text []byte
	kernel := regexp.MustCompile(`^linux-image-[0-9].*-arm64$`)
	for name, relation := range deps {
		if version, exact := strings.CutPrefix(relation, "= "); exact && kernel.MatchString(name) {
			text = fmt.Appendf(text, "%s:arm64=%s\n", name, version)
		}
	}
	for _, pkg := range append([]string{"busybox-static:arm64"}, b.Packages...) {
		version, err := a.Candidate(ctx, pkg)
		if err != nil {
			return nil, missing(err, updated)
		}
		text = fmt.Appendf(text, "%s=%s\n", pkg, version)
	}
	return text, nil
}

func missing(err, updated error) error {
	if updated == nil {
		return err
	}
	return fmt.Errorf("%w\n(the package lists are incomplete: %w)", err, updated)
}

// fetch fetches and unpacks t.pins into t.dir, whole or not at all.
func (t *tree) fetch(ctx context.Context, cache string, b Board, say func(string)) error {
	work, err := os.MkdirTemp(cache, "unpacking-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	a, err := open(ctx, cache, b)
	if err != nil {
		return err
	}
	say("fetching " + strings.Join(t.pins, " "))
	debs, root := filepath.Join(work, "debs"), filepath.Join(work, "root")
	if err := a.Fetch(ctx, debs, t.pins); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range files {
		if _, err := debian.Output(ctx, nil, "dpkg", "-x", deb, root); err != nil {
			return err
		}
	}
	versions, err := filepath.Glob(filepath.Join(root, "lib", "modules", "*"))
	if err != nil || len(versions) != 1 {
		return fmt.Errorf("the modules of %d kernels are unpacked, want one", len(versions))
	}
	if _, err := debian.Output(ctx, nil, "depmod", "-b", root, filepath.Base(versions[0])); err != nil {
		return err
	}
	return os.Rename(root, t.dir)
}

// modules returns the files of modules and of what they depend on, in the order in
// which they are loaded. Arguments after a name are ignored.
func (t *tree) modules(ctx context.Context, names ...string) ([]string, error) {
	bare := make([]string, len(names))
	for i, name := range names {
		bare[i], _, _ = strings.Cut(name, " ")
	}
	return debian.Modules(ctx, t.dir, t.release, bare...)
}
