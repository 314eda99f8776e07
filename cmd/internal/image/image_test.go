//go:build linux

package image

import (
	"encoding/binary"
	"hash/crc32"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A script's two checksums are those that U-Boot computes.
func TestScript(t *testing.T) {
	b := script("sealcam", "echo hello\n")
	head := slices.Clone(b[:64])
	want := binary.BigEndian.Uint32(head[4:])
	clear(head[4:8])
	if crc32.ChecksumIEEE(head) != want || crc32.ChecksumIEEE(b[64:]) != binary.BigEndian.Uint32(b[24:]) {
		t.Error("wrong checksums")
	}
	if n := binary.BigEndian.Uint32(b[64:]); string(b[72:]) != "echo hello\n" || n != 11 {
		t.Errorf("the text is %q, of length %d", b[72:], n)
	}
}

// A copy of the environment is as U-Boot's env import -c wants it.
func TestEnv(t *testing.T) {
	b := Env("sealcam_slot=a", "sealcam_tries=1")
	if len(b) != EnvSize || binary.LittleEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:]) {
		t.Error("wrong length or checksum")
	}
	if want := "sealcam_slot=a\x00sealcam_tries=1\x00\x00"; !strings.HasPrefix(string(b[4:]), want) {
		t.Errorf("%q", b[4:64])
	}
}

// No partition overlaps another, and each begins where flash likes it.
func TestParts(t *testing.T) {
	var end int64 = mib
	for _, p := range parts(64 * mib) {
		if p.start < end || p.start%mib != 0 || p.size%mib != 0 {
			t.Errorf("partition %s is at %d, the one before ends at %d", p.name, p.start, end)
		}
		end = p.start + p.size
	}
	if slotImage > SlotSize {
		t.Error("a slot's image does not fit into its partition")
	}
}

// Every script that an image has is one that a shell can read.
func TestScripts(t *testing.T) {
	entries, err := files.ReadDir("files")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if script := text(e.Name()); strings.HasPrefix(string(script), "#!") {
			n++
			if out, err := exec.Command("sh", "-n", "files/"+e.Name()).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", e.Name(), err, out)
			}
			if _, there := placed[e.Name()]; !there && e.Name() != "init" {
				t.Errorf("%s is in no image", e.Name())
			}
		}
	}
	if n < 6 {
		t.Errorf("only %d scripts", n)
	}
}

// A board that there is no image for is told which there are.
func TestFind(t *testing.T) {
	if _, err := Find("toaster"); err == nil || !strings.Contains(err.Error(), "qemu-virt") {
		t.Error(err)
	}
	for _, b := range Boards() {
		if got, err := Find(b.Name); err != nil || got.Name != b.Name {
			t.Error(err)
		}
	}
}
