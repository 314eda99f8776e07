// Package image makes images that are written to a card or a disk and boot: Debian's
// kernel, a BusyBox userland, sealcamd as a user of its own, a read-only root in two
// slots, and a data partition that outlives them. U-Boot chooses the slot, by an
// environment that the agent's updates write (files/boot.cmd has the rules).
//
// A disk has these partitions, on every board:
//
//	1  settings  FAT: the boot script, the board's firmware, and what a person puts there
//	2  a         FAT: kernel, initramfs and root.squashfs; as a file, this is a system release
//	3  b         the same
//	5  env       two copies of U-Boot's environment, 512 bytes each, at 0 and 64 KiB
//	6  data      ext4: the camera's identity, what it has sealed, its slots for agent updates
//
// The same packages and the same sealcamd give the same bytes.
//
// What this package does not do: write to a card, mount anything, need privileges,
// or choose between slots (the boot script and uplink/ota do). It runs on a Debian
// host only; on other systems it compiles to nothing.
package image
