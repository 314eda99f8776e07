package boardtool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/pins"
)

// desk is a board on a desk: pins, and a camera whose picture follows them.
type desk struct {
	lines   map[string]*gpiotest.Pin
	bus     *i2ctest.Playback
	open    bool    // the filter is away
	ambient float64 // light with and without infrared
	red     float64
	lamp    float64
	dead    bool // the lamp
	always  bool // the lamp is lit when its pin is low
	swapped bool // day and night of the filter
	stuck   bool // the filter
	mono    time.Duration
	expose  float64
}

func (d *desk) Line(p boards.Pin) (gpio.PinIO, error) {
	if d.lines == nil {
		d.lines = map[string]*gpiotest.Pin{}
	}
	if d.lines[p.String()] == nil {
		d.lines[p.String()] = &gpiotest.Pin{N: p.String()}
	}
	l := d.lines[p.String()]
	return &coil{Pin: l, d: d, name: p.String()}, nil
}

// coil moves the filter when its pin pulses.
type coil struct {
	*gpiotest.Pin
	d    *desk
	name string
}

func (c *coil) Out(l gpio.Level) error {
	if l == gpio.High && !c.d.stuck {
		switch c.name {
		case "9030000.pl061:0":
			c.d.open = c.d.swapped
		case "9030000.pl061:1":
			c.d.open = !c.d.swapped
		}
	}
	return c.Pin.Out(l)
}

type bus struct{ *i2ctest.Playback }

func (bus) Close() error { return nil }

func (d *desk) Bus(string) (i2c.BusCloser, error) {
	if d.bus == nil {
		return nil, errors.New("no bus")
	}
	return bus{d.bus}, nil
}
func (*desk) Sys() string { return "/nonexistent" }

// desk is a camera of 64x36 grey pixels at 10 frames a second, with exposure
// that follows within a second.
func (*desk) Format() capture.Format {
	return capture.Format{Pixel: capture.Grey, Width: 64, Height: 36, Stride: 64, Rate: 10}
}
func (*desk) Close() error { return nil }

func (d *desk) Next(_ context.Context, f *capture.Frame) error {
	light := d.ambient
	if d.open {
		light += d.red
		if pin := d.lines["9030000.pl061:2"]; pin != nil && !d.dead && pin.L != gpio.Level(d.always) {
			light += d.lamp
		}
	}
	level := 255 * math.Pow(min(1, light*d.expose), 1/2.2)
	d.expose = max(1e-4, min(50, d.expose*math.Pow(0.16/max(0.001, light*d.expose), 0.15)))
	f.Format, f.Mono = d.Format(), d.mono
	f.Data = bytes.Repeat([]byte{uint8(level)}, 64*36)
	d.mono += 100 * time.Millisecond
	return nil
}

func (d *desk) command() Tool {
	return Tool{
		Program: "sealcam",
		Root:    fstest.MapFS{"proc/device-tree/compatible": {Data: []byte("linux,dummy-virt\x00")}},
		Host:    func(*slog.Logger) (pins.Host, error) { return d, nil },
		Open: func(_ context.Context, name string) (capture.Camera, error) {
			if name == "/dev/none" {
				return nil, capture.ErrNoDevice
			}
			return d, nil
		},
	}
}

// say runs "sealcam board ARGS" with answers on standard input.
func (d *desk) say(t *testing.T, answers string, args ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &cli.Env{Stdin: strings.NewReader(answers), Stdout: &stdout, Stderr: &stderr}
	if d.expose == 0 {
		d.expose = 1
	}
	code = cli.Report(env, "sealcam", d.command().Run(t.Context(), env, args))
	return stdout.String() + stderr.String(), code
}

func wants(t *testing.T, out string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}

func TestBoardList(t *testing.T) {
	out, code := new(desk).say(t, "", "list")
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	wants(t, out, "  BOARD", "* qemu-virt", "  raspberrypi-4         Raspberry Pi 4 Model B         proposed  no",
		"* this machine: /proc/device-tree/compatible says linux,dummy-virt")
	for _, name := range boards.Names() {
		wants(t, out, " "+name+" ")
	}
}

func TestBoardShow(t *testing.T) {
	d := new(desk)
	out, code := d.say(t, "", "show", "raspberrypi-4")
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	wants(t, out, "Raspberry Pi 4 Model B", "proposed: this header is free", "nothing: written from documents",
		"pinctrl-bcm2711:17", "cut filter to the day side, high for 60ms", "header pin 11 (GPIO17): H-bridge input 1",
		"fe20c000.pwm:0", "header pin 32 (GPIO12)", "dtoverlay=pwm,pin=12,func=4", "/sys/class/leds/ACT", "github.com/WiringPi/WiringPi issue 280")
	out, _ = d.say(t, "", "show")
	wants(t, out, "QEMU virt", "fixed: these pins are soldered")
	out, _ = d.say(t, "", "show", "usb-webcam")
	wants(t, out, "none: no pins are needed")

	// What --source prints is a profile again.
	out, _ = d.say(t, "", "show", "--source", "nanopi-neo")
	if _, err := boards.Parse("copy.toml", []byte(out)); err != nil {
		t.Errorf("the printed source: %v", err)
	}
	out, code = d.say(t, "", "show", "raspberry")
	wants(t, out, `there is no board "raspberry": expected one of usb-webcam`)
	if code != 1 {
		t.Errorf("an unknown board: exit %d", code)
	}
	if _, code = d.say(t, "", "show", "a", "b"); code != 2 {
		t.Errorf("two boards: exit %d", code)
	}
}

func TestBoardTest(t *testing.T) {
	for _, tt := range []struct {
		name    string
		desk    desk
		answers string
		code    int
		want    []string
	}{
		{"all is well", desk{ambient: 0.05, red: 0.05, lamp: 0.3}, "y\n", 0,
			[]string{"ok    cut filter    picture x", "ok    lamp          picture x", "ok    status light  lit", "Everything works"}},
		{"swapped filter", desk{ambient: 0.05, red: 0.05, lamp: 0.3, swapped: true}, "y\ny\n", 1,
			[]string{"FAIL  cut filter    its sides are swapped", "Exchange day and night", "not everything on this board works"}},
		{"stuck filter", desk{ambient: 0.05, red: 0.05, lamp: 0.3, stuck: true}, "y\nn\nn\n", 1,
			[]string{"FAIL  cut filter    it does not move"}},
		{"dead lamp", desk{ambient: 0.05, red: 0.05, lamp: 0.3, dead: true}, "y\nn\n", 1,
			[]string{"ok    cut filter", "FAIL  lamp          it did not light: another pin, or the lamp is dead"}},
		{"dead lamp in the dark, nobody there", desk{ambient: 0.0001, red: 0.0001, lamp: 0.3, dead: true}, "", 1,
			[]string{"FAIL  lamp          it does not brighten a dark picture"}},
		{"inverted lamp", desk{ambient: 0.05, red: 0.05, lamp: 0.3, always: true}, "y\ny\n", 1,
			[]string{"FAIL  lamp          it is lit when it should be off", "Turn active_low round"}},
		{"bright sun, nobody there", desk{ambient: 30, red: 40, lamp: 0.3}, "", 0,
			[]string{"ok    cut filter", "?     lamp          nobody was asked: The picture did not tell", "Nothing failed; 2 parts could not be told"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			board := withoutButton(t, "")
			out, code := tt.desk.say(t, tt.answers, "test", board)
			if code != tt.code {
				t.Errorf("exit %d, expected %d", code, tt.code)
			}
			wants(t, out, tt.want...)
			if l := tt.desk.lines["9030000.pl061:2"]; l.L != gpio.Low {
				t.Error("the lamp's pin is high at the end")
			}
		})
	}
}

// withoutButton writes the emulated board's profile without its button, which
// takes 15 s, and with more, into a file.
func withoutButton(t *testing.T, more string) string {
	t.Helper()
	src, err := boards.Source("qemu-virt")
	if err != nil {
		t.Fatal(err)
	}
	text := string(src)
	from := strings.Index(text, "[button]") // [where] follows it
	file := filepath.Join(t.TempDir(), "desk.toml")
	if err := os.WriteFile(file, []byte(text[:from]+more), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBoardTestWithoutCamera(t *testing.T) {
	out, code := new(desk).say(t, "y\ny\ny\n", "test", "--source", "none", withoutButton(t, ""))
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	wants(t, out, "Did you hear it click?", "ok    cut filter", "Is the lamp lit?", "ok    lamp")
	out, code = new(desk).say(t, "", "test", "--source", "none", "--alone", withoutButton(t, ""))
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	wants(t, out, "?     status light  nobody was asked")
	out, code = new(desk).say(t, "", "test", "--source", "/dev/none", withoutButton(t, ""))
	wants(t, out, "no such camera", "without a camera: --source none")
	if code != 1 {
		t.Errorf("exit %d", code)
	}
}

func TestBoardTestLightSensor(t *testing.T) {
	const more = "\n[ambient]\nkind = \"bh1750\"\nbus = \"/dev/i2c-1\"\n"
	opening := []i2ctest.IO{{Addr: 0x23, W: []byte{1}}, {Addr: 0x23, W: []byte{0x11}}}
	reading := func(b byte) i2ctest.IO { return i2ctest.IO{Addr: 0x23, R: []byte{0, b}} }
	for _, tt := range []struct {
		open, covered byte
		want          string
	}{
		{240, 24, "ok    light sensor  100 open, 10 covered"},
		{24, 240, "FAIL  light sensor  10 open, 100 covered: light lowers it"},
		{240, 240, "FAIL  light sensor  100 open, 100 covered: it does not see light"},
	} {
		d := desk{bus: &i2ctest.Playback{DontPanic: true, Ops: append(opening[:2:2], reading(tt.open), reading(tt.covered))}}
		out, _ := d.say(t, "y\ny\ny\n\n", "test", "--source", "none", withoutButton(t, more))
		wants(t, out, tt.want)
	}
	out, code := new(desk).say(t, "y\ny\ny\n", "test", "--source", "none", withoutButton(t, more))
	wants(t, out, "FAIL  light sensor  the light sensor does not answer")
	if code != 1 {
		t.Errorf("exit %d", code)
	}
}

func TestBoardPark(t *testing.T) {
	d := new(desk)
	out, code := d.say(t, "", "park", "auto")
	if code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	wants(t, out, "parked qemu-virt: lamp off")
	if len(d.lines) < 3 {
		t.Errorf("%d lines were driven", len(d.lines))
	}
	out, code = d.say(t, "", "park", boards.None)
	wants(t, out, "board usb-webcam has no pins")
	if code != 1 {
		t.Errorf("exit %d", code)
	}
	if _, code = d.say(t, "", "park"); code != 2 {
		t.Errorf("no board: exit %d", code)
	}
	broken := Tool{Root: fstest.MapFS{}, Host: func(*slog.Logger) (pins.Host, error) { return nil, fmt.Errorf("out of order") }}
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)}
	if err := broken.Run(t.Context(), env, []string{"park", "qemu-virt"}); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("broken drivers: %v", err)
	}
}
