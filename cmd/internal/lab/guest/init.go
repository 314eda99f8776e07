//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/sealcam/sealcam/cmd/internal/lab/wire"
)

// initBoard is process 1. It must never return: the kernel panics when
// process 1 ends, which QEMU's -no-reboot turns into an end of the guest.
// Orphans are not reaped: a guest lives for minutes, and wait(-1) would take
// the exit codes that the host asks for.
func initBoard() {
	err := setUp()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest: error:", err)
	}
	port, portErr := openPort()
	if portErr != nil {
		fmt.Fprintln(os.Stderr, "guest: error:", portErr)
		powerOff()
	}
	s := newServer(port)
	ready := wire.Event{}
	if err != nil {
		ready.Err = err.Error()
	}
	s.tell(ready)
	if err := s.serve(); err != nil {
		fmt.Fprintln(os.Stderr, "guest: error:", err)
	}
	powerOff()
}

func powerOff() {
	syscall.Sync()
	// Power goes off whether or not the disk could be unmounted: what keeps
	// it busy is the test's doing.
	_ = syscall.Unmount("/data", 0)
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

func setUp() error {
	if err := mounts(); err != nil {
		return err
	}
	if err := os.Setenv("PATH", "/bin"); err != nil {
		return err
	}
	if err := os.Symlink("/init", "/bin/guest"); err != nil {
		return err
	}
	if err := tell("/bin/busybox", "--install", "-s", "/bin"); err != nil {
		return err
	}
	text, err := os.ReadFile(wire.ConfigPath)
	if err != nil {
		return err
	}
	var c wire.Config
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("%s: %w", wire.ConfigPath, err)
	}
	var errs []error
	for _, m := range c.Modules {
		errs = append(errs, load(m))
	}
	errs = append(errs, freeButton())
	if c.Net {
		// QEMU's user network: the guest is always .15, the host .2.
		errs = append(errs, tell("ip", "link", "set", "lo", "up"),
			tell("ip", "address", "add", "10.0.2.15/24", "dev", "eth0"),
			tell("ip", "link", "set", "eth0", "up"),
			tell("ip", "route", "add", "default", "via", "10.0.2.2"))
	}
	if c.Disk {
		errs = append(errs, mount("/dev/vda", "/data", "ext4", ""))
	}
	return errors.Join(errs...)
}

func mounts() error {
	for _, m := range []struct{ from, at, kind string }{
		{"proc", "/proc", "proc"},
		{"sysfs", "/sys", "sysfs"},
		{"devtmpfs", "/dev", "devtmpfs"},
		{"debugfs", "/sys/kernel/debug", "debugfs"},
		{"tmpfs", "/tmp", "tmpfs"},
		{"tmpfs", "/run", "tmpfs"},
	} {
		if err := mount(m.from, m.at, m.kind, ""); err != nil {
			return err
		}
	}
	return nil
}

func mount(from, at, kind, options string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(from, at, kind, 0, options); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", from, at, err)
	}
	return nil
}

func tell(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// load is insmod. finit_module would spare the copy, but package syscall has
// no number for it on 32-bit ARM.
func load(m wire.Module) error {
	elf, err := os.ReadFile(m.Path)
	if err != nil {
		return err
	}
	params, err := syscall.BytePtrFromString(m.Params)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(syscall.SYS_INIT_MODULE,
		uintptr(unsafe.Pointer(&elf[0])), uintptr(len(elf)), uintptr(unsafe.Pointer(params)))
	runtime.KeepAlive(elf)
	// Optional dependencies may want a CPU that this one is not (ENODEV); what
	// is truly missing fails at its first use.
	if errno != 0 && errno != syscall.EEXIST && errno != syscall.ENODEV {
		return fmt.Errorf("module %s %s: %w", filepath.Base(m.Path), m.Params, errno)
	}
	return nil
}

// freeButton takes GPIO line 3, the machine's power button, from the kernel's
// own driver for keys, where that is built in: the button is for the product.
func freeButton() error {
	const driver = "/sys/bus/platform/drivers/gpio-keys/"
	if _, err := os.Stat(driver + "gpio-keys"); err != nil {
		return nil // the driver does not have it
	}
	return os.WriteFile(driver+"unbind", []byte("gpio-keys"), 0)
}

// portLimit ends the wait for a port that never comes.
const portLimit = time.Minute

// openPort finds the host's serial port by the name that QEMU gave it. The driver
// learns of its ports after it was loaded, from the emulator.
func openPort() (*os.File, error) {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		ports, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return nil, err
		}
		for _, path := range ports {
			name, err := os.ReadFile(path)
			if err != nil || strings.TrimSpace(string(name)) != wire.PortName {
				continue
			}
			port, err := os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(path))), os.O_RDWR, 0)
			if !errors.Is(err, os.ErrNotExist) { // or the device has no node yet
				return port, err
			}
		}
		if time.Since(began) > portLimit {
			return nil, fmt.Errorf("no serial port %s among %d", wire.PortName, len(ports))
		}
	}
}
