// Package lab runs sealcam on an emulated ARM board with Debian's own kernel:
// real V4L2, GPIO and network stacks on a machine that has no camera. Prepare
// fetches kernels and drivers once into a cache; Boot starts a guest in a few
// seconds, and the returned Machine runs commands in it, cuts its power, and
// talks to the emulator's monitor.
//
// What this package does not do: it says nothing about speed (everything is
// emulated by QEMU's TCG, never KVM), it never touches the host's package
// database, kernel or network, and it is no part of the product. It runs on a
// Debian host only; on other systems it compiles to nothing.
package lab
