package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealcam/sealcam/uplink"
)

// successor is what a later program knows beside this one: a table that came with
// format 2. Its Settings are this program's, which is all that matters here.
var successor = map[string]int{"metrics": 2, "light.trace": 2}

// A file that was written for an older program is read by a newer one, as it was
// meant, and by this one.
func TestOlderSettings(t *testing.T) {
	path := filepath.Join("testdata", "settings", "format1.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := readSettings(path, text, SettingsFormat, since)
	if err != nil {
		t.Fatal(err)
	}
	later, err := readSettings(path, text, SettingsFormat+1, map[string]int{"future": 2})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(ours, later); d != "" {
		t.Errorf("-ours +later:\n%s", d)
	}
	if ours.Passed.Format != 0 || ours.State != "/data/sealcam" || ours.Camera.Format != "mjpeg" || len(ours.Privacy.Masks) != 2 || len(ours.Motion.Zones) != 1 ||
		ours.Uplink.Status.Duration != time.Minute || ours.Recording.Budget.Bytes != 8<<30 || ours.Light.LampMax != 0.5 || ours.Model.Threshold != 0.7 {
		t.Errorf("read %+v", ours)
	}
}

// An update is given up, and this program runs again with settings that were
// written for its successor: it does what it can, and says what it cannot.
func TestNewerSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		passed []string // parts of what is said, one each
		closed bool
	}{
		"a newer format and nothing new": {"[live]\nevery = \"3s\"\n", nil, false},
		"a new key":                      {"[light]\nglow = 3\n[live]\nevery = \"3s\"\n", []string{":3:1: light.glow: unknown key"}, false},
		"a new table":                    {"[live]\nevery = \"3s\"\n[sound]\nrate = 8000\n[sound.more]\nx = 1\n", []string{":4:2: sound: unknown", ":6:2: sound.more: unknown"}, false},
		"a new word":                     {"[camera]\nformat = \"av1\"\n[live]\nevery = \"3s\"\n", []string{":3:1: camera.format: expected auto, mjpeg"}, false},
		"a new range":                    {"[live]\nview = 120.0\nevery = \"3s\"\n", []string{":3:1: live.view: expected"}, false},
		"a zone of a new shape":          {"[live]\nevery = \"3s\"\n[[motion.zone]]\nname = \"disc\"\ncircle = [500, 500, 100]\n", []string{"motion.zone.circle: unknown key", "motion.zone[0].area: expected"}, false},
		"a new mask":                     {"[live]\nevery = \"3s\"\n[[privacy.mask]]\ncircle = [500, 500, 100]\n", []string{"privacy.mask.circle: unknown key", "privacy.mask[0]"}, true},
		"a mask of more":                 {"[live]\nevery = \"3s\"\n[[privacy.mask]]\nrect = [0, 0, 10, 10]\nfrom = \"22:00\"\n", []string{"privacy.mask.from"}, true},
		"a new way to hide":              {"[live]\nevery = \"3s\"\n[Privacy]\nsound = false\n", []string{"Privacy.sound: unknown key"}, true},
		"a new schedule":                 {"[live]\nevery = \"3s\"\n[privacy]\nschedule = [\"Mo-Fr 07:00-17:00\"]\n", []string{"privacy.schedule"}, true},
		"another source":                 {"[camera]\nsource = 5\n[live]\nevery = \"3s\"\n", []string{"camera.source"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sealcamd.toml")
			if err := os.WriteFile(path, []byte("format = 2\n"+tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := LoadSettings(path)
			if err != nil {
				t.Fatal(err)
			}
			if s.Live.Every.Duration != 3*time.Second {
				t.Errorf("what it knows is lost: %+v", s)
			}
			if s.Passed.Closed != tc.closed || len(s.Passed.Keys) != len(tc.passed) || (s.Passed.words() == "") != (len(tc.passed) == 0) {
				t.Errorf("%+v: %q", s.Passed, s.Passed.words())
			}
			for i, part := range tc.passed {
				if i < len(s.Passed.Keys) && (!strings.Contains(s.Passed.Keys[i], part) || !strings.HasPrefix(s.Passed.Keys[i], path+":")) {
					t.Errorf("passed over %q, want %q", s.Passed.Keys[i], part)
				}
			}
			if err := s.Validate(); err != nil {
				t.Errorf("what is left makes no sense: %v", err)
			}
		})
	}
}

// Nothing is passed over where that would be another camera, where there is no
// TOML, or where a file does not say that it is newer.
func TestNewerSettingsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		text, want string
		number     int
	}{
		"the state":             {"format = 2\nstate = [\"/a\", \"/b\"]\n", ":2:9: state: expected", 1},
		"no TOML":               {"format = 2\n[light\n", ":2:", 1},
		"a slip of the pen":     {"[light]\ntrase = true\n", ":2:1: light.trase: unknown key", 1},
		"the same, and newer":   {"format = 1\n[light]\ntrase = true\n", ":3:1: light.trase: unknown key", 2},
		"a young key":           {"[light]\ntrace = true\n", ":2:1: light.trace: expected format = 2 at the head", 2},
		"a young table":         {"format = 1\n[metrics]\nlisten = \"\"\n", ":2:2: metrics: expected format = 2 at the head", 2},
		"a young table, dotted": {"metrics.listen = \"\"\n", ":1:1: metrics: expected format = 2", 2},
		"no format":             {"format = 0\n", ":1:1: format: expected a whole number from 1", 1},
		"a word":                {"format = \"new\"\n", ":1:1: format: expected a whole number", 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readSettings("f", []byte(tc.text), tc.number, successor)
			if err == nil || !strings.HasPrefix(err.Error(), "f"+tc.want) {
				t.Errorf("%v, want f%s", err, tc.want)
			}
		})
	}
	// With the format that it came with, a young key is good for its own program.
	s, err := readSettings("f", []byte("format = 2\n[light]\ntrace = true\n[metrics]\nlisten = \"127.0.0.1:1\"\n"), 2, successor)
	if err != nil || !s.Light.Trace || s.Metrics.Listen == "" || s.Passed.Format != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A camera that cannot read what it has to hide shows nothing, whatever button or
// owner say, and says why; one that does without something else works and says so.
func TestCameraWithNewerSettings(t *testing.T) {
	s := Defaults()
	s.Camera.Once = true
	s.Passed = Passed{Format: 2, Keys: []string{"f:3:1: privacy.mask.circle: unknown key"}, Closed: true}
	a := newAgent(t, s, once("walk?size=320x180&rate=10", 60))
	if err := a.keeper.Open("button", time.Now()); err != nil {
		t.Fatal(err)
	}
	said := a.statusNow(0)
	if said.State != "privacy" || said.Privacy.By != "settings" || said.Health.Word != uplink.Trouble ||
		!slices.ContainsFunc(said.Troubles, func(t string) bool { return strings.Contains(t, "stays closed, because it cannot read") }) {
		t.Errorf("a camera that cannot read its masks says %+v %+v", said, said.Health)
	}
	if st := a.keeper.At(time.Now()); !st.On {
		t.Error("a button opened it")
	}

	s.Passed.Closed = false
	a = newAgent(t, s, once("walk?size=320x180&rate=10", 60))
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	said = a.statusNow(0)
	if a.Stats().Sealed == 0 || said.Health.Word != uplink.Care || said.State != "running" || !strings.Contains(strings.Join(said.Health.Reasons, ";"), "the settings are of format 2") {
		t.Errorf("a camera that does without a new key says %+v %+v, and sealed %d pictures", said, said.Health, a.Stats().Sealed)
	}
}
