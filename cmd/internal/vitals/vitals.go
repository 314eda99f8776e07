// Package vitals reads how the machine under a camera is: how warm, how worn its
// flash, how much room is left. The kernel is a directory: it reads an fs.FS.
//
// What this package does not do: it judges nothing but what the machine's maker has
// written into the kernel (trip points, spare blocks), keeps nothing, changes
// nothing, and measures nothing itself. What the kernel does not say is absent, and
// no error.
package vitals

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Bounds of what is read: a kernel may list what it likes.
const (
	maxEntries = 32 // of one directory
	maxSensors = 16
	maxFlashes = 4
	maxText    = 256 // bytes of one file
	maxName    = 32
)

// Sensor is one thermometer.
type Sensor struct {
	Name    string  // the kernel's, such as "cpu-thermal"; printable ASCII
	Celsius float64 // now
	// Limit is the temperature, in °C, at which the machine begins to slow down to
	// cool itself; 0 where the kernel does not say.
	Limit float64
}

// Temperatures returns the thermal zones below sys, the root of sysfs, and the
// sensors of hwmon that are no zone too; the warmest first.
// Source: Documentation/driver-api/thermal/sysfs-api.rst and
// Documentation/hwmon/sysfs-interface.rst in the kernel.
func Temperatures(sys fs.FS) []Sensor {
	var all []Sensor
	known := map[string]bool{}
	add := func(s Sensor, ok bool) {
		if key := strings.ReplaceAll(s.Name, "_", "-"); ok && !known[key] && len(all) < maxSensors {
			known[key] = true
			all = append(all, s)
		}
	}
	for _, dir := range list(sys, "class/thermal", "thermal_zone") {
		add(zone(sys, dir))
	}
	for _, dir := range list(sys, "class/hwmon", "hwmon") {
		name := name(text(sys, dir+"/name"))
		for n := 1; n <= 8; n++ {
			file := dir + "/temp" + strconv.Itoa(n)
			s := Sensor{Name: name}
			if label := text(sys, file+"_label"); label != "" {
				s.Name = clean(name + " " + label)
			} else if n > 1 {
				s.Name = clean(name + " " + strconv.Itoa(n))
			}
			var ok bool
			s.Celsius, ok = celsius(sys, file+"_input")
			add(s, ok)
		}
	}
	return warmest(all)
}

// zone reads one thermal zone.
func zone(sys fs.FS, dir string) (s Sensor, ok bool) {
	s.Name = name(text(sys, dir+"/type"))
	if s.Celsius, ok = celsius(sys, dir+"/temp"); !ok {
		return s, false
	}
	for n := range 12 {
		trip := dir + "/trip_point_" + strconv.Itoa(n)
		switch text(sys, trip+"_type") {
		case "passive", "hot":
			// Some zones have a trip at 0 °C or at room temperature that means nothing.
			if at, ok := celsius(sys, trip+"_temp"); ok && at >= 50 && (s.Limit == 0 || at < s.Limit) {
				s.Limit = at
			}
		}
	}
	return s, true
}

// celsius reads a temperature in thousandths of a degree. What no machine
// survives is a sensor that is not there.
func celsius(sys fs.FS, file string) (float64, bool) {
	n, err := strconv.Atoi(text(sys, file))
	c := math.Round(float64(n)/100) / 10
	return c, err == nil && c > -60 && c < 200
}

// Flash is what a soldered eMMC says about its own wear.
type Flash struct {
	Device string  // such as "mmcblk0"
	Used   float64 // share of its life that is gone at most, in tenths; over 1 when it is past it
	Spare  string  // of its spare blocks: "normal", "warning" (80 % used) or "urgent"; "" if it does not say
}

// Flashes returns the devices below sys that tell their wear.
// Source: JEDEC JESD84-B51, 7.4 (DEVICE_LIFE_TIME_EST_TYP_A and _B, PRE_EOL_INFO), as
// Documentation/driver-api/mmc/mmc-dev-attrs.rst has them.
func Flashes(sys fs.FS) (all []Flash) {
	for _, dir := range list(sys, "block", "mmcblk") {
		f := Flash{Device: clean(path.Base(dir))}
		for _, word := range strings.Fields(text(sys, dir+"/device/life_time")) {
			if n, err := strconv.ParseUint(word, 0, 8); err == nil && n >= 1 && n <= 11 {
				f.Used = max(f.Used, float64(n)/10) // of several areas, the most worn
			}
		}
		if n, err := strconv.ParseUint(text(sys, dir+"/device/pre_eol_info"), 0, 8); err == nil && n >= 1 && n <= 3 {
			f.Spare = []string{"normal", "warning", "urgent"}[n-1]
		}
		if (f.Used > 0 || f.Spare != "") && len(all) < maxFlashes {
			all = append(all, f)
		}
	}
	return all
}

// list returns the paths of what is in dir and begins with prefix, in the order
// of the names.
func list(sys fs.FS, dir, prefix string) (paths []string) {
	entries, err := fs.ReadDir(sys, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && len(paths) < maxEntries {
			paths = append(paths, dir+"/"+e.Name())
		}
	}
	return paths
}

// text returns what a small file says, without the white space around; "" if it
// cannot be read.
func text(sys fs.FS, file string) string {
	f, err := sys.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	var b [maxText]byte
	n, _ := f.Read(b[:]) // sysfs gives a file in one read
	return strings.TrimSpace(string(b[:max(n, 0)]))
}

// name is what a sensor is called that may not say it.
func name(s string) string {
	if s = clean(s); s == "" {
		return "unnamed"
	}
	return s
}

// clean keeps what can stand in a line, a label and a message.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, s)
	return s[:min(len(s), maxName)]
}
