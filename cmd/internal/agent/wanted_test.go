package agent

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/uplink/seal"
)

// A body is refused as a whole, with line and reason, whatever else is in it.
func TestWantedRefused(t *testing.T) {
	for body, want := range map[string]string{
		"motion.sensitivity = 7\nstate = \"/tmp\"\n":                  "f:2:1: state: not settable from afar: it is set in the camera's own file alone",
		"[uplink]\nstatus = \"1m\"\nbroker = \"mqtts://evil:8883\"\n": "f:3:1: uplink.broker: not settable from afar: a camera that is sent to another broker could not be called back",
		"[privacy]\nschedule = []\n":                                  "f:2:1: privacy.schedule: not settable from afar: what hides",
		"[[privacy.mask]]\nrect = [0, 0, 1000, 1000]\n":               "f:1:3: privacy.mask: not settable from afar: what hides",
		"[Privacy]\nButton = false\n":                                 "f:2:1: privacy.button: not settable from afar",
		"[privacy]\n":                                                 "f:1:2: privacy: not settable from afar",
		"camera = { source = \"/etc/passwd\" }\n":                     "f:1:12: camera.source: not settable from afar: which device",
		"[update]\nchannel = \"beta\"\nroot = \"/tmp/root.json\"\n":   "f:3:1: update.root: not settable from afar: where software comes from",
		"[update]\nreboot = [\"/bin/rm\", \"-rf\", \"/\"]\n":          "f:2:1: update.reboot: not settable from afar",
		"[pairing]\nwifi = [\"/bin/sh\"]\n":                           "f:2:1: pairing.wifi: not settable from afar",
		"[model]\nsocket = \"/run/x\"\n":                              "f:2:1: model.socket: not settable from afar",
		"[clips]\nmemory = \"1 GiB\"\n":                               "f:2:1: clips.memory: not settable from afar: how much memory",
		"[recording]\nbudget = \"64 MiB\"\n":                          "f:2:1: recording.budget: not settable from afar: a smaller one deletes",
		"[metrics]\nlisten = \"127.0.0.1:1\"\n":                       "f:2:1: metrics.listen: not settable from afar",
		"[watchdog]\ndevice = \"\"\n":                                 "f:2:1: watchdog.device: not settable from afar",
		"board = \"auto\"\n":                                          "f:1:1: board: not settable from afar",
		"format = 1\n":                                                "f:1:1: format: not settable from afar",
		"log = \"debug\"\n":                                           "f:1:1: log: not settable from afar",
		"[motion]\nsensitivity = 7\nsensitvity = 8\n":                 "f:3:1: motion.sensitvity: unknown key",
		"[motion]\nsensitivity = 11\n":                                "f:2:1: motion.sensitivity: expected 1",
		"[motion]\nsensitivity = \"high\"\n":                          "f:2:",
		"[live]\nevery = 5\n":                                         "f:2:",
		"[motion\n":                                                   "f:1:",
		"\xff\xfe":                                                    "f:1:",
		"[[motion.zone]]\narea = [[0,0],[1001,0],[1000,1000]]\n":      "f:2:1: motion.zone[0].area: the point [1001 0] lies outside",
		"# " + strings.Repeat("x", seal.MaxSettings) + "\n":           "f: too large",
		"motion.sensitivity = 7\nmotion.sensitivity = 8\n":            "f:2:",
		"[camera]\nwidth = 640\n":                                     "f:2:1: camera.width: expected width and height together",
		strings.Repeat("a = [", 2000) + "\n":                          "f:",
		"[model]\nonly = [\"person\"]\n":                              "f:2:1: model.only: expected model.file or model.socket",
		"[recording]\nenabled = true\ndirectory = \"/etc\"\n":         "f:3:1: recording.directory: not settable from afar",
		"[light]\ntrace = true\n":                                     "f:2:1: light.trace: not settable from afar",
	} {
		err := CheckWanted("f", []byte(body))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: %v\nwant %s", body, err, want)
		}
	}
}

// What may be set from afar is what somebody has thought about, key by key: one that
// is new is not, and this list is the place where that shows.
func TestWantable(t *testing.T) {
	var all, settable []string
	var walk func(prefix string, v reflect.Type)
	walk = func(prefix string, v reflect.Type) {
		for i := range v.NumField() {
			f := v.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			switch {
			case key == "-":
			case f.Anonymous && key == "":
				walk(prefix, f.Type)
			case f.Type.Kind() == reflect.Struct && !reflect.PointerTo(f.Type).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
				walk(prefix+key+".", f.Type)
			default:
				all = append(all, prefix+key)
			}
		}
	}
	walk("", reflect.TypeFor[Settings]())
	for _, key := range all {
		if listed(key) {
			settable = append(settable, key)
		}
	}
	slices.Sort(settable)
	want := strings.Fields(`camera.format camera.height camera.power_line camera.rate camera.slow_in_dark camera.width
		clips.after clips.before clips.enabled clips.format clips.max light.dark light.lamp_max light.mode light.night live.every live.view
		model.only model.threshold model.wait motion.enabled motion.line motion.mask motion.rate motion.sensitivity motion.zone
		recording.enabled recording.rate tamper.enabled update.channel update.every update.window uplink.spread uplink.status`)
	if d := cmp.Diff(want, settable); d != "" || len(all) < 60 {
		t.Errorf("of %d keys, -want +settable:\n%s", len(all), d)
	}
	for _, w := range wantable { // and none that is no key
		if !slices.ContainsFunc(all, func(key string) bool { return key == w || strings.HasPrefix(key, w+".") }) {
			t.Errorf("%s is no key", w)
		}
	}
}

func layer(t desired.Target, body string) desired.Settings {
	return desired.Settings{For: t, Version: 1, Body: []byte(body)}
}

// Each layer goes over those below, a list replaces a list, and the camera's own
// settings stay as they are for when what is over them is taken back.
func TestMerge(t *testing.T) {
	own := Defaults()
	own.Motion.Zones = []ZoneSettings{{Name: "own", Area: [][]int{{0, 0}, {400, 0}, {400, 400}}}, {Name: "second", Area: [][]int{{0, 0}, {600, 0}, {600, 600}}}}
	own.Motion.Masks = []MaskSettings{{Rect: []int{0, 0, 5, 5}}}
	own.Model.File, own.Model.Only = "/m.tflite", []string{"person", "cat"}
	before, _ := json.Marshal(own)
	zone := func(name string) string {
		return "[[motion.zone]]\nname = \"" + name + "\"\narea = [[0,0],[500,0],[500,500]]\n"
	}
	e := own.merge([]desired.Settings{
		layer(desired.All, "[model]\nonly = [\"dog\"]\n[clips]\nafter = \"8s\"\n"+zone("all")),
		layer(desired.Group("gates"), zone("gates")+"[clips]\nafter = \"9s\"\n"),
		layer(desired.Camera, "motion.sensitivity = 9\nlive = { every = \"1m\" }\n"),
	})
	if len(e.unfit) > 0 {
		t.Fatalf("left out: %v", e.unfit)
	}
	if z := e.Motion.Zones; len(z) != 1 || z[0].Name != "gates" || len(e.Motion.Masks) != 1 || e.Model.Only[0] != "dog" || len(e.Model.Only) != 1 {
		t.Errorf("zones %v, masks %v, only %v", z, e.Motion.Masks, e.Model.Only)
	}
	if e.Clips.After.Seconds() != 9 || e.Motion.Sensitivity != 9 || e.Live.Every.Seconds() != 60 || e.State != own.State {
		t.Errorf("%+v", e.Settings)
	}
	want := []string{`clips.after = "9s"`, `live.every = "1m"`, `model.only = ["dog"]`, `motion.sensitivity = 9`}
	if got := slices.DeleteFunc(slices.Clone(e.lines), func(s string) bool { return strings.HasPrefix(s, "motion.zone = ") }); !slices.Equal(got, want) {
		t.Errorf("status says %q, want %q and the zone", e.lines, want)
	}
	if after, _ := json.Marshal(own); string(before) != string(after) {
		t.Errorf("the camera's own settings have changed:\n%s\n%s", before, after)
	}

	// The camera's own file has come to say what does not go together with them.
	own.Privacy.Masks = []MaskSettings{{Rect: []int{0, 0, 10, 10}}}
	layers := []desired.Settings{layer(desired.All, "camera.format = \"h264\"\n"), layer(desired.Camera, "motion.sensitivity = 9\n")}
	e = own.merge(layers)
	if e.Camera.Format != "auto" || e.Motion.Sensitivity != 9 || !strings.Contains(e.unfit[desired.All], "privacy masks cannot be applied") || len(e.lines) != 1 {
		t.Errorf("%v, %+v", e.unfit, e.lines)
	}
	if err := own.usable(layers); err == nil || !strings.HasPrefix(err.Error(), "all:1:1: camera.format: ") {
		t.Errorf("usable: %v", err)
	}
}

// FuzzWanted: whatever is signed, nothing is changed but what may be, what is accepted
// makes sense as a whole, and it is accepted again.
func FuzzWanted(f *testing.F) {
	for _, seed := range []string{"", "motion.sensitivity = 9\n", "[[motion.zone]]\narea = [[0,0],[500,0],[500,500]]\n", "[Live]\nEVERY = \"5s\"\n", "camera = { width = 640, height = 480 }\n", "[\"uplink\"]\n\"broker\" = \"mqtts://x\"\n", "uplink.\"bro\\u006ber\" = \"mqtts://x\"\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		own := Defaults()
		own.State, own.Uplink.Broker, own.Update.Reboot = "/own", "mqtts://own:8883", []string{"/own"}
		own.Privacy.Masks = []MaskSettings{{Rect: []int{0, 0, 5, 5}}}
		s, err := own.over("f", body)
		if err != nil {
			if text := err.Error(); text == "" {
				t.Fatal("refused without a word")
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		for what, pair := range map[string][2]any{
			"privacy": {own.Privacy, s.Privacy}, "pairing": {own.Pairing, s.Pairing}, "watchdog": {own.Watchdog, s.Watchdog}, "metrics": {own.Metrics, s.Metrics},
			"others": {fmt.Sprint(own.State, own.Board, own.Log, own.Format, own.Camera.Source, own.Camera.Once, own.Uplink.Broker, own.Uplink.Budget, own.Update.URL, own.Update.Root, own.Update.CA, own.Update.Engine, own.Update.Args, own.Update.Reboot, own.Clips.Memory, own.Recording.Directory, own.Recording.Budget, own.Model.File, own.Model.Socket, own.Model.Labels, own.Light.Trace),
				fmt.Sprint(s.State, s.Board, s.Log, s.Format, s.Camera.Source, s.Camera.Once, s.Uplink.Broker, s.Uplink.Budget, s.Update.URL, s.Update.Root, s.Update.CA, s.Update.Engine, s.Update.Args, s.Update.Reboot, s.Clips.Memory, s.Recording.Directory, s.Recording.Budget, s.Model.File, s.Model.Socket, s.Model.Labels, s.Light.Trace)},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Fatalf("%s: %v became %v", what, pair[0], pair[1])
			}
		}
		again, err := own.over("f", body)
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("a second time: %v", err)
		}
	})
}
