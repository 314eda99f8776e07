package daynight

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Ambient is a sensor of ambient light.
type Ambient interface {
	// Read returns the light now, in a unit of the sensor's own that grows with
	// it: lux where the sensor knows. It must not block for long.
	Read() (float64, error)
}

// IIO reads a light sensor that a kernel driver serves in sysfs
// (Documentation/ABI/testing/sysfs-bus-iio): in_illuminance_input, or raw,
// offset and scale. The unit is lux.
type IIO struct {
	fsys fs.FS
	dir  string
	stem string // "in_illuminance" or "in_illuminance0"
}

// maxSysfs bounds what is read of one sysfs file.
const maxSysfs = 256

// OpenIIO finds a light sensor in fsys, the tree of /sys/bus/iio/devices. Name
// is the sensor's name as in its file "name", or its directory; empty takes the
// only one there is. The error lists what exists.
func OpenIIO(fsys fs.FS, name string) (*IIO, error) {
	var found []string
	var hit *IIO
	err := eachIIO(fsys, func(dir, device string) {
		for _, stem := range []string{"in_illuminance", "in_illuminance0"} {
			if !exists(fsys, path.Join(dir, stem+"_input")) && !exists(fsys, path.Join(dir, stem+"_raw")) {
				continue
			}
			found = append(found, fmt.Sprintf("%s (%s)", device, dir))
			if name == "" || name == device || name == dir {
				hit = &IIO{fsys, dir, stem}
			}
			return
		}
	})
	switch {
	case err != nil:
		return nil, err
	case hit == nil:
		return nil, fmt.Errorf("no light sensor %q in /sys/bus/iio/devices: there is %s", name, listed(found))
	case name == "" && len(found) > 1:
		return nil, fmt.Errorf("several light sensors in /sys/bus/iio/devices, name one: %s", listed(found))
	}
	return hit, nil
}

// Read returns lux.
func (s *IIO) Read() (float64, error) {
	file := func(kind string) string { return path.Join(s.dir, s.stem+kind) }
	lux, err := number(s.fsys, file("_input"))
	if errors.Is(err, fs.ErrNotExist) {
		lux, err = scaled(s.fsys, file("_raw"), file("_offset"), file("_scale"))
	}
	return checked(lux, err)
}

// ADC reads a photoresistor or photodiode on an analogue input that a kernel
// driver serves in sysfs. The unit is millivolts where the driver tells its
// scale, else counts.
type ADC struct {
	fsys     fs.FS
	dir      string
	channel  int
	darkness float64 // above 0: reading in the dark, and light lowers it
}

// OpenADC finds an analogue input in fsys, the tree of /sys/bus/iio/devices.
// Name is the converter's name or directory. Dark above 0 says that light lowers the
// voltage, from this value in darkness; what is read is then what is missing.
func OpenADC(fsys fs.FS, name string, channel int, dark float64) (*ADC, error) {
	var found []string
	var hit *ADC
	file := fmt.Sprintf("in_voltage%d_raw", channel)
	err := eachIIO(fsys, func(dir, device string) {
		raws, _ := fs.Glob(fsys, path.Join(escaped(dir), "in_voltage*_raw"))
		if len(raws) == 0 {
			return
		}
		found = append(found, fmt.Sprintf("%s (%s) with %d inputs", device, dir, len(raws)))
		if (name == device || name == dir) && exists(fsys, path.Join(dir, file)) {
			hit = &ADC{fsys, dir, channel, dark}
		}
	})
	if err == nil && hit == nil {
		err = fmt.Errorf("no analogue input %d of %q in /sys/bus/iio/devices: there is %s", channel, name, listed(found))
	}
	if err != nil {
		return nil, err
	}
	return hit, nil
}

// Read returns the voltage, or what light takes from the dark voltage.
func (s *ADC) Read() (float64, error) {
	stem := path.Join(s.dir, fmt.Sprintf("in_voltage%d", s.channel))
	scale := stem + "_scale"
	if !exists(s.fsys, scale) {
		scale = path.Join(s.dir, "in_voltage_scale")
	}
	v, err := checked(scaled(s.fsys, stem+"_raw", stem+"_offset", scale))
	if s.darkness > 0 {
		v = max(0, s.darkness-v)
	}
	return v, err
}

// eachIIO calls visit for every IIO device with its directory and name.
func eachIIO(fsys fs.FS, visit func(dir, device string)) error {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return fmt.Errorf("no IIO sensors on this machine: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "iio:device") {
			continue
		}
		name, err := text(fsys, path.Join(e.Name(), "name"))
		if err != nil {
			name = e.Name()
		}
		visit(e.Name(), name)
	}
	return nil
}

// scaled returns (raw + offset) * scale; a missing offset is 0, a missing scale 1.
func scaled(fsys fs.FS, raw, offset, scale string) (float64, error) {
	v, err := number(fsys, raw)
	if err != nil {
		return 0, err
	}
	if o, err := number(fsys, offset); err == nil {
		v += o
	}
	if s, err := number(fsys, scale); err == nil {
		v *= s
	}
	return v, nil
}

func checked(v float64, err error) (float64, error) {
	if err == nil && !(math.Abs(v) < 1e9) { // nor is it a number, perhaps
		err = fmt.Errorf("light sensor reads %v", v)
	}
	if err != nil {
		return 0, err
	}
	return max(0, v), nil
}

func number(fsys fs.FS, file string) (float64, error) {
	t, err := text(fsys, file)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: expected a number, found %.40q", file, t)
	}
	return v, nil
}

func text(fsys fs.FS, file string) (string, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var buf [maxSysfs]byte
	n, err := f.Read(buf[:])
	if n == 0 && err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return strings.TrimSpace(string(buf[:n])), nil
}

func exists(fsys fs.FS, file string) bool {
	_, err := fs.Stat(fsys, file)
	return err == nil
}

// escaped quotes what a pattern would take for a wildcard.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

func listed(found []string) string {
	if len(found) == 0 {
		return "none"
	}
	return strings.Join(found, ", ")
}
