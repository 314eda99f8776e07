package pins

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"

	"github.com/sealcam/sealcam/boards"
)

// Line finds a line by chip and number, or by name, and refuses one that
// another program or driver uses.
func (system) Line(want boards.Pin) (gpio.PinIO, error) {
	if len(gpioioctl.Chips) == 0 {
		return nil, errors.New("this machine has no GPIO chip that may be opened: is there a /dev/gpiochip0, and are you in group gpio?")
	}
	line, err := find(gpioioctl.Chips, want)
	if err != nil {
		return nil, err
	}
	if by := line.Consumer(); by != "" {
		return nil, fmt.Errorf("%s is in use by %q", want, by)
	}
	return line, nil
}

func find(chips []*gpioioctl.GPIOChip, want boards.Pin) (*gpioioctl.GPIOLine, error) {
	if want.Chip == "" {
		return findName(chips, want.Name)
	}
	var have []string
	for _, chip := range chips {
		if chip.Label() != want.Chip && chip.Name() != want.Chip {
			have = append(have, fmt.Sprintf("%s (%s, %d lines)", chip.Label(), chip.Name(), chip.LineCount()))
			continue
		}
		if want.Line >= chip.LineCount() {
			return nil, fmt.Errorf("chip %q has lines 0 to %d, found %d", want.Chip, chip.LineCount()-1, want.Line)
		}
		return chip.ByNumber(want.Line), nil
	}
	sort.Strings(have)
	return nil, fmt.Errorf("there is no chip %q: this machine has %s", want.Chip, orNone(have))
}

// findName finds the one line of that name, whatever follows a blank.
func findName(chips []*gpioioctl.GPIOChip, name string) (*gpioioctl.GPIOLine, error) {
	var hits []*gpioioctl.GPIOLine
	for _, chip := range chips {
		for _, line := range chip.Lines() {
			first, _, _ := strings.Cut(line.Name(), " ")
			if line.Name() == name || first == name {
				hits = append(hits, line)
			}
		}
	}
	switch len(hits) {
	case 0:
		return nil, fmt.Errorf("there is no line named %q: gpioinfo shows the names", name)
	case 1:
		return hits[0], nil
	}
	return nil, fmt.Errorf("%d lines are named %q: write chip:number instead", len(hits), name)
}

func orNone(have []string) string {
	if len(have) == 0 {
		return "none"
	}
	return strings.Join(have, ", ")
}
