package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

// The shipped file holds every key, and its values are the defaults.
func TestShippedSettings(t *testing.T) {
	shipped := filepath.Join("..", "..", "sealcamd", "sealcamd.toml")
	got, err := LoadSettings(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Defaults(), got); d != "" {
		t.Errorf("the shipped file differs from Defaults (-defaults +file):\n%s", d)
	}
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"state", "log", "board", "source", "width", "height", "rate", "once", "power_line", "slow_in_dark", "enabled", "mode", "night", "dark", "lamp_max", "trace", "sensitivity", "every", "view", "lens", "wifi", "broker", "budget", "status", "spread", "before", "after", "max", "memory", "file", "labels", "range", "threshold", "only", "socket", "wait", "format", "directory", "url", "root", "ca", "channel", "window", "engine", "args", "reboot", "device", "listen", "from", "anchor", "pin", "secret", "factory_certificate", "factory_key", "certificate", "key"} {
		if !strings.Contains(string(text), "\n"+key) {
			t.Errorf("the shipped file does not explain %q", key)
		}
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":         {"[camera]\nsorce = \"x\"\n", ":2:1: camera.sorce: unknown key"},
		"wrong type":          {"log = \"info\"\n[motion]\nsensitivity = \"high\"\n", ":3:"},
		"out of range":        {"[motion]\n\nsensitivity = 11\n", ":3:1: motion.sensitivity: expected 1 (only the obvious) to 10"},
		"bare duration":       {"[live]\nevery = 5\n", ":2:"},
		"size without one":    {"[camera]\nwidth = 640\n", ":2:1: camera.width: expected width and height together"},
		"plain node":          {"[uplink]\nbroker = \"mqtts://a, mqtt://b\"\n", ":2:1: uplink.broker: expected mqtts://"},
		"spread":              {"[uplink]\nspread = \"2h\"\n", `:2:1: uplink.spread: expected "0s" to "1h"`},
		"plain broker":        {"[uplink]\nbroker = \"tcp://x:1883\"\n", ":2:1: uplink.broker: expected mqtts://"},
		"relative state":      {"state = \"here\"\n", ":1:1: state: expected an absolute directory"},
		"not a number":        {"[camera]\nrate = nan\n", ":2:8: camera.rate: expected a number"},
		"zone crosses itself": {"[motion]\nrate = 5.0\n[[motion.zone]]\narea = [[0,0],[1000,0],[1000,1000]]\n[[motion.zone]]\nname = \"b\"\narea = [[0,0],[500,500],[500,0],[0,500]]\n", ":7:1: motion.zone[1].area: its sides cross"},
		"zone outside":        {"[[motion.zone]]\narea = [[0,0],[1001,0],[1000,1000]]\n", ":2:1: motion.zone[0].area: the point [1001 0] lies outside"},
		"zone empty":          {"[[motion.zone]]\nname = \"nowhere\"\n", ":1:3: motion.zone[0].area: expected 3 to 32 corners, found 0"},
		"zone of three":       {"[[motion.zone]]\narea = [[0,0,0],[1000,0],[1000,1000]]\n", ":2:1: motion.zone[0].area: expected two numbers, as in [250, 400], found 3"},
		"zone sensitivity":    {"[[motion.zone]]\nsensitivity = 11\narea = [[0,0],[1000,0],[1000,1000]]\n", ":2:1: motion.zone[0].sensitivity: expected 1 to 10"},
		"zone hours":          {"[[motion.zone]]\nhours = [\"noon\"]\n", ":2:"},
		"zone toward":         {"[[motion.zone]]\narea = [[0,0],[1000,0],[1000,1000]]\ntoward = \"north\"\n", ":3:1: motion.zone[0].toward: expected"},
		"smallest of one":     {"[[motion.zone]]\nsmallest = [5]\n", ":2:1: motion.zone[0].smallest: expected two numbers"},
		"line from nowhere":   {"[[motion.line]]\nto = [500, 300]\n", ":1:3: motion.line[0].from: expected two numbers"},
		"line":                {"[[motion.line]]\nfrom = [500, 300]\nto = [500, 300]\n", ":1:3: motion.line[0]: it is shorter"},
		"motion mask":         {"[[motion.mask]]\nrect = [0, 0, 5]\n", ":2:1: motion.mask[0].rect: expected"},
		"syntax":              {"state = \n", ":1:"},
		"dark lamp":           {"[light]\nlamp_max = 3.0\n", ":1:"},
		"unknown PKI":         {"[identity]\nfrom = \"scep\"\n", ":2:1: identity.from: expected pairing, est or files"},
		"PKI without TLS":     {"[identity]\nfrom = \"est\"\nurl = \"http://ca.example\"\n", ":3:1: identity.url: expected https://"},
		"PKI, short pin":      {"[identity]\nfrom = \"est\"\nurl = \"https://ca.example\"\npin = \"00:11\"\n", ":4:1: identity.pin: expected 64 hex digits"},
		"factory half":        {"[identity]\nfrom = \"est\"\nurl = \"https://ca.example\"\nfactory_key = \"/k\"\n", ":4:1: identity.factory_key: expected"},
		"files without":       {"[identity]\nfrom = \"files\"\n", ":2:1: identity.from: files needs"},
		"odd schedule":        {"[privacy]\nschedule = [\"07:00-07:00\"]\n", ":2:1: privacy.schedule: expected spans that end at another time"},
		"mask outside":        {"[[privacy.mask]]\nrect = [0, 0, 10, 10]\n[[privacy.mask]]\nrect = [0, 0, 2000, 10]\n", ":4:1: privacy.mask[1].rect: corner 2000, 0 lies outside"},
		"relative command":    {"[pairing]\nwifi = [\"wifi.sh\"]\n", ":2:1: pairing.wifi: expected a command by its absolute path"},
		"power line":          {"[camera]\npower_line = \"55\"\n", `:2:1: camera.power_line: expected "50", "60", "auto" or "off", found "55"`},
		"tiny budget":         {"[uplink]\nbudget = \"1 kB\"\n", ":2:1: uplink.budget"},
		"unknown format":      {"[camera]\nformat = \"av1\"\n", ":2:1: camera.format: expected auto, mjpeg"},
		"masked video":        {"[camera]\nformat = \"h264\"\n[[privacy.mask]]\nrect = [0, 0, 10, 10]\n", ":2:1: camera.format: expected another than h264"},
		"unknown clips":       {"[clips]\nformat = \"av1\"\n", `:2:1: clips.format: expected auto, h264 or mjpeg, found "av1"`},
		"clip of nothing":     {"[clips]\nbefore = \"10s\"\nmax = \"10s\"\n", ":3:1: clips.max: expected a second more than clips.before"},
		"relative recording":  {"[recording]\ndirectory = \"card\"\n", ":2:1: recording.directory: expected an absolute directory"},
		"figures for all":     {"[metrics]\nlisten = \"0.0.0.0:9464\"\n", ":2:1: metrics.listen: expected a loopback address and a port"},
		"tiny recording":      {"[recording]\nbudget = \"1 MiB\"\n", ":2:1: recording.budget: expected"},
		"slow recording":      {"[recording]\nrate = \"1 kB\"\n", ":2:1: recording.rate: expected"},
		"only blindly":        {"[model]\nonly = [\"person\"]\n", ":2:1: model.only: expected model.file or model.socket"},
		"plain repository":    {"[update]\nurl = \"ftp://x/y\"\n", ":2:1: update.url: expected https://HOST/PATH"},
		"no repository":       {"[update]\nurl = \"https://\"\n", ":2:1: update.url: expected"},
		"relative root":       {"[update]\nroot = \"root.json\"\n", ":2:1: update.root: expected an absolute file"},
		"hasty updates":       {"[update]\nevery = \"1ms\"\n", ":2:1: update.every: expected"},
		"no hours":            {"[update]\nwindow = [\"02:00-02:00\"]\n", ":2:1: update.window: expected spans that end at another time"},
		"unknown engine":      {"[update]\nengine = \"grub\"\n", ":2:1: update.engine: expected agent, rauc"},
		"unused arguments":    {"[update]\nargs = [\"-k\"]\n", ":2:1: update.args: expected nothing"},
		"system, no reboot":   {"[update]\nurl = \"https://x/y\"\nengine = \"rauc\"\n", ":1:2: update.reboot: expected a command that restarts the board"},
		"relative watchdog":   {"[watchdog]\ndevice = \"watchdog\"\n", ":2:1: watchdog.device: expected a device"},
		"sure of nothing":     {"[model]\nthreshold = 0.0\n", ":2:1: model.threshold: expected more than 0"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sealcamd.toml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadSettings(path)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), path+tc.want) {
				t.Errorf("error %q does not start with FILE%s", err, tc.want)
			}
		})
	}
}

// What the shipped file explains in comments can be set.
func TestZonesOfTheShippedFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "sealcamd", "sealcamd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sealcamd.toml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "\n#   ", "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadSettings(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Detector()
	if err != nil {
		t.Fatal(err)
	}
	want := motion.Config{
		Sensitivity: 5,
		Zones: []motion.Zone{{
			Name: "path", Area: motion.Polygon{{100, 450}, {900, 450}, {1000, 1000}, {0, 1000}}, Sensitivity: 7, Smallest: [2]int{60, 250}, Toward: "down",
			Hours: []motion.Hours{{From: 22 * time.Hour, To: 6*time.Hour + 30*time.Minute}, {From: 12 * time.Hour, To: 13 * time.Hour}},
		}},
		Lines: []motion.Line{{Name: "gate", From: motion.Point{500, 300}, To: motion.Point{500, 900}, Way: "left"}},
		Masks: capture.Masks{capture.Rectangle(0, 0, 250, 400), {{X: 700}, {X: 1000}, {X: 1000, Y: 300}}, capture.Rectangle(0, 0, 1000, 200)},
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestTimeOfDay(t *testing.T) {
	if d := ofDay(time.Date(2026, 5, 4, 22, 30, 5, 0, time.Local)); d != 22*time.Hour+30*time.Minute+5*time.Second {
		t.Errorf("%v", d)
	}
	if d := ofDay(time.Unix(100, 0)); d >= 0 {
		t.Errorf("by a clock that was never set: %v", d)
	}
}
