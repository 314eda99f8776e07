package vitals

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// tree makes a file system of path and content.
func tree(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// A board as a Raspberry Pi 4 shows itself, with an eMMC beside.
var board = map[string]string{
	"class/thermal/thermal_zone0/type":              "cpu-thermal\n",
	"class/thermal/thermal_zone0/temp":              "48312\n",
	"class/thermal/thermal_zone0/trip_point_0_type": "passive\n",
	"class/thermal/thermal_zone0/trip_point_0_temp": "80000\n",
	"class/thermal/thermal_zone0/trip_point_1_type": "critical\n",
	"class/thermal/thermal_zone0/trip_point_1_temp": "110000\n",
	"class/thermal/cooling_device0/type":            "fan\n",
	"class/hwmon/hwmon0/name":                       "cpu_thermal\n", // the zone again
	"class/hwmon/hwmon0/temp1_input":                "48312\n",
	"class/hwmon/hwmon1/name":                       "nvme\n",
	"class/hwmon/hwmon1/temp1_input":                "61850\n",
	"class/hwmon/hwmon1/temp1_label":                "Composite\n",
	"class/hwmon/hwmon2/name":                       "rpi_volt\n",
	"block/mmcblk0/device/life_time":                "0x02 0x03\n",
	"block/mmcblk0/device/pre_eol_info":             "0x01\n",
	"block/mmcblk1/device/type":                     "SD\n",
	"block/sda/device/life_time":                    "0x0b 0x0b\n",
}

func TestBoard(t *testing.T) {
	want := []Sensor{{"nvme Composite", 61.9, 0}, {"cpu-thermal", 48.3, 80}}
	if d := cmp.Diff(want, Temperatures(tree(board))); d != "" {
		t.Errorf("temperatures, -want +got:\n%s", d)
	}
	if d := cmp.Diff([]Flash{{"mmcblk0", 0.3, "normal"}}, Flashes(tree(board))); d != "" {
		t.Errorf("flashes, -want +got:\n%s", d)
	}
}

func TestWhatTheKernelDoesNotSay(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nothing": {},
		"broken": {
			"class/thermal/thermal_zone0/type": "cpu", "class/thermal/thermal_zone0/temp": "warm",
			"class/thermal/thermal_zone1/type": "cpu", "class/thermal/thermal_zone1/temp": "-274000",
			"class/thermal/thermal_zone2/temp": "",
			"class/hwmon/hwmon0/temp1_input":   "999999999999999999999",
			"block/mmcblk0/device/life_time":   "0x00 0x0c -1 ff", "block/mmcblk0/device/pre_eol_info": "0x00",
		},
	} {
		if s, f := Temperatures(tree(files)), Flashes(tree(files)); len(s)+len(f) > 0 {
			t.Errorf("%s: got %v and %v", name, s, f)
		}
	}
}

// A kernel, or who stands in for it, that lists a lot or writes what breaks a line.
func TestHostileKernel(t *testing.T) {
	files := map[string]string{}
	for i := range 200 {
		zone := "class/thermal/thermal_zone" + string(rune('A'+i%26)) + strings.Repeat("x", i/26)
		files[zone+"/type"] = "zone\n\x1b[31m\"" + strings.Repeat("é", i)
		files[zone+"/temp"] = "50000"
	}
	got := Temperatures(tree(files))
	if len(got) == 0 || len(got) > maxSensors {
		t.Errorf("%d sensors", len(got))
	}
	for _, s := range got {
		if len(s.Name) > maxName || strings.ContainsAny(s.Name, "\n\x1b\"") {
			t.Errorf("name %q", s.Name)
		}
	}
}

func TestHot(t *testing.T) {
	for _, tc := range []struct {
		s        Sensor
		was, hot bool
	}{
		{Sensor{Celsius: 79.9, Limit: 80}, false, false},
		{Sensor{Celsius: 80, Limit: 80}, false, true},
		{Sensor{Celsius: 76, Limit: 80}, true, true},
		{Sensor{Celsius: 74.9, Limit: 80}, true, false},
		{Sensor{Celsius: 89}, false, false},
		{Sensor{Celsius: 90}, false, true},
	} {
		if got := tc.s.Hot(tc.was); got != tc.hot {
			t.Errorf("%+v, hot before %v: %v", tc.s, tc.was, got)
		}
	}
	for f, worn := range map[Flash]bool{{Used: 0.8}: false, {Used: 0.9}: true, {Spare: "warning"}: false, {Spare: "urgent"}: true} {
		if f.Worn() != worn {
			t.Errorf("%+v: worn %v", f, f.Worn())
		}
	}
}

// The machine of this test may say little, but what it says makes sense.
func TestThisMachine(t *testing.T) {
	for _, s := range Temperatures(os.DirFS("/sys")) {
		t.Logf("%s %.1f °C", s.Name, s.Celsius)
	}
	if free, size, ok := Room(t.TempDir()); ok && (free < 0 || free > size || size == 0) {
		t.Errorf("%d bytes of %d free", free, size)
	}
	if _, _, ok := Room("/no/such/place"); ok {
		t.Error("a place that is not there has room")
	}
}

func FuzzText(f *testing.F) {
	f.Add("48312\n", "0x02 0x03")
	f.Fuzz(func(t *testing.T, temp, life string) {
		files := tree(map[string]string{
			"class/thermal/thermal_zone0/type": temp, "class/thermal/thermal_zone0/temp": temp, "class/hwmon/hwmon0/name": life, "class/hwmon/hwmon0/temp1_label": life,
			"class/hwmon/hwmon0/temp1_input": temp, "block/mmcblk0/device/life_time": life, "block/mmcblk0/device/pre_eol_info": temp,
		})
		for _, s := range Temperatures(files) {
			if s.Celsius <= -60 || s.Celsius >= 200 || s.Name == "" || len(s.Name) > maxName {
				t.Errorf("%+v", s)
			}
		}
		for _, d := range Flashes(files) {
			if d.Used < 0 || d.Used > 1.1 {
				t.Errorf("%+v", d)
			}
		}
	})
}
