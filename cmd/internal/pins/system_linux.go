package pins

import (
	"bytes"
	"fmt"
	"log"
	"log/slog"
	"strings"

	"golang.org/x/sys/unix"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	_ "periph.io/x/host/v3/sysfs" // I2C buses
)

// system is this machine, by periph.
type system struct{}

// System starts periph's drivers and returns this machine. Call it early, before
// other parts open files: while the drivers start, periph may close and reuse
// file descriptor 0 (a chip that has two names in /dev, as on the Raspberry Pi;
// periph/host issue 70), so standard input is put back afterwards. What the
// drivers print goes to logger.
func System(logger *slog.Logger) (Host, error) {
	saved, dupErr := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	var said bytes.Buffer
	before := log.Writer()
	log.SetOutput(&said)
	_, err := driverreg.Init()
	log.SetOutput(before)
	for _, line := range strings.Split(strings.TrimSpace(said.String()), "\n") {
		if line != "" {
			logger.Debug("periph", "says", line)
		}
	}
	if dupErr == nil {
		if !sameFile(0, saved) {
			logger.Debug("periph took standard input: put back")
			if err := unix.Dup3(saved, 0, 0); err != nil {
				return nil, fmt.Errorf("standard input was lost: %w", err)
			}
		}
		unix.Close(saved)
	}
	if err != nil {
		return nil, fmt.Errorf("drivers for pins: %w", err)
	}
	return system{}, nil
}

func sameFile(a, b int) bool {
	var sa, sb unix.Stat_t
	return unix.Fstat(a, &sa) == nil && unix.Fstat(b, &sb) == nil && sa.Dev == sb.Dev && sa.Ino == sb.Ino
}

func (system) Sys() string { return "/sys" }

// Bus opens a bus through its character device.
func (system) Bus(path string) (i2c.BusCloser, error) {
	bus, err := i2creg.Open(path)
	if err != nil {
		var have []string
		for _, ref := range i2creg.All() {
			have = append(have, "/dev/i2c-"+fmt.Sprint(ref.Number))
		}
		return nil, fmt.Errorf("bus %s: %w (this machine has %s)", path, err, orNone(have))
	}
	return steady{bus}, nil
}

// steady makes sure that the goroutine's stack does not have to grow within Tx:
// periph hands addresses on it to the kernel as plain numbers.
type steady struct{ i2c.BusCloser }

func (s steady) Tx(addr uint16, w, r []byte) error {
	growStack(0)
	return s.BusCloser.Tx(addr, w, r)
}

//go:noinline
func growStack(i int) byte {
	var room [16 << 10]byte
	room[i] = 1
	return room[len(room)-1-i]
}
