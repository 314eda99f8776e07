package pins

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"

	"periph.io/x/conn/v3/gpio"
)

// Light is a status light: a pin, or a light that a kernel driver holds.
type Light struct {
	pin  gpio.PinOut
	on   gpio.Level
	root *os.Root // of the LED's directory, when there is no pin
	full []byte   // brightness of a lit LED
}

// openLED takes a light over from whatever trigger blinks it.
func openLED(class, name string) (*Light, error) {
	root, err := os.OpenRoot(class + "/" + name)
	if err != nil {
		names := "none"
		if entries, derr := os.ReadDir(class); derr == nil && len(entries) > 0 {
			names = ""
			for i, e := range entries {
				if i > 0 {
					names += ", "
				}
				names += e.Name()
			}
		}
		return nil, fmt.Errorf("there is no light %q: this machine has %s", name, names)
	}
	l := &Light{root: root, full: []byte("255")}
	if b, err := fs.ReadFile(root.FS(), "max_brightness"); err == nil && len(b) <= 16 {
		l.full = bytes.TrimSpace(b)
	}
	if err := l.store("trigger", []byte("none")); err != nil {
		root.Close()
		return nil, err
	}
	return l, nil
}

// Set switches the light.
func (l *Light) Set(on bool) error {
	if l.pin != nil {
		if on {
			return l.pin.Out(l.on)
		}
		return l.pin.Out(!l.on)
	}
	if on {
		return l.store("brightness", l.full)
	}
	return l.store("brightness", []byte("0"))
}

func (l *Light) store(file string, value []byte) error {
	f, err := l.root.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("status light: %w", err)
	}
	_, err = f.Write(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("status light: %w", err)
	}
	return nil
}
