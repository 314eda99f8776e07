// Package boards says which pin, bus and file of a board does what for a
// camera: the infrared cut filter, the lamp, the light sensor, the status light
// and the button. A board is a TOML file and no code; a new one is a new file.
//
//	profile, err := boards.Named("raspberrypi-4")       // embedded
//	profile, err := boards.Load("/etc/sealcam/board.toml") // one's own
//	profile, why := boards.Detect(os.DirFS("/"))         // by the device tree
//
// The profiles that come along are read strictly, as one's own are: unknown
// keys, pins used twice, and lines that a chip does not have are refused with
// file, line and what was expected.
//
// What this package does not do: it opens no pin and drives nothing
// (cmd/internal/pins does), knows nothing of pictures or light
// (capture/daynight), and cannot know what is really wired to a header. For
// boards whose header is free, a profile is a proposal, and says so.
package boards

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/boards/toml"
)

//go:embed profiles/*.toml
var embedded embed.FS

// None is the name of the board that needs no pins: any machine with a USB
// camera.
const None = "usb-webcam"

// Wiring says whether a profile's pins are soldered or proposed.
type Wiring string

// The kinds of wiring.
const (
	Fixed    Wiring = "fixed"    // on the board itself: safe to drive wherever the board is found
	Proposed Wiring = "proposed" // on a free header: driven only when the owner names the board
)

// Profile is one board.
type Profile struct {
	Name string `toml:"-"` // the file's name without .toml
	File string `toml:"-"` // where it was read, for errors
	data []byte

	Title      string            `toml:"title"`      // as its maker calls it
	Compatible []string          `toml:"compatible"` // names in the device tree by which it is found
	Wiring     Wiring            `toml:"wiring"`
	Tried      string            `toml:"tried"`   // what was really tried with this profile, in words
	Sources    []string          `toml:"sources"` // where pins and names were looked up
	Setup      []string          `toml:"setup"`   // what has to be done once, such as an overlay
	Chips      map[string]int    `toml:"chips"`   // GPIO chips by label and their number of lines
	Where      map[string]string `toml:"where"`   // pin or PWM channel: where it is found and what is wired to it

	Camera  Camera   `toml:"camera"`
	Filter  *Filter  `toml:"filter"`
	Lamp    *Lamp    `toml:"lamp"`
	Status  *Status  `toml:"status"`
	Button  *Button  `toml:"button"`
	Ambient *Ambient `toml:"ambient"`
}

// Camera is the capture device.
type Camera struct {
	Device string `toml:"device"` // empty: the first that works
	// GainUnit is how many steps of the driver's gain are one time: what the
	// control "gain" says at the lowest gain. 0: not known, gain is not believed.
	GainUnit float64 `toml:"gain_unit"`
}

// Filter is the infrared cut filter.
type Filter struct {
	Kind      string        `toml:"kind"`       // "level", "coil" or "bridge"
	Pin       Pin           `toml:"pin"`        // level: holds the filter
	DayHigh   bool          `toml:"day_high"`   // level, bridge: the level of the day side
	Day       Pin           `toml:"day"`        // coil: a pulse drives it before the sensor
	Night     Pin           `toml:"night"`      // coil: a pulse drives it away
	Direction Pin           `toml:"direction"`  // bridge
	Enable    Pin           `toml:"enable"`     // bridge
	Pulse     toml.Duration `toml:"pulse"`      // coil, bridge: 10 to 200 ms
	ActiveLow bool          `toml:"active_low"` // coil, bridge: pulses are low
}

// Lamp is the infrared lamp.
type Lamp struct {
	Kind      string        `toml:"kind"` // "pin" or "pwm"
	Pin       Pin           `toml:"pin"`
	PWM       PWM           `toml:"pwm"`
	Period    toml.Duration `toml:"period"` // pwm: 10 µs to 10 ms
	ActiveLow bool          `toml:"active_low"`
}

// Status is the light that says what the camera does: README.md has its patterns.
type Status struct {
	Kind      string `toml:"kind"` // "pin" or "led"
	Pin       Pin    `toml:"pin"`
	LED       string `toml:"led"` // name below /sys/class/leds
	ActiveLow bool   `toml:"active_low"`
}

// Button is the one button.
type Button struct {
	Pin       Pin           `toml:"pin"`
	ActiveLow bool          `toml:"active_low"` // pressed is low
	Pull      string        `toml:"pull"`       // "up", "down" or "none"
	Long      toml.Duration `toml:"long"`       // default 3s
	Reset     toml.Duration `toml:"reset"`      // default 10s
}

// Ambient is the sensor of ambient light.
type Ambient struct {
	Kind    string  `toml:"kind"`    // "iio", "adc", "bh1750", "tsl2561", "tsl2591" or "veml7700"
	Device  string  `toml:"device"`  // iio, adc: name or directory below /sys/bus/iio/devices
	Channel int     `toml:"channel"` // adc
	Dark    float64 `toml:"dark"`    // adc: reading in the dark, if light lowers it
	Bus     string  `toml:"bus"`     // I2C: "/dev/i2c-1"
	Address int     `toml:"address"` // I2C: 7 bits; 0 takes the sensor's usual one
	Day     float64 `toml:"day"`     // reading from which it may be day; 0 takes 8 (lux)
}

// Named returns the embedded profile of that name. The error lists all names.
func Named(name string) (*Profile, error) {
	data, err := embedded.ReadFile("profiles/" + name + ".toml")
	if err != nil || strings.ContainsAny(name, `/\`) {
		return nil, fmt.Errorf("there is no board %q: expected one of %s, or a file (a name with a / or .toml in it)", name, strings.Join(Names(), ", "))
	}
	return Parse(name+".toml", data)
}

// Names returns the names of all embedded profiles, the board without pins first.
func Names() []string {
	entries, err := embedded.ReadDir("profiles")
	if err != nil {
		return nil // embedded: cannot fail
	}
	names := []string{None}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".toml"); name != None {
			names = append(names, name)
		}
	}
	return names
}

// Load reads a profile from a file of one's own.
func Load(file string) (*Profile, error) {
	p := &Profile{}
	data, err := toml.DecodeFile(file, p)
	if err != nil {
		return nil, err
	}
	return p.finish(file, data)
}

// Parse reads a profile from data; file stands in errors and gives the name.
func Parse(file string, data []byte) (*Profile, error) {
	p := &Profile{}
	if err := toml.Decode(file, data, p); err != nil {
		return nil, err
	}
	return p.finish(file, data)
}

func (p *Profile) finish(file string, data []byte) (*Profile, error) {
	p.File, p.data = file, data
	p.Name = strings.TrimSuffix(path.Base(strings.ReplaceAll(file, `\`, "/")), ".toml")
	if err := p.check(data); err != nil {
		return nil, err
	}
	return p, nil
}

// maxCompatible bounds what is read of a device tree's compatible.
const maxCompatible = 4096

// Detect finds the board in a file system tree such as os.DirFS("/"), by the
// root node's compatible in the device tree, most specific name first. Why says
// what it went by. On a machine without a device tree, or of an unknown board,
// it is the board without pins.
func Detect(root fs.FS) (p *Profile, why string) {
	none, err := Named(None)
	if err != nil {
		panic(err) // a test loads every embedded profile
	}
	names, file := compatible(root)
	if len(names) == 0 {
		return none, "this machine has no device tree"
	}
	for _, name := range names {
		for _, board := range Names() {
			p, err := Named(board)
			if err == nil && slices.Contains(p.Compatible, name) {
				return p, fmt.Sprintf("%s says %s", file, name)
			}
		}
	}
	return none, fmt.Sprintf("%s says %s, which no profile knows", file, strings.Join(names, ", "))
}

// compatible returns the names that the device tree gives this machine.
func compatible(root fs.FS) (names []string, file string) {
	for _, file := range []string{"proc/device-tree/compatible", "sys/firmware/devicetree/base/compatible"} {
		f, err := root.Open(file)
		if err != nil {
			continue
		}
		defer f.Close()
		buf := make([]byte, maxCompatible)
		n, _ := f.Read(buf)
		for _, name := range strings.Split(string(buf[:n]), "\x00") {
			if name != "" {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			return names, "/" + file
		}
	}
	return nil, ""
}

// Choose returns the board for a setting: "auto" or empty detects it, a name
// with a slash or .toml in it is a file, anything else the name of an embedded
// profile. Note is what a person should know about the choice, and may be empty.
//
// What is detected is used only if its wiring is fixed: on a free header
// something else may be wired to the proposed pins, and driving them could
// break it.
func Choose(setting string, root fs.FS) (p *Profile, note string, err error) {
	switch {
	case setting == "" || setting == "auto":
		found, why := Detect(root)
		if found.Wiring != Proposed {
			return found, why, nil
		}
		none, err := Named(None)
		return none, fmt.Sprintf("%s: this is a %s. Its profile %q proposes how to wire lamp and filter; set board = %q to use those pins", why, found.Title, found.Name, found.Name), err
	case strings.Contains(setting, "/") || strings.HasSuffix(setting, ".toml"):
		p, err = Load(setting)
	default:
		p, err = Named(setting)
	}
	return p, "", err
}

// At gives an error about a key its file and line, as those of reading have.
func (p *Profile) At(key string, err error) error { return toml.At(p.File, p.data, key, err) }

// HasPins says whether the board drives or reads anything besides its camera.
func (p *Profile) HasPins() bool {
	return p.Filter != nil || p.Lamp != nil || p.Status != nil || p.Button != nil || p.Ambient != nil
}

// Source returns an embedded profile as it stands in its file, comments and
// all: the start of one's own.
func Source(name string) ([]byte, error) {
	if _, err := Named(name); err != nil {
		return nil, err
	}
	return embedded.ReadFile("profiles/" + name + ".toml")
}
