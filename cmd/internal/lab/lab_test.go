//go:build linux

package lab

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestModuleName(t *testing.T) {
	if got := moduleName("crc32-arm-ce.ko"); got != "crc32_arm_ce" {
		t.Error(got)
	}
}

func TestPinsAreReadByBoard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins.txt")
	if err := os.WriteFile(path, []byte("arm64 a=1\narmv7 b=2\narm64 c=3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := readPins(path, ARM64); !slices.Equal(got, []string{"a=1", "c=3"}) {
		t.Error(got)
	}
	if got := readPins(path+"x", ARM64); got != nil {
		t.Error(got)
	}
}

func TestPackagesNameTheirCommands(t *testing.T) {
	all := Packages()
	if len(all) < 5 {
		t.Fatalf("only %d packages read", len(all))
	}
	if !slices.Contains(all, Package{Name: "qemu-system-arm", Command: "qemu-system-aarch64"}) {
		t.Error("no emulator among them")
	}
}
