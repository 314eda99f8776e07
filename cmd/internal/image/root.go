//go:build linux

package image

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/cpio"
	"github.com/sealcam/sealcam/cmd/internal/debian"
)

//go:embed files
var files embed.FS

func text(name string) []byte {
	b, err := files.ReadFile("files/" + name)
	if err != nil {
		panic(err) // it is compiled in
	}
	return b
}

// placed are the scripts and tables of files, by where they are in the root.
var placed = map[string]string{
	"inittab": "etc/inittab", "rcS": "etc/init.d/rcS", "mdev.conf": "etc/mdev.conf",
	"passwd": "etc/passwd", "group": "etc/group",
	"supervise": "usr/lib/sealcam/supervise", "asked": "usr/lib/sealcam/asked", "reboot": "usr/lib/sealcam/reboot",
	"down": "usr/lib/sealcam/down", "dhcp": "usr/lib/sealcam/dhcp",
}

// root makes the root file system at out, from the packages and what the maker gives.
func root(ctx context.Context, work, out string, c Config, b Board, t *tree) error {
	dir := filepath.Join(work, "root")
	for _, d := range []string{"bin", "boot", "dev", "etc", "proc", "run", "sbin", "settings", "sys", "tmp", "usr/bin", "var/lib/sealcam", "lib/modules/" + t.release} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	put := func(name string, data []byte, mode fs.FileMode) error {
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, data, mode)
	}
	for from, to := range placed {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(string(text(from)), "#!") {
			mode = 0o755
		}
		if err := put(to, text(from), mode); err != nil {
			return err
		}
	}
	system := fmt.Sprintf("VERSION=%s\nNUMBER=%d\nBOARD=%s\n", c.Version, c.Number, b.Name)
	for name, data := range map[string]string{
		"etc/modules": strings.Join(b.Modules, "\n") + "\n", "etc/sealcam/system": system, "etc/sealcam/shell": b.Shell + "\n", "etc/hosts": "127.0.0.1 localhost sealcam\n",
	} {
		if err := put(name, []byte(data), 0o644); err != nil {
			return err
		}
	}
	if err := copied(c.Settings, filepath.Join(dir, "etc/sealcam/sealcamd.toml"), 0o644); err != nil {
		return err
	}
	if err := copied(c.Sealcamd, filepath.Join(dir, "usr/bin/sealcamd"), 0o755); err != nil {
		return err
	}
	if err := busybox(dir, t); err != nil {
		return err
	}
	if err := os.Symlink("/run/resolv.conf", filepath.Join(dir, "etc/resolv.conf")); err != nil {
		return err
	}
	if err := drivers(ctx, dir, b, t); err != nil {
		return err
	}
	_, err := debian.Output(ctx, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix())},
		"mksquashfs", dir, out, "-noappend", "-all-root", "-root-mode", "755", "-no-xattrs", "-comp", "zstd", "-no-progress", "-quiet")
	return err
}

// drivers puts the board's modules, and what finds them, into the root.
func drivers(ctx context.Context, dir string, b Board, t *tree) error {
	all := slices.Concat(early, everywhere, b.Early, b.Modules, b.Extra)
	list, err := t.modules(ctx, all...)
	if err != nil {
		return err
	}
	modules := path.Join("lib", "modules", t.release)
	for _, file := range list {
		inside, err := filepath.Rel(t.dir, file)
		if err != nil {
			return err
		}
		if err := copied(file, filepath.Join(dir, inside), 0o644); err != nil {
			return err
		}
	}
	for _, name := range []string{"modules.builtin", "modules.order", "modules.builtin.modinfo"} {
		if err := copied(filepath.Join(t.dir, modules, name), filepath.Join(dir, modules, name), 0o644); err != nil {
			return err
		}
	}
	_, err = debian.Output(ctx, nil, "depmod", "-b", dir, t.release)
	return err
}

// busybox puts BusyBox into the root, with a link for each applet that is used or
// that a person at a shell expects.
func busybox(dir string, t *tree) error {
	if err := copied(filepath.Join(t.dir, "bin", "busybox"), filepath.Join(dir, "bin", "busybox"), 0o755); err != nil {
		return err
	}
	for _, applet := range strings.Fields(string(text("applets"))) {
		at := filepath.Join(dir, "bin", applet)
		if slices.Contains([]string{"init", "modprobe", "reboot", "poweroff", "mdev"}, applet) {
			at = filepath.Join(dir, "sbin", applet)
		}
		if err := os.Symlink("/bin/busybox", at); err != nil {
			return err
		}
	}
	return nil
}

// initramfs makes the file system that finds the root.
func initramfs(ctx context.Context, out string, b Board, t *tree) error {
	content := map[string]cpio.File{
		"/init":        {Data: text("init"), Mode: 0o755},
		"/bin/busybox": {Host: filepath.Join(t.dir, "bin", "busybox"), Mode: 0o755},
	}
	for _, d := range []string{"dev", "proc", "sys", "slot", "root"} {
		content["/"+d+"/.here"] = cpio.File{Mode: 0o644}
	}
	list, err := t.modules(ctx, slices.Concat(b.Early, early)...)
	if err != nil {
		return err
	}
	for i, file := range list {
		content[fmt.Sprintf("/modules/%02d-%s", i, filepath.Base(file))] = cpio.File{Host: file, Mode: 0o644}
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := cpio.Write(f, content); err != nil {
		return err
	}
	return f.Close()
}

func copied(from, to string, mode fs.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, mode)
}
