//go:build linux

package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

const (
	sector = 512
	mib    = 1 << 20
)

// part is a partition; bytes.
type part struct {
	number      int
	name        string
	start, size int64
	kind        byte // in the older partition table
	guid        string
	bootable    bool
}

// SlotSize is the length of a slot's partition, and slotImage that of the file
// system in it: room for a later one that is larger.
const (
	SlotSize  = 128 * mib
	slotImage = 64 * mib
)

const (
	fatGUID   = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
	linuxGUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
)

// parts are the partitions of a disk whose data partition has that many bytes.
func parts(data int64) []part {
	return []part{
		{number: 1, name: "settings", start: 4 * mib, size: 64 * mib, kind: 0x0c, guid: fatGUID, bootable: true},
		{number: 2, name: "a", start: 68 * mib, size: SlotSize, kind: 0x0c, guid: fatGUID},
		{number: 3, name: "b", start: 196 * mib, size: SlotSize, kind: 0x0c, guid: fatGUID},
		{number: 5, name: "env", start: 325 * mib, size: mib, kind: 0xda, guid: linuxGUID},
		{number: 6, name: "data", start: 327 * mib, size: data, kind: 0x83, guid: linuxGUID},
	}
}

// at returns where a partition starts.
func at(name string) int64 {
	for _, p := range parts(0) {
		if p.name == name {
			return p.start
		}
	}
	panic("no partition " + name)
}

// table is what sfdisk is told, with identifiers that are always the same.
func table(parts []part, gpt bool) string {
	var b strings.Builder
	last := parts[len(parts)-1]
	if gpt {
		b.WriteString("label: gpt\nlabel-id: 5EA1CA00-0000-4000-8000-000000000000\n")
	} else {
		b.WriteString("label: dos\nlabel-id: 0x5ea1ca00\n")
	}
	b.WriteString("unit: sectors\nfirst-lba: 2048\n\n")
	for _, p := range parts {
		if p.number == 5 && !gpt {
			fmt.Fprintf(&b, "4 : start=%d, size=%d, type=f\n", (p.start-mib)/sector, (last.start+last.size-p.start+mib)/sector)
		}
		fmt.Fprintf(&b, "%d : start=%d, size=%d", p.number, p.start/sector, p.size/sector)
		if gpt {
			fmt.Fprintf(&b, ", type=%s, name=\"sealcam-%s\", uuid=5EA1CA00-0000-4000-8000-%012d", p.guid, p.name, p.number)
			if p.bootable {
				b.WriteString(", attrs=\"LegacyBIOSBootable\"")
			}
		} else {
			fmt.Fprintf(&b, ", type=%x", p.kind)
			if p.bootable {
				b.WriteString(", bootable")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// disk writes a whole disk to out, whose partitions have the content of the named files.
func disk(ctx context.Context, out string, gpt bool, data int64, content map[string]string) error {
	all := parts(data)
	last := all[len(all)-1]
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(last.start + last.size + mib); err != nil { // the end has the table's copy
		return err
	}
	cmd := debian.Command(ctx, []string{"LC_ALL=C"}, "sfdisk", "--quiet", "--wipe", "never", "--no-reread", "--no-tell-kernel", out)
	cmd.Stdin = strings.NewReader(table(all, gpt))
	if err := debian.Run(cmd); err != nil {
		return err
	}
	for _, p := range all {
		if from := content[p.name]; from != "" {
			if err := place(f, from, p); err != nil {
				return fmt.Errorf("partition %s: %w", p.name, err)
			}
		}
	}
	return f.Close()
}

// place copies a file to a partition. Where it is zero the disk stays a hole.
func place(f *os.File, from string, p part) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	var zero, buf [64 << 10]byte
	for at := int64(0); ; {
		n, err := io.ReadFull(in, buf[:])
		if at+int64(n) > p.size {
			return fmt.Errorf("%s does not fit into %d MiB", from, p.size/mib)
		}
		if !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := f.WriteAt(buf[:n], p.start+at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// dataFS makes the empty file system of the data partition.
func dataFS(ctx context.Context, work string, size int64) (string, error) {
	path := filepath.Join(work, "data")
	env := []string{fmt.Sprintf("E2FSPROGS_FAKE_TIME=%d", epoch.Unix()), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix())}
	// An orderly journal of 8 MiB; what a camera loses in a power cut is for it to say, not for a check at start.
	_, err := debian.Output(ctx, env, "mke2fs", "-q", "-F", "-t", "ext4", "-L", "sealcam-data", "-m", "1",
		"-U", "5ea1ca00-0000-4000-8000-000000000006", "-J", "size=8", "-I", "256",
		"-E", "hash_seed=5ea1ca00-0000-4000-8000-000000000007,nodiscard,lazy_itable_init=1", path, fmt.Sprintf("%dk", size>>10))
	return path, err
}
