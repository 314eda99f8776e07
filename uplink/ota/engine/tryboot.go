package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/sealcam/sealcam/uplink/ota"
)

// Tryboot is a Raspberry Pi whose firmware keeps two boot partitions: autoboot.txt
// names one, and `reboot "0 tryboot"` starts the other, once. A release is an image
// of a boot partition, root file system included, as it is or compressed by gzip.
// Needs a kernel that hands the argument of reboot to the firmware: Raspberry Pi
// OS's does.
type Tryboot struct {
	Autoboot string         // such as "/boot/autoboot.txt", on a partition of its own
	Devices  map[int]string // the two boot partitions by number, as in {2: "/dev/mmcblk0p2", 3: "/dev/mmcblk0p3"}
	// Partition is the file in which the firmware says what it started, a big endian
	// number of 32 bits: BootPartition.
	Partition string
}

// BootPartition is where the firmware says which partition it has started.
const BootPartition = "/proc/device-tree/chosen/bootloader/partition"

// TrybootArgument is what reboot has to be told to start the other partition.
const TrybootArgument = "0 tryboot"

// autobootSize is how long autoboot.txt is made: always the same, in one sector, so
// that to change it is one write. The firmware reads at most 512 bytes.
const autobootSize = 256

// Booted implements Backend. It returns the partition's number.
func (p Tryboot) Booted(context.Context) (string, error) {
	n, err := p.booted()
	return strconv.Itoa(n), err
}

func (p Tryboot) booted() (int, error) {
	b, err := os.ReadFile(p.Partition)
	if err != nil {
		return 0, err
	}
	if len(b) != 4 || p.Devices[int(binary.BigEndian.Uint32(b))] == "" {
		return 0, fmt.Errorf("%s: none of the two boot partitions: %x", p.Partition, b[:min(len(b), 8)])
	}
	return int(binary.BigEndian.Uint32(b)), nil
}

func (p Tryboot) other() (int, error) {
	running, err := p.booted()
	for n := range p.Devices {
		if n != running {
			return n, err
		}
	}
	return 0, errors.Join(err, errors.New("there is no other boot partition"))
}

// Write implements Backend.
func (p Tryboot) Write(ctx context.Context, r ota.Release, path string) error {
	other, err := p.other()
	if err != nil {
		return err
	}
	return writeImage(ctx, r, path, p.Devices[other])
}

// Activate implements Backend: autoboot.txt names the other partition for the
// start that reboot is told to make with TrybootArgument.
func (p Tryboot) Activate(context.Context) error {
	running, err := p.booted()
	if err != nil {
		return err
	}
	other, err := p.other()
	if err != nil {
		return err
	}
	return p.write(running, other)
}

// Good implements Backend.
func (p Tryboot) Good(ctx context.Context) error { return p.Activate(ctx) }

// Bad implements Backend: the next start is none of tryboot's.
func (p Tryboot) Bad(context.Context) error { return nil }

// write makes autoboot.txt name the partition of all starts, and that of a trial.
func (p Tryboot) write(always, trial int) error {
	text := fmt.Appendf(nil, "[all]\ntryboot_a_b=1\nboot_partition=%d\n[tryboot]\nboot_partition=%d\n", always, trial)
	text = append(text, bytes.Repeat([]byte{'\n'}, autobootSize-len(text))...)
	if now, err := os.ReadFile(p.Autoboot); err == nil && bytes.Equal(now, text) {
		return nil
	}
	f, err := os.OpenFile(p.Autoboot, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	return errors.Join(err, f.Truncate(autobootSize), f.Sync(), f.Close())
}
