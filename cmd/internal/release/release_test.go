package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var stamp = Stamp{Version: "v1.4.0", Number: 140, Commit: strings.Repeat("c0ffee00", 5), Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}

// tree returns the root of the source.
func tree(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// release returns what makes a small release of dir: the agent for one machine. Any
// file will do for the root of updates.
func release(t *testing.T, dir string) *Config {
	t.Helper()
	only, err := choose("armv7")
	if err != nil {
		t.Fatal(err)
	}
	return &Config{Tree: dir, Root: filepath.Join(tree(t), "go.mod"), Out: filepath.Join(t.TempDir(), "release"), Stamp: stamp, Targets: only, Say: func(line string) { t.Log(line) }}
}

// The same source gives the same bytes in another folder: binary, package,
// tarball, checksums, bill of materials, manifest. (make release-check does it for
// all machines, with a build cache of its own.) What is in them is looked at
// beside, for making them is what takes time.
func TestReleaseTwice(t *testing.T) {
	here := release(t, tree(t))
	if err := here.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "elsewhere", "sealcam")
	if err := copyTree(t.Context(), tree(t), copied); err != nil {
		t.Fatal(err)
	}
	there := release(t, copied)
	if err := there.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := same(here.Out, there.Out)
	if err != nil {
		t.Fatal(err)
	}
	if n != 6 {
		t.Errorf("%d files, want 6", n)
	}
	t.Run("deb", func(t *testing.T) { lookIntoDeb(t, here) })
	t.Run("tarball", func(t *testing.T) { lookIntoTarball(t, here) })
	t.Run("sbom", func(t *testing.T) { lookIntoBill(t, here) })
	t.Run("sums", func(t *testing.T) {
		cmd := exec.Command("sha256sum", "--check", "--strict", sumsFile)
		cmd.Dir = here.Out
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("%s is not installed: make test-deps", name)
	}
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// What dpkg makes of the package: names, owners, modes, settings that stay, and the
// very binary that is published beside it.
func lookIntoDeb(t *testing.T, c *Config) {
	deb := filepath.Join(c.Out, "sealcamd_1.4.0_armhf.deb")
	control := command(t, "dpkg-deb", "--field", deb)
	for _, want := range []string{"Package: sealcamd\n", "Version: 1.4.0\n", "Architecture: armhf\n", "Depends: passwd\n"} {
		if !strings.Contains(control, want) {
			t.Errorf("control lacks %q:\n%s", want, control)
		}
	}
	if conf := command(t, "dpkg-deb", "--info", deb, "conffiles"); conf != "/etc/sealcam/root.json\n/etc/sealcam/sealcamd.toml\n" {
		t.Errorf("settings that an upgrade keeps: %q", conf)
	}
	list := command(t, "dpkg-deb", "--contents", deb)
	for line := range strings.Lines(list) {
		if !strings.Contains(line, " root/root ") || !strings.Contains(line, " 2026-01-02 ") {
			t.Errorf("not root's, or of another time: %s", line)
		}
	}
	for _, want := range []string{
		"-rwxr-xr-x root/root  ", "./usr/bin/sealcamd\n", "./etc/sealcam/sealcamd.toml\n", "./usr/lib/systemd/system/sealcamd.service\n",
		"./usr/lib/udev/rules.d/60-sealcam.rules\n", "./usr/share/doc/sealcamd/copyright\n",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("the package lacks %q:\n%s", want, list)
		}
	}
	dir := t.TempDir()
	command(t, "dpkg-deb", "--extract", deb, dir)
	inside, err := artifact(filepath.Join(dir, "usr/bin/sealcamd"))
	if err != nil {
		t.Fatal(err)
	}
	beside, err := artifact(filepath.Join(c.Out, "sealcamd-v1.4.0-linux-armv7"))
	if err != nil {
		t.Fatal(err)
	}
	if inside.SHA256 != beside.SHA256 {
		t.Error("the package has another binary than the one that is published")
	}
}

func lookIntoTarball(t *testing.T, c *Config) {
	f, err := os.Open(filepath.Join(c.Out, "sealcamd-v1.4.0-linux-armv7.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	modes := make(map[string]int64)
	for r := tar.NewReader(z); ; {
		head, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if head.Uid != 0 || !head.ModTime.Equal(stamp.Date) {
			t.Errorf("%s is of %d and of %s", head.Name, head.Uid, head.ModTime)
		}
		modes[strings.TrimPrefix(head.Name, "sealcamd-v1.4.0-linux-armv7/")] = head.Mode
	}
	for name, mode := range map[string]int64{
		"": 0o755, "sealcamd": 0o755, "LICENSE": 0o644, "root.json": 0o644, "README.md": 0o644, "sealcamd.toml": 0o644, "sealcamd.service": 0o644, "sealcamd.sysusers": 0o644,
		"sealcamd.rules": 0o644, "sealcamd.init": 0o755, "sealcamd.openrc": 0o755, "sealcamd.procd": 0o755,
	} {
		if found, ok := modes[name]; !ok || found != mode {
			t.Errorf("%q has mode %o, want %o (there: %v)", name, found, mode, ok)
		}
	}
	if len(modes) != 12 {
		t.Errorf("there is more: %v", modes)
	}
}

// A tag is the version; after it comes Go's pseudo-version. As Debian orders them,
// each comes after the one before.
func TestVersions(t *testing.T) {
	s := Stamp{Commit: "0123456789abcdef", Date: stamp.Date}
	dirty := s
	dirty.Dirty = true
	before := ""
	for _, c := range []struct {
		exact, last string
		stamp       Stamp
		want, deb   string
	}{
		{"", "", s, "v0.0.0-20260102030405-0123456789ab", "0.0.0~20260102030405.0123456789ab"},
		{"", "vnonsense", dirty, "v0.0.0-20260102030405-0123456789ab+dirty", "0.0.0~20260102030405.0123456789ab+dirty"},
		{"v1.4.0-rc.1", "v1.4.0-rc.1", s, "v1.4.0-rc.1", "1.4.0~rc.1"},
		{"", "v1.4.0-rc.1", s, "v1.4.0-rc.1.0.20260102030405-0123456789ab", "1.4.0~rc.1.0.20260102030405.0123456789ab"},
		{"v1.4.0", "v1.4.0", s, "v1.4.0", "1.4.0"},
		{"v1.4.0", "v1.4.0", dirty, "v1.4.0+dirty", "1.4.0+dirty"},
		{"", "v1.4.0", s, "v1.4.1-0.20260102030405-0123456789ab", "1.4.1~0.20260102030405.0123456789ab"},
		{"v1.4.1", "v1.4.1", s, "v1.4.1", "1.4.1"},
	} {
		v := versionOf(c.exact, c.last, c.stamp)
		if v != c.want || debVersion(v) != c.deb {
			t.Errorf("after %q: %s and %s, want %s and %s", c.last, v, debVersion(v), c.want, c.deb)
		}
		if before != "" {
			command(t, "dpkg", "--compare-versions", before, "lt", debVersion(v))
		}
		before = debVersion(v)
	}
}

// Another Go is refused: it would make other bytes.
func TestToolchain(t *testing.T) {
	dir := t.TempDir()
	c := Config{Tree: dir}
	for text, want := range map[string]string{"go 1.26\n\ntoolchain go1.2.3\n": "GOTOOLCHAIN=go1.2.3", "go 1.26\n": "names no toolchain"} {
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.checkToolchain(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A file that is not the same, is missing or is more shows.
func TestSame(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(a, "x", "1")
	if _, err := same(a, b); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("missing: %v", err)
	}
	write(b, "x", "2")
	if _, err := same(a, b); err == nil {
		t.Error("a difference is not seen")
	}
	write(b, "x", "1")
	write(b, "y", "1")
	if _, err := same(a, b); err == nil {
		t.Error("one more is not seen")
	}
	write(a, "y", "1")
	if n, err := same(a, b); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
}
