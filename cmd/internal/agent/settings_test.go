package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	for _, key := range []string{"state", "log", "board", "source", "width", "height", "rate", "once", "enabled", "mode", "night", "dark", "lamp_max", "trace", "sensitivity", "every", "broker", "budget", "status"} {
		if !strings.Contains(string(text), "\n"+key) {
			t.Errorf("the shipped file does not explain %q", key)
		}
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":      {"[camera]\nsorce = \"x\"\n", ":2:1: camera.sorce: unknown key"},
		"wrong type":       {"log = \"info\"\n[motion]\nsensitivity = \"high\"\n", ":3:"},
		"out of range":     {"[motion]\n\nsensitivity = 11\n", ":3:1: motion.sensitivity: expected 1 (only the obvious) to 10"},
		"bare duration":    {"[live]\nevery = 5\n", ":2:"},
		"size without one": {"[camera]\nwidth = 640\n", ":2:1: camera.width: expected width and height together"},
		"plain broker":     {"[uplink]\nbroker = \"tcp://x:1883\"\n", ":2:1: uplink.broker: expected mqtts://"},
		"relative state":   {"state = \"here\"\n", ":1:1: state: expected an absolute directory"},
		"not a number":     {"[camera]\nrate = nan\n", ":2:8: camera.rate: expected a number"},
		"syntax":           {"state = \n", ":1:"},
		"dark lamp":        {"[light]\nlamp_max = 3.0\n", ":1:"},
		"mask outside":     {"[[privacy.mask]]\nrect = [0, 0, 10, 10]\n[[privacy.mask]]\nrect = [0, 0, 2000, 10]\n", ":4:1: privacy.mask[1].rect: corner 2000, 0 lies outside"},
		"tiny budget":      {"[uplink]\nbudget = \"1 kB\"\n", ":2:1: uplink.budget"},
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
