//go:build linux

package lab

import "fmt"

// Arch names an emulated board.
type Arch string

// The boards: one 64-bit, one 32-bit.
const (
	ARM64 Arch = "arm64" // Cortex-A53, Debian arm64
	ARMv7 Arch = "armv7" // Cortex-A7, Debian armhf
)

// spec is what differs between boards.
type spec struct {
	goEnv  []string // for the go command
	deb    string   // Debian architecture
	meta   string   // package that depends on the newest kernel
	kbuild string   // ARCH of the kernel's make
	cross  string   // prefix of the cross compiler
	qemu   string
	cpu    string
}

func (a Arch) spec() (spec, error) {
	switch a {
	case ARM64:
		return spec{
			goEnv: []string{"GOOS=linux", "GOARCH=arm64"},
			deb:   "arm64", meta: "arm64", kbuild: "arm64", cross: "aarch64-linux-gnu-",
			qemu: "qemu-system-aarch64", cpu: "cortex-a53",
		}, nil
	case ARMv7:
		return spec{
			goEnv: []string{"GOOS=linux", "GOARCH=arm", "GOARM=7"},
			deb:   "armhf", meta: "armmp", kbuild: "arm", cross: "arm-linux-gnueabihf-",
			qemu: "qemu-system-arm", cpu: "cortex-a7",
		}, nil
	}
	return spec{}, fmt.Errorf("no emulated board %q: use %s or %s", string(a), ARM64, ARMv7)
}
