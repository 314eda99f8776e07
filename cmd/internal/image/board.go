//go:build linux

package image

import (
	"fmt"
	"slices"
	"strings"
)

// Board is what differs between the images.
type Board struct {
	Name     string
	Packages []string          // beside kernel and BusyBox
	Sources  []string          // components of Debian that have them, beside main
	Boot     [][2]string       // files of Packages for the settings partition: what matches the first in the directory (or as) the second
	Early    []string          // modules without which the disk is not found
	Modules  []string          // modules, loaded at start; with parameters
	Extra    []string          // modules that are there if the hardware asks for them
	Args     string            // of the kernel
	Files    map[string]string // more files of the settings partition
	Shell    string            // the terminal where a shell of root waits, without a password; "" for nowhere
	Loader   string            // a file of Packages that starts the disk, for boards that have none of their own; "" for none
	GPT      bool              // else the older partition table, which the first boot stages of some boards want
}

// everywhere are modules of all images: USB cameras and network adapters.
var everywhere = []string{"uvcvideo", "usbhid", "r8152", "ax88179_178a", "asix", "smsc95xx", "cdc_ether", "i2c_dev"}

// early are the modules that the initramfs of all images needs.
var early = []string{"vfat", "nls_cp437", "nls_ascii", "loop", "squashfs", "ext4"}

func raspberry(name, dtb, arm64 string) Board {
	return Board{
		Name:     name,
		Packages: []string{"raspi-firmware", "u-boot-rpi:arm64"},
		Sources:  []string{"non-free-firmware"},
		Boot: [][2]string{
			{"usr/lib/raspi-firmware/bootcode.bin", ""},
			{"usr/lib/raspi-firmware/start*.elf", ""}, {"usr/lib/raspi-firmware/fixup*.dat", ""},
			{"usr/lib/u-boot/" + arm64 + "/u-boot.bin", "u-boot.bin"},
			{"usr/lib/linux-image-*/broadcom/" + dtb, ""},
		},
		Early:   []string{"bcm2835", "sdhci-iproc", "mmc_block", "xhci-pci", "usb-storage"},
		Modules: []string{"bcm2835_wdt"},
		Extra:   []string{"genet", "broadcom", "bcm_phy_lib", "lan78xx", "microchip", "dwc2", "bcm2835_thermal", "gpio_raspberrypi_exp", "reset_raspberrypi", "pcie_brcmstb", "bcm2835-v4l2", "pwm-bcm2835", "leds-gpio", "i2c-bcm2835"},
		Args:    "console=tty1 console=ttyS1,115200 quiet panic=10",
		Files: map[string]string{"config.txt": `# Raspberry Pi's firmware reads this first. It starts U-Boot, which chooses a slot.
arm_64bit=1
enable_uart=1
kernel=u-boot.bin
upstream_kernel=1
gpu_mem=64
`},
	}
}

// Boards are the boards that there are images for.
func Boards() []Board {
	return []Board{
		{
			Name:     "qemu-virt",
			Packages: []string{"u-boot-qemu"},
			Loader:   "usr/lib/u-boot/qemu_arm64/u-boot.bin",
			Early:    []string{"virtio_mmio", "virtio_pci", "virtio_blk"},
			Modules:  []string{"virtio_net", "virtio_console", "i6300esb", "vivid n_devs=1"},
			Args:     "console=ttyAMA0 quiet panic=10",
			Shell:    "hvc0",
			GPT:      true,
		},
		raspberry("raspberrypi-3", "bcm2837-rpi-3-*.dtb", "rpi_3"),
		raspberry("raspberrypi-zero-2-w", "bcm2837-rpi-zero-2-w.dtb", "rpi_arm64"),
		raspberry("raspberrypi-4", "bcm2711-rpi-4-b.dtb", "rpi_4"),
	}
}

// Find returns the board of a name.
func Find(name string) (Board, error) {
	all := Boards()
	if i := slices.IndexFunc(all, func(b Board) bool { return b.Name == name }); i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, b := range all {
		names = append(names, b.Name)
	}
	return Board{}, fmt.Errorf("there is no image for a board %q, only for %s", name, strings.Join(names, ", "))
}
