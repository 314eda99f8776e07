package engine

import (
	"fmt"
	"strconv"
	"strings"
)

// The files of a running board.
const (
	cmdline  = "/proc/cmdline"
	autoboot = "/boot/autoboot.txt"
)

// Named returns the backend that settings name: "uboot" for our own images, "rauc",
// "swupdate" (args are handed to it), "mender" (args may name its program) or
// "tryboot" (args are its two boot partitions, as in "2=/dev/mmcblk0p2").
func Named(name string, args []string) (Backend, error) {
	switch name {
	case "uboot":
		return OurImages(), nil
	case "rauc":
		return RAUC{}, nil
	case "swupdate":
		return SWUpdate{Args: args, Cmdline: cmdline}, nil
	case "mender":
		m := Mender{Program: "mender-update", Cmdline: cmdline}
		if len(args) > 0 {
			m.Program = args[0]
		}
		return m, nil
	case "tryboot":
		p := Tryboot{Autoboot: autoboot, Devices: map[int]string{}, Partition: BootPartition}
		for _, arg := range args {
			number, device, _ := strings.Cut(arg, "=")
			n, err := strconv.Atoi(number)
			if err != nil || !strings.HasPrefix(device, "/") {
				return nil, fmt.Errorf("expected a boot partition such as 2=/dev/mmcblk0p2, found %q", arg)
			}
			p.Devices[n] = device
		}
		if len(p.Devices) != 2 {
			return nil, fmt.Errorf("expected the two boot partitions, as in 2=/dev/mmcblk0p2, found %d", len(p.Devices))
		}
		return p, nil
	}
	return nil, fmt.Errorf("there is no engine %q", name)
}
