//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// maker makes one board in the cache.
type maker struct {
	cache string
	arch  Arch
	spec  spec
	say   func(line string)
}

// pins returns the exact packages of this board, "name:arch=version". They
// are looked up once and then kept, so that a second run needs no network.
func (m *maker) pins(ctx context.Context) ([]string, error) {
	path := filepath.Join(m.cache, "pins.txt")
	if pins := readPins(path, m.arch); pins != nil {
		return pins, nil
	}
	a, err := debian.Open(ctx, filepath.Join(m.cache, "apt"))
	if err != nil {
		return nil, err
	}
	m.say("fetching package lists (amd64, arm64, armhf)")
	updated := a.Update(ctx)
	var text strings.Builder
	for _, arch := range []Arch{ARM64, ARMv7} {
		sp, err := arch.spec()
		if err != nil {
			return nil, err
		}
		pins, err := resolve(ctx, a, sp)
		if err != nil && updated != nil {
			err = fmt.Errorf("%w\n(the package lists are incomplete: %w)", err, updated)
		}
		if err != nil {
			return nil, err
		}
		for _, pin := range pins {
			fmt.Fprintf(&text, "%s %s\n", arch, pin)
		}
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return nil, err
	}
	return readPins(path, m.arch), nil
}

// resolve names the packages of a board, all of one kernel version: the one
// that Debian's metapackage depends on.
func resolve(ctx context.Context, a *debian.Apt, sp spec) ([]string, error) {
	var pins []string
	var common, kbuild string
	for _, meta := range []string{"linux-image-", "linux-headers-"} {
		name, version, err := dependency(ctx, a, meta+sp.meta+":"+sp.deb, meta)
		if err != nil {
			return nil, err
		}
		pins = append(pins, name+":"+sp.deb+"="+version)
	}
	deps, err := a.Depends(ctx, pins[1])
	if err != nil {
		return nil, err
	}
	for name, relation := range deps {
		switch {
		case strings.HasPrefix(name, "linux-headers-"):
			common = name + "=" + strings.TrimPrefix(relation, "= ")
		case strings.HasPrefix(name, "linux-kbuild-"):
			kbuild = name // runs on the host, so of the host's architecture
		}
	}
	pins = append(pins, common)
	for _, pkg := range []string{kbuild + ":" + a.Native(), "v4l2loopback-dkms", "busybox-static:" + sp.deb} {
		version, err := a.Candidate(ctx, pkg)
		if err != nil {
			return nil, err
		}
		pins = append(pins, pkg+"="+version)
	}
	return pins, nil
}

// dependency returns the one dependency of pkg whose name has the prefix.
func dependency(ctx context.Context, a *debian.Apt, pkg, prefix string) (name, version string, err error) {
	deps, err := a.Depends(ctx, pkg)
	if err != nil {
		return "", "", err
	}
	for name, relation := range deps {
		if v, exact := strings.CutPrefix(relation, "= "); exact && strings.HasPrefix(name, prefix) {
			return name, v, nil
		}
	}
	return "", "", fmt.Errorf("package %s names no %s package", pkg, prefix)
}

// make fetches and unpacks the packages, builds the modules that Debian does
// not build, and moves the finished board to dir. An interrupted make leaves
// nothing at dir.
func (m *maker) make(ctx context.Context, dir string, pins []string) error {
	// The cache is locked, so whatever lies half made was interrupted.
	old, err := filepath.Glob(filepath.Join(m.cache, "making-*"))
	if err != nil {
		return err
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp(m.cache, "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	root, debs := filepath.Join(work, "root"), filepath.Join(work, "debs")

	m.say(fmt.Sprintf("%s: fetching %d packages, %s", m.arch, len(pins), pins[0]))
	a, err := debian.Open(ctx, filepath.Join(m.cache, "apt"))
	if err != nil {
		return err
	}
	if err := a.Fetch(ctx, debs, pins); err != nil {
		return fmt.Errorf("%w\nhint: the mirror may have moved on; delete %s to look versions up again", err, filepath.Join(m.cache, "pins.txt"))
	}
	m.say(fmt.Sprintf("%s: unpacking", m.arch))
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range files {
		if _, err := debian.Output(ctx, nil, "dpkg", "-x", deb, root); err != nil {
			return err
		}
	}
	codec, err := m.codec(ctx, a, pins)
	if err != nil {
		return err
	}
	m.say(fmt.Sprintf("%s: building v4l2loopback and vicodec", m.arch))
	if err := m.modules(ctx, root, codec); err != nil {
		return err
	}
	// Sources and headers are of no more use, and half of the size.
	if err := os.RemoveAll(filepath.Join(root, "usr")); err != nil {
		return err
	}
	return os.Rename(root, dir)
}

// codecPath is where vicodec is in the kernel's source.
const codecPath = "drivers/media/test-drivers/vicodec"

// codec returns a directory with the source of vicodec, the kernel's virtual video
// codec, in the version of the pins. Of the kernel's whole source, which is large,
// it keeps nothing else, and that for all boards.
func (m *maker) codec(ctx context.Context, a *debian.Apt, pins []string) (string, error) {
	var pkg, version string
	for _, pin := range pins {
		if rest, ok := strings.CutPrefix(pin, "linux-kbuild-"); ok {
			series, _, _ := strings.Cut(rest, ":")
			_, version, _ = strings.Cut(rest, "=")
			pkg = "linux-source-" + series
		}
	}
	if pkg == "" {
		return "", fmt.Errorf("no linux-kbuild among the packages %v", pins)
	}
	dir := filepath.Join(m.cache, "vicodec-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	m.say("fetching " + pkg + " for vicodec")
	work, err := os.MkdirTemp(m.cache, "making-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := a.Fetch(ctx, work, []string{pkg + "=" + version}); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("%d packages fetched for %s", len(debs), pkg)
	}
	if _, err := debian.Output(ctx, nil, "dpkg", "-x", debs[0], work); err != nil {
		return "", err
	}
	tar := filepath.Join(work, "usr", "src", pkg+".tar.xz")
	if _, err := debian.Output(ctx, nil, "tar", "-C", work, "-xJf", tar, pkg+"/"+codecPath); err != nil {
		return "", err
	}
	return dir, os.Rename(filepath.Join(work, pkg, codecPath), dir)
}

// modules builds v4l2loopback, and vicodec from a copy of its source, against the
// unpacked headers and lists all modules for modprobe.
func (m *maker) modules(ctx context.Context, root, codec string) error {
	release, err := kernelRelease(root)
	if err != nil {
		return err
	}
	src := filepath.Join(root, "usr", "src")
	headers := filepath.Join(src, "linux-headers-"+release)
	// The packaged Makefile includes the common one by its installed path.
	makefile := filepath.Join(headers, "Makefile")
	text, err := os.ReadFile(makefile)
	if err != nil {
		return err
	}
	here := strings.ReplaceAll(string(text), "/usr/src/", src+"/")
	if err := os.WriteFile(makefile, []byte(here), 0o644); err != nil {
		return err
	}
	loopback, err := filepath.Glob(filepath.Join(src, "v4l2loopback-*"))
	if err != nil || len(loopback) != 1 {
		return fmt.Errorf("%d sources of v4l2loopback unpacked, want one", len(loopback))
	}
	vicodec := filepath.Join(src, "vicodec")
	if err := os.CopyFS(vicodec, os.DirFS(codec)); err != nil {
		return err
	}
	updates := filepath.Join(root, "lib", "modules", release, "updates")
	if err := os.MkdirAll(updates, 0o755); err != nil {
		return err
	}
	for name, dir := range map[string]string{"v4l2loopback.ko": loopback[0], "vicodec.ko": vicodec} {
		// The headers choose the compiler's version (CC) themselves.
		if _, err := debian.Output(ctx, []string{"LC_ALL=C"}, "make", "-j2", "-C", headers, "ARCH="+m.spec.kbuild,
			"CROSS_COMPILE="+m.spec.cross, "M="+dir, "CONFIG_VIDEO_VICODEC=m", "modules"); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(updates, name)); err != nil {
			return err
		}
	}
	_, err = debian.Output(ctx, nil, "depmod", "-b", root, release)
	return err
}
