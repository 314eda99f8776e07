package boards_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sealcam/sealcam/boards"
)

// tree is a machine as Detect sees it. The names are those of the device trees
// in the sources that each profile lists.
func tree(file string, compatible ...string) fstest.MapFS {
	return fstest.MapFS{file: {Data: []byte(strings.Join(compatible, "\x00") + "\x00")}}
}

var machines = []struct {
	board      string
	compatible []string
}{
	{"raspberrypi-zero-2-w", []string{"raspberrypi,model-zero-2-w", "brcm,bcm2837"}},
	{"raspberrypi-3", []string{"raspberrypi,3-model-b", "brcm,bcm2837"}},
	{"raspberrypi-3", []string{"raspberrypi,3-model-b-plus", "brcm,bcm2837"}},
	{"raspberrypi-4", []string{"raspberrypi,4-model-b", "brcm,bcm2711"}},
	{"raspberrypi-5", []string{"raspberrypi,5-model-b", "brcm,bcm2712"}},
	{"orangepi-zero3", []string{"xunlong,orangepi-zero3", "allwinner,sun50i-h618"}},
	{"nanopi-neo", []string{"friendlyarm,nanopi-neo", "allwinner,sun8i-h3"}},
	{"beaglebone-black", []string{"ti,am335x-bone-black", "ti,am335x-bone", "ti,am33xx"}},
	{"luckfox-pico", []string{"rockchip,rv1103g-38x38-ipc-v10", "rockchip,rv1103"}},
	{"milkv-duo", []string{"milkv,duo", "sophgo,cv1800b"}},
	{"milkv-duo", []string{"cvitek,cv180x"}},
	{"qemu-virt", []string{"linux,dummy-virt"}},
	{boards.None, []string{"rockchip,rv1103g-38x38-ipc-v10", "rockchip,rv1106"}}, // Luckfox Pico Max: another chip
	{boards.None, []string{"pine64,pine64-plus", "allwinner,sun50i-a64"}},
}

func TestDetect(t *testing.T) {
	for _, m := range machines {
		for _, file := range []string{"proc/device-tree/compatible", "sys/firmware/devicetree/base/compatible"} {
			p, why := boards.Detect(tree(file, m.compatible...))
			if p.Name != m.board {
				t.Errorf("%v is %q (%s), expected %q", m.compatible, p.Name, why, m.board)
			}
			if !strings.HasPrefix(why, "/"+file+" says ") {
				t.Errorf("why: %q", why)
			}
		}
	}
	p, why := boards.Detect(fstest.MapFS{})
	if p.Name != boards.None || why != "this machine has no device tree" {
		t.Errorf("a desk computer is %q: %s", p.Name, why)
	}
	for _, hostile := range []string{"", "\x00\x00", strings.Repeat("x", 100000), "raspberrypi,4-model-b-of-someone\x00"} {
		if p, _ := boards.Detect(fstest.MapFS{"proc/device-tree/compatible": {Data: []byte(hostile)}}); p.Name != boards.None {
			t.Errorf("%.20q is %q", hostile, p.Name)
		}
	}
}

// Every profile that comes along is sound, says where its facts are from and
// what was tried, and explains every pin on a header.
func TestEmbedded(t *testing.T) {
	names := boards.Names()
	if len(names) < 11 || names[0] != boards.None {
		t.Fatalf("names: %v", names)
	}
	claimed := map[string]string{}
	for _, name := range names {
		p, err := boards.Named(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, c := range p.Compatible {
			if claimed[c] != "" {
				t.Errorf("%s and %s both claim %s", claimed[c], name, c)
			}
			claimed[c] = name
		}
		if name == boards.None {
			if p.HasPins() {
				t.Error("the board without pins has some")
			}
			continue
		}
		if len(p.Sources) == 0 || len(p.Compatible) == 0 || p.Filter == nil || p.Lamp == nil {
			t.Errorf("%s: sources %v, compatible %v, filter %v, lamp %v", name, p.Sources, p.Compatible, p.Filter, p.Lamp)
		}
		if p.Wiring == boards.Proposed && !strings.HasPrefix(p.Tried, "nothing") {
			t.Errorf("%s claims to be tried: %q", name, p.Tried)
		}
		for _, u := range p.Uses() {
			if u.Where == "" && p.Wiring == boards.Proposed {
				t.Errorf("%s: nobody says where %s is", name, u.Pin)
			}
		}
		if src, err := boards.Source(name); err != nil || !strings.HasPrefix(string(src), "# ") {
			t.Errorf("%s: source %v", name, err)
		}
	}
	if _, err := boards.Named("raspberry"); err == nil || !strings.Contains(err.Error(), "expected one of usb-webcam, beaglebone-black") {
		t.Errorf("an unknown board: %v", err)
	}
	for _, name := range []string{"../pin", "", "profiles/qemu-virt", `..\x`} {
		if _, err := boards.Named(name); err == nil {
			t.Errorf("board %q was found", name)
		}
	}
	if _, err := boards.Source("x"); err == nil {
		t.Error("source of an unknown board")
	}
}

func TestChoose(t *testing.T) {
	pi := tree("proc/device-tree/compatible", "raspberrypi,4-model-b", "brcm,bcm2711")
	virt := tree("proc/device-tree/compatible", "linux,dummy-virt")
	own := filepath.Join(t.TempDir(), "porch.toml")
	src, err := boards.Source("raspberrypi-4")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte(strings.Replace(string(src), "60ms", "40ms", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		setting string
		root    fs.FS
		want    string
		note    string
	}{
		{"", fstest.MapFS{}, boards.None, "no device tree"},
		{"auto", virt, "qemu-virt", "says linux,dummy-virt"},
		{"auto", pi, boards.None, `set board = "raspberrypi-4" to use those pins`},
		{"raspberrypi-4", fstest.MapFS{}, "raspberrypi-4", ""},
		{own, pi, "porch", ""},
	} {
		p, note, err := boards.Choose(tt.setting, tt.root)
		if err != nil {
			t.Errorf("%q: %v", tt.setting, err)
			continue
		}
		if p.Name != tt.want || !strings.Contains(note, tt.note) {
			t.Errorf("%q chose %q (%s), expected %q (%s)", tt.setting, p.Name, note, tt.want, tt.note)
		}
	}
	if p, _, err := boards.Choose(own, pi); err != nil || p.Filter.Pulse.Milliseconds() != 40 {
		t.Errorf("one's own file: %v", err)
	}
	for _, setting := range []string{"nonsense", "/no/such/file.toml"} {
		if _, _, err := boards.Choose(setting, pi); err == nil {
			t.Errorf("%q was chosen", setting)
		}
	}
	if _, _, err := boards.Choose("/no/such/file.toml", pi); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

const sound = `title = "Porch"
tried = "nothing"
wiring = "fixed"

[chips]
"pio" = 32

[filter]
kind = "coil"
day = "pio:1"
night = "pio:2"
pulse = "60ms"

[lamp]
kind = "pin"
pin = "pio:3"

[status]
kind = "led"
led = "ACT"

[button]
pin = "GPIO7"
pull = "up"

[ambient]
kind = "bh1750"
bus = "/dev/i2c-1"
`

func TestSound(t *testing.T) {
	p, err := boards.Parse("dir/porch.toml", []byte(sound))
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "porch" || p.Ambient.Address != 0x23 || p.Button.Long.Seconds() != 3 || p.Button.Reset.Seconds() != 10 {
		t.Errorf("%+v, ambient %+v, button %+v", p, p.Ambient, p.Button)
	}
	var got []string
	for _, u := range p.Uses() {
		got = append(got, u.Key+" "+u.Pin+": "+u.Does)
	}
	want := []string{
		"filter.day pio:1: cut filter to the day side, high for 60ms",
		"filter.night pio:2: cut filter to the night side, high for 60ms",
		"lamp.pin pio:3: infrared lamp, lit when high",
		"button.pin GPIO7: button, pressed when high",
	}
	if !slices.Equal(got, want) {
		t.Errorf("uses:\n%s\nexpected:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRefused changes one thing of a sound profile at a time. Every refusal
// names file, line and what was expected.
func TestRefused(t *testing.T) {
	for _, tt := range []struct{ from, to, line, want string }{
		{`title = "Porch"`, ``, "", "title: expected the board's name"},
		{`tried = "nothing"`, ``, "", "tried: expected what was really tried"},
		{`wiring = "fixed"`, `wiring = "loose"`, "3", `expected one of fixed, proposed, found "loose"`},
		{`kind = "coil"`, `kind = "coils"`, "9", `filter.kind: expected one of level, coil, bridge, found "coils"`},
		{`kind = "coil"`, "kind = \"coil\"\ncolour = 3", "10", "filter.colour: unknown key"},
		{`day = "pio:1"`, ``, "8", `kind "coil" needs day`},
		{`day = "pio:1"`, "day = \"pio:1\"\npin = \"pio:9\"", "11", `kind "coil" has no pin: expected day, night, pulse`},
		{`day = "pio:1"`, `day = "pio:2"`, "11", "filter.night: pio:2 is used twice: filter.day has it already"},
		{`day = "pio:1"`, `day = "pio:32"`, "10", `filter.day: chip "pio" has lines 0 to 31, found 32`},
		{`day = "pio:1"`, `day = "gpio1:1"`, "10", `there is no chip "gpio1" here: [chips] has pio`},
		{`day = "pio:1"`, `day = "pio:x"`, "10", `expected a line as "chip:number"`},
		{`day = "pio:1"`, `day = "pio:-1"`, "10", `expected a line as "chip:number"`},
		{`day = "pio:1"`, `day = 17`, "10", `filter.day: expected`},
		{`pulse = "60ms"`, `pulse = 60`, "12", "expected a duration in quotes"},
		{`pulse = "60ms"`, `pulse = "5s"`, "12", "filter.pulse: expected 10ms to 200ms, found 5s"},
		{`pulse = "60ms"`, ``, "8", `kind "coil" needs pulse`},
		{`pin = "pio:3"`, `pin = ""`, "16", `expected a line as "chip:number"`},
		{`pin = "pio:3"`, `pwm = "pwmchip0:1"`, "14", `kind "pin" needs pin`},
		{"kind = \"pin\"\npin = \"pio:3\"", "kind = \"pwm\"\npwm = \"pwmchip0\"\nperiod = \"40us\"", "16", `expected a channel as "chip:number"`},
		{"kind = \"pin\"\npin = \"pio:3\"", "kind = \"pwm\"\npwm = \"pwmchip0:0\"\nperiod = \"1s\"", "17", "lamp.period: expected 10µs to 10ms, found 1s"},
		{`led = "ACT"`, `led = "../../etc"`, "20", "expected a name below /sys/class/leds"},
		{`led = "ACT"`, `pin = "pio:4"`, "18", `kind "led" needs led`},
		{`pull = "up"`, `pull = "sideways"`, "24", "button.pull: expected one of up, down, none"},
		{`pull = "up"`, "pull = \"up\"\nreset = \"2s\"", "25", "button.reset: expected more than long (3s)"},
		{`pull = "up"`, "pull = \"up\"\nlong = \"10ms\"", "25", "button.long: expected 1s to 30s"},
		{`pin = "GPIO7"`, ``, "22", "a button needs pin"},
		{`kind = "bh1750"`, `kind = "bh1751"`, "27", "ambient.kind: expected one of iio, adc, bh1750"},
		{`bus = "/dev/i2c-1"`, `bus = "/dev/spi"`, "28", `expected a bus such as "/dev/i2c-1"`},
		{`bus = "/dev/i2c-1"`, "bus = \"/dev/i2c-1\"\naddress = 200", "29", "expected an address of 0x08 to 0x77, found 0xc8"},
		{`bus = "/dev/i2c-1"`, "bus = \"/dev/i2c-1\"\ndevice = \"x\"", "29", `kind "bh1750" has no device`},
		{"kind = \"bh1750\"\nbus = \"/dev/i2c-1\"", `kind = "adc"`, "26", `kind "adc" needs d`},
		{`"pio" = 32`, `"pio" = 0`, "6", "expected 1 to 1024 lines"},
		{`[chips]`, "[where]\n\"pio:9\" = \"nowhere\"\n[chips]", "6", `no part of this board uses "pio:9"`},
		{`[chips]`, `[chips`, "5", ""},
		{`[chips]`, "[camera]\ngain_unit = -1\n[chips]", "6", "camera.gain_unit: expected 0 (not known) to 1000000, found -1"},
	} {
		data := strings.Replace(sound, tt.from, tt.to, 1)
		if data == sound {
			t.Fatalf("%q is not in the sound profile", tt.from)
		}
		_, err := boards.Parse("porch.toml", []byte(data))
		if err == nil {
			t.Errorf("%q was taken", tt.to)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, expected %q", tt.to, err, tt.want)
		}
		if place := fmt.Sprintf("porch.toml:%s:", tt.line); tt.line != "" && !strings.Contains(err.Error(), place) {
			t.Errorf("%q: %v, expected place %q", tt.to, err, place)
		}
	}
}

func TestPinNames(t *testing.T) {
	for text, want := range map[string]boards.Pin{
		"pinctrl-bcm2711:17": {Chip: "pinctrl-bcm2711", Line: 17},
		"gpiochip0:0":        {Chip: "gpiochip0"},
		"GPIO17":             {Name: "GPIO17"},
		"P9_14":              {Name: "P9_14"},
	} {
		var p boards.Pin
		if err := p.UnmarshalText([]byte(text)); err != nil || p != want || p.String() != text {
			t.Errorf("%q is %+v (%q), %v", text, p, p.String(), err)
		}
	}
	for _, bad := range []string{"", ":5", "a:", "a:99999999", " x", "x\n", strings.Repeat("x", 65)} {
		var p boards.Pin
		if err := p.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is %+v", bad, p)
		}
	}
	if (boards.Pin{}).String() != "" || (boards.PWM{}).String() != "" || !(boards.Pin{}).IsZero() {
		t.Error("an unnamed pin has a name")
	}
}

// Whatever is in a profile, it is refused or it is sound: every pin has one use.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sound))
	for _, name := range boards.Names() {
		src, err := boards.Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := boards.Parse("fuzz.toml", data)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, u := range p.Uses() {
			if u.Pin == "" || seen[u.Pin] {
				t.Errorf("pin %q of %s is used twice or empty", u.Pin, u.Key)
			}
			seen[u.Pin] = true
		}
		if p.Filter != nil && p.Filter.Kind != "level" && p.Filter.Pulse.Milliseconds() > 200 {
			t.Errorf("a pulse of %v", p.Filter.Pulse)
		}
	})
}
