//go:build linux

package image

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// Config is what an image is made of.
type Config struct {
	Board    string
	Sealcamd string // the agent for arm64, which is flashed as /usr/bin/sealcamd
	Settings string // its settings file
	Version  string // of the system, for people
	Number   uint64 // of the system, for updates
	Data     int64  // bytes of the data partition
	// Put are files of the host that the settings partition gets, by their name there.
	Put   map[string]string
	Cache string            // directory of what was fetched
	Out   string            // directory for what is made
	Say   func(line string) // progress
}

// Made is what Make made.
type Made struct {
	Disk   string // to be written to a card
	System string // the same system as an update of the other slot, compressed
	Loader string // what an emulator is given as firmware; "" for boards that have their own
}

// Tools are the Debian packages of the host that make an image, each with the
// command by which it is recognised.
var Tools = [][2]string{
	{"squashfs-tools", "mksquashfs"}, {"dosfstools", "mkfs.vfat"}, {"mtools", "mcopy"}, {"fdisk", "sfdisk"}, {"e2fsprogs", "mke2fs"}, {"kmod", "depmod"},
}

// CheckHost returns an error that names the command to type when the host lacks a tool.
func CheckHost() error {
	var names []string
	for _, t := range Tools {
		if _, err := debian.Tool(t[1]); err != nil {
			names = append(names, t[0])
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("an image needs packages that are not installed: type: apt-get install -y %s", strings.Join(names, " "))
	}
	return nil
}

// Make makes an image. The same Config makes the same bytes, as long as the cache has
// the same packages.
func Make(ctx context.Context, c Config) (Made, error) {
	b, err := Find(c.Board)
	if err != nil {
		return Made{}, err
	}
	if c.Data < 32*mib || c.Data%mib != 0 {
		return Made{}, fmt.Errorf("a data partition of %d bytes: give whole MiB, at least 32", c.Data)
	}
	if err := CheckHost(); err != nil {
		return Made{}, err
	}
	unlock, err := debian.Lock(c.Cache)
	if err != nil {
		return Made{}, err
	}
	t, err := unpack(ctx, c.Cache, b, c.Say)
	unlock()
	if err != nil {
		return Made{}, err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return Made{}, err
	}
	work, err := os.MkdirTemp(c.Out, "making-")
	if err != nil {
		return Made{}, err
	}
	defer os.RemoveAll(work)
	c.Say("making " + c.Board)
	content, err := fill(ctx, work, c, b, t)
	if err != nil {
		return Made{}, err
	}
	made := Made{
		Disk:   filepath.Join(c.Out, "sealcam-"+c.Board+".img"),
		System: filepath.Join(c.Out, "sealcam-"+c.Board+".system.gz"),
	}
	if err := disk(ctx, made.Disk, b.GPT, c.Data, content); err != nil {
		return Made{}, err
	}
	if b.Loader != "" {
		made.Loader = filepath.Join(c.Out, "sealcam-"+c.Board+".u-boot.bin")
		if err := copied(filepath.Join(t.dir, b.Loader), made.Loader, 0o644); err != nil {
			return Made{}, err
		}
	}
	return made, compress(content["a"], made.System)
}

// fill makes the content of all partitions, and returns their files by name.
func fill(ctx context.Context, work string, c Config, b Board, t *tree) (map[string]string, error) {
	squashed, initrd, slot := filepath.Join(work, "root.squashfs"), filepath.Join(work, "initrd"), filepath.Join(work, "slot")
	if err := root(ctx, work, squashed, c, b, t); err != nil {
		return nil, err
	}
	if err := initramfs(ctx, initrd, b, t); err != nil {
		return nil, err
	}
	kernel := filepath.Join(work, "vmlinuz")
	if err := copied(filepath.Join(t.dir, "boot", "vmlinuz-"+t.release), kernel, 0o644); err != nil {
		return nil, err
	}
	for _, f := range []string{kernel, initrd, squashed} {
		if err := os.Chtimes(f, epoch, epoch); err != nil {
			return nil, err
		}
	}
	if err := fat(ctx, slot, "SEALCAM-SYS", "5ea1ca02", slotImage, map[string]string{"vmlinuz": kernel, "initrd": initrd, "root.squashfs": squashed}); err != nil {
		return nil, err
	}
	settings, err := settingsFS(ctx, work, c, b, t)
	if err != nil {
		return nil, err
	}
	data, err := dataFS(ctx, work, c.Data)
	if err != nil {
		return nil, err
	}
	env := filepath.Join(work, "env")
	first := Env("sealcam_slot=a", fmt.Sprintf("sealcam_number=%d", c.Number))
	if err := os.WriteFile(env, append(append(first, make([]byte, EnvCopy-EnvSize)...), first...), 0o644); err != nil {
		return nil, err
	}
	return map[string]string{"settings": settings, "a": slot, "b": slot, "env": env, "data": data}, nil
}

// settingsFS makes the partition that a person can write: boot script, firmware,
// explanations, and the files of c.Put.
func settingsFS(ctx context.Context, work string, c Config, b Board, t *tree) (string, error) {
	commands := strings.NewReplacer(
		"@ENV0@", fmt.Sprintf("%x", at("env")/sector), "@ENV1@", fmt.Sprintf("%x", (at("env")+EnvCopy)/sector), "@ARGS@", b.Args,
	).Replace(string(text("boot.cmd")))
	texts := map[string][]byte{"boot.scr": script("sealcam", commands), "README.txt": text("README.txt")}
	for name, content := range b.Files {
		texts[name] = []byte(content)
	}
	content := make(map[string]string)
	add := func(name string, data []byte) (err error) {
		content[name], err = stage(filepath.Join(work, "settings"), name, data)
		return err
	}
	for name, data := range texts {
		if err := add(name, data); err != nil {
			return "", err
		}
	}
	from := make(map[string]string)
	for _, f := range b.Boot {
		found, err := filepath.Glob(filepath.Join(t.dir, f[0]))
		if err != nil || len(found) == 0 {
			return "", errors.Join(fmt.Errorf("no package has %s", f[0]), err)
		}
		for _, path := range found {
			name := f[1]
			if name == "" {
				name = filepath.Base(path)
			}
			from[name] = path
		}
	}
	maps.Copy(from, c.Put)
	for name, path := range from {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if err := add(name, data); err != nil {
			return "", err
		}
	}
	path := filepath.Join(work, "settings.fat")
	for _, p := range parts(0) {
		if p.name == "settings" {
			return path, fat(ctx, path, "SEALCAM", "5ea1ca01", p.size, content)
		}
	}
	return "", errors.New("no settings partition")
}

// compress writes a system update: the bytes of a slot, as gzip without a name or a time.
func compress(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	z := gzip.NewWriter(out)
	if _, err := io.Copy(z, in); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Close()
}
