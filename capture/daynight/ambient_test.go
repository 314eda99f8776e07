package daynight_test

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/sealcam/sealcam/capture/daynight"
)

func tree(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

var iio = map[string]string{
	"iio:device0/name":                  "adc0\n",
	"iio:device0/in_voltage0_raw":       "1000\n",
	"iio:device0/in_voltage1_raw":       "600\n",
	"iio:device0/in_voltage_scale":      "0.439453125\n",
	"iio:device1/name":                  "tsl2591\n",
	"iio:device1/in_illuminance_input":  "12.75\n",
	"iio:device2/name":                  "veml7700\n",
	"iio:device2/in_illuminance_raw":    "200\n",
	"iio:device2/in_illuminance_scale":  "0.0672\n",
	"iio:device2/in_illuminance_offset": "-100\n",
	"trigger0/name":                     "irrelevant\n",
}

func read(t *testing.T, a daynight.Ambient, err error) float64 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.Read()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-3*max(1, math.Abs(b)) }

func TestIIO(t *testing.T) {
	fsys := tree(iio)
	for name, want := range map[string]float64{"tsl2591": 12.75, "iio:device2": 6.72, "veml7700": 6.72} {
		s, err := daynight.OpenIIO(fsys, name)
		if got := read(t, s, err); !near(got, want) {
			t.Errorf("%s reads %g, expected %g", name, got, want)
		}
	}
	for _, tt := range []struct {
		fsys fstest.MapFS
		name string
		want string
	}{
		{fsys, "bh1750", `no light sensor "bh1750" in /sys/bus/iio/devices: there is tsl2591 (iio:device1), veml7700 (iio:device2)`},
		{fsys, "", "several light sensors in /sys/bus/iio/devices, name one: tsl2591 (iio:device1), veml7700 (iio:device2)"},
		{fstest.MapFS{}, "", "there is none"},
	} {
		if _, err := daynight.OpenIIO(tt.fsys, tt.name); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, expected %q", tt.name, err, tt.want)
		}
	}
	delete(fsys, "iio:device2/in_illuminance_raw")
	s, err := daynight.OpenIIO(fsys, "")
	if got := read(t, s, err); got != 12.75 {
		t.Errorf("the only sensor reads %g", got)
	}
	for _, bad := range []string{"", "abc", "NaN", "inf", strings.Repeat("9", 1000)} {
		fsys["iio:device1/in_illuminance_input"].Data = []byte(bad)
		if v, err := s.Read(); err == nil {
			t.Errorf("a sensor that says %.10q reads %g", bad, v)
		}
	}
	fsys["iio:device1/in_illuminance_input"].Data = []byte("-3")
	if v, err := s.Read(); v != 0 || err != nil {
		t.Errorf("a negative reading: %g, %v", v, err)
	}
}

func TestADC(t *testing.T) {
	fsys := tree(iio)
	s, err := daynight.OpenADC(fsys, "adc0", 0, 0)
	if got := read(t, s, err); !near(got, 439.453) {
		t.Errorf("input 0 reads %g mV", got)
	}
	s, err = daynight.OpenADC(fsys, "iio:device0", 1, 1800)
	if got := read(t, s, err); !near(got, 1800-263.671875) {
		t.Errorf("a photoresistor to ground reads %g", got)
	}
	fsys["iio:device0/in_voltage1_scale"] = fsys["iio:device0/in_voltage_scale"]
	delete(fsys, "iio:device0/in_voltage_scale")
	if got := read(t, s, nil); !near(got, 1800-263.671875) {
		t.Errorf("with a scale of its own: %g", got)
	}
	if _, err := daynight.OpenADC(fsys, "adc0", 5, 0); err == nil || !strings.Contains(err.Error(), `no analogue input 5 of "adc0" in /sys/bus/iio/devices: there is adc0 (iio:device0) with 2 inputs`) {
		t.Errorf("input 5: %v", err)
	}
}

type ops = []i2ctest.IO

// TestI2CSensors plays recorded buses back: what is written, what is read, and
// the lux of the data sheet's formula worked out by hand.
func TestI2CSensors(t *testing.T) {
	for _, tt := range []struct {
		name string
		ops  ops
		open func(*i2ctest.Playback) (daynight.Ambient, error)
		want float64
	}{
		{"BH1750", ops{{Addr: 0x23, W: []byte{0x01}}, {Addr: 0x23, W: []byte{0x11}}, {Addr: 0x23, R: []byte{0x83, 0x90}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewBH1750(b, 0x23) }, 33680 / 2.4},
		{"TSL2561 daylight", ops{{Addr: 0x39, W: []byte{0x80, 0x03}}, {Addr: 0x39, W: []byte{0x81, 0x12}}, {Addr: 0x39, W: []byte{0x9c}, R: []byte{0xe8, 0x03, 0xfa, 0x00}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2561(b, 0x39) }, 1000 * (0.0304 - 0.062*math.Pow(0.25, 1.4))},
		{"TSL2561 fluorescent", ops{{Addr: 0x39, W: []byte{0x80, 0x03}}, {Addr: 0x39, W: []byte{0x81, 0x12}}, {Addr: 0x39, W: []byte{0x9c}, R: []byte{0xe8, 0x03, 0x26, 0x02}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2561(b, 0x39) }, 22.4 - 0.031*550},
		{"TSL2561 incandescent", ops{{Addr: 0x39, W: []byte{0x80, 0x03}}, {Addr: 0x39, W: []byte{0x81, 0x12}}, {Addr: 0x39, W: []byte{0x9c}, R: []byte{0xe8, 0x03, 0xbc, 0x02}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2561(b, 0x39) }, 12.8 - 0.0153*700},
		{"TSL2561 its own lamp only", ops{{Addr: 0x39, W: []byte{0x80, 0x03}}, {Addr: 0x39, W: []byte{0x81, 0x12}}, {Addr: 0x39, W: []byte{0x9c}, R: []byte{0xe8, 0x03, 0x78, 0x05}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2561(b, 0x39) }, 0},
		{"TSL2561 sun", ops{{Addr: 0x39, W: []byte{0x80, 0x03}}, {Addr: 0x39, W: []byte{0x81, 0x12}}, {Addr: 0x39, W: []byte{0x9c}, R: []byte{0xff, 0xff, 0xff, 0xff}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2561(b, 0x39) }, 65535 * 0.0304},
		{"TSL2561 black", ops{{Addr: 0x39, W: []byte{0x80, 0x03}}, {Addr: 0x39, W: []byte{0x81, 0x12}}, {Addr: 0x39, W: []byte{0x9c}, R: []byte{0, 0, 0, 0}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2561(b, 0x39) }, 0},
		{"TSL2591", ops{{Addr: 0x29, W: []byte{0xb2}, R: []byte{0x50}}, {Addr: 0x29, W: []byte{0xa1, 0x12}}, {Addr: 0x29, W: []byte{0xa0, 0x03}}, {Addr: 0x29, W: []byte{0xb4}, R: []byte{0xe8, 0x03, 0xc8, 0x00}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2591(b, 0x29) }, 800 * 0.8 / (300 * 25 / 408.0)},
		{"TSL2591 sun", ops{{Addr: 0x29, W: []byte{0xb2}, R: []byte{0x50}}, {Addr: 0x29, W: []byte{0xa1, 0x12}}, {Addr: 0x29, W: []byte{0xa0, 0x03}}, {Addr: 0x29, W: []byte{0xb4}, R: []byte{0xff, 0xff, 0xff, 0xff}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewTSL2591(b, 0x29) }, 65535 / (300 * 25 / 408.0)},
		{"VEML7700", ops{{Addr: 0x10, W: []byte{0, 0, 0}}, {Addr: 0x10, W: []byte{0x04}, R: []byte{0x39, 0x05}}},
			func(b *i2ctest.Playback) (daynight.Ambient, error) { return daynight.NewVEML7700(b, 0x10) }, 1337 * 0.0672},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bus := &i2ctest.Playback{Ops: tt.ops, DontPanic: true}
			s, err := tt.open(bus)
			if got := read(t, s, err); !near(got, tt.want) {
				t.Errorf("%g lx, expected %g", got, tt.want)
			}
			if err := bus.Close(); err != nil {
				t.Error(err)
			}
			// The bus falls silent.
			if _, err := s.Read(); err == nil || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("a silent sensor: %v", err)
			}
		})
	}
	bus := &i2ctest.Playback{Ops: ops{{Addr: 0x29, W: []byte{0xb2}, R: []byte{0x0a}}}, DontPanic: true}
	if _, err := daynight.NewTSL2591(bus, 0x29); err == nil || !strings.Contains(err.Error(), "no TSL2591: it says 0x0a, expected 0x50") {
		t.Errorf("another part at its address: %v", err)
	}
	for name, open := range map[string]func() (daynight.Ambient, error){
		"BH1750":  func() (daynight.Ambient, error) { return daynight.NewBH1750(&i2ctest.Playback{DontPanic: true}, 0x23) },
		"TSL2561": func() (daynight.Ambient, error) { return daynight.NewTSL2561(&i2ctest.Playback{DontPanic: true}, 0x39) },
		"TSL2591": func() (daynight.Ambient, error) { return daynight.NewTSL2591(&i2ctest.Playback{DontPanic: true}, 0x29) },
		"VEML7700": func() (daynight.Ambient, error) {
			return daynight.NewVEML7700(&i2ctest.Playback{DontPanic: true}, 0x10)
		},
	} {
		if _, err := open(); err == nil || !strings.Contains(err.Error(), name+" at address 0x") {
			t.Errorf("an empty bus: %v", err)
		}
	}
}
