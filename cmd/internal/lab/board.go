//go:build linux

package lab

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// Board is what every guest of one architecture boots from: a kernel, its
// modules and a busybox, unpacked below Dir. It is read-only once made.
type Board struct {
	Arch    Arch
	Dir     string
	Release string // of the kernel, for example "6.1.0-50-arm64"
}

// Kernel returns the path of the kernel that QEMU boots.
func (b *Board) Kernel() string { return filepath.Join(b.Dir, "boot", "vmlinuz-"+b.Release) }

// Busybox returns the path of the guest's static busybox.
func (b *Board) Busybox() string { return filepath.Join(b.Dir, "bin", "busybox") }

// Modules returns the files to load, in this order, so that every named
// module runs with what it depends on. What is built in is left out.
func (b *Board) Modules(ctx context.Context, names ...string) ([]string, error) {
	return debian.Modules(ctx, b.Dir, b.Release, names...)
}

// recipe is part of a board's name in the cache: when the way to make one
// changes, a new one is made.
//
//go:embed build.go
var recipe []byte

// Prepare returns the board of an architecture, making it first if the cache
// has none. The first time it needs a network; later it takes milliseconds.
// Processes that prepare at the same time wait for one another.
func Prepare(ctx context.Context, arch Arch, say func(line string)) (*Board, error) {
	sp, err := arch.spec()
	if err != nil {
		return nil, err
	}
	if err := CheckHost(); err != nil {
		return nil, err
	}
	cache, err := debian.CacheDir()
	if err != nil {
		return nil, err
	}
	unlock, err := debian.Lock(cache)
	if err != nil {
		return nil, err
	}
	defer unlock()

	m := &maker{cache: cache, arch: arch, spec: sp, say: say}
	pins, err := m.pins(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(strings.Join(pins, "\n")), recipe...))
	dir := filepath.Join(cache, string(arch)+"-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err != nil {
		if err := m.make(ctx, dir, pins); err != nil {
			return nil, fmt.Errorf("making the %s board: %w", arch, err)
		}
	}
	release, err := kernelRelease(dir)
	return &Board{Arch: arch, Dir: dir, Release: release}, err
}

func kernelRelease(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%d kernels in %s, want one: delete that directory and try again", len(found), dir)
	}
	return strings.TrimPrefix(filepath.Base(found[0]), "vmlinuz-"), nil
}

// readPins returns an architecture's lines of the pin file, or none.
func readPins(path string, arch Arch) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var pins []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, pin, ok := strings.Cut(s.Text(), " "); ok && name == string(arch) {
			pins = append(pins, pin)
		}
	}
	return pins
}
