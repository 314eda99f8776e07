package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/boards/toml"
	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/uplink/seal"
)

// wantable is what may be set from afar, by dotted keys in lower case; a table
// stands for all that is in it. What is not here is refused, so that a key which
// comes later has to be put here by somebody who has thought about it. The rule: it
// can be tried, it can be taken back, and it is nobody's way in or out. So not the
// broker, the state directory, pairing, or where updates come from, which could lock
// the owner out; not files, sockets, commands and devices, which only the machine
// itself knows; not budgets of memory and flash, for a smaller one deletes, and a
// larger one shows its harm long after a trial; and nothing of privacy, because a
// roll-back must never show what somebody was told is hidden.
var wantable = []string{
	"camera.width", "camera.height", "camera.rate", "camera.format", "camera.power_line", "camera.slow_in_dark",
	"motion", "tamper",
	"model.threshold", "model.only", "model.wait",
	"light.mode", "light.night", "light.dark", "light.lamp_max",
	"clips.enabled", "clips.format", "clips.before", "clips.after", "clips.max",
	"recording.enabled", "recording.rate",
	"live", "uplink.status", "uplink.spread",
	"update.channel", "update.every", "update.window",
}

// unwanted says why a table, or a key, is not set from afar, where that needs more
// words than the others.
var unwanted = map[string]string{
	"privacy":          "what hides a part of a home is set on the camera alone, or by sealcam privacy: a roll-back must never show it",
	"uplink.broker":    "a camera that is sent to another broker could not be called back",
	"camera.source":    "which device is the camera is known on its machine",
	"recording.budget": "a smaller one deletes what was recorded",
	"uplink.budget":    "a smaller one deletes what was not delivered",
	"clips.memory":     "how much memory there is, is known on the machine",
	"update":           "where software comes from, and how it is installed, is decided where the camera is flashed",
}

// lists are the keys that are lists: one that is set replaces the one below it.
func (s *Settings) lists() map[string]func() {
	return map[string]func(){
		"motion.zone": func() { s.Motion.Zones = nil },
		"motion.line": func() { s.Motion.Lines = nil },
		"motion.mask": func() { s.Motion.Masks = nil },
		"model.only":  func() { s.Model.Only = nil }, "update.window": func() { s.Update.Window = nil },
	}
}

// CheckWanted says what is wrong with settings that are to be wanted of cameras, as
// far as that can be known without one: with its line, as in name:3:1. What is right
// here may still be unusable on a camera whose own file says something else.
func CheckWanted(name string, body []byte) error {
	_, err := Defaults().over(name, body)
	return err
}

// over returns s with what body sets in place of what s says. s is not changed.
func (s Settings) over(name string, body []byte) (Settings, error) {
	if len(body) > seal.MaxSettings {
		return s, &toml.Error{File: name, Detail: fmt.Sprintf("too large: at most %d KiB of settings were expected", seal.MaxSettings>>10)}
	}
	leaves, bad := leavesOf(name, body)
	for key, forget := range s.lists() {
		if _, set := leaves[key]; set {
			forget() // in the copy that s is, which shares its elements with the camera's own
		}
	}
	if err := toml.Decode(name, body, &s); err != nil {
		return s, err
	}
	if bad != nil {
		return s, bad
	}
	for _, key := range slices.Sorted(maps.Keys(leaves)) {
		if !listed(key) {
			return s, toml.At(name, body, key, errors.New("not settable from afar: "+why(key)))
		}
	}
	return s, placed(name, s, body)
}

// listed reports whether key, or a table that it is in, is wantable.
func listed(key string) bool {
	return slices.ContainsFunc(wantable, func(w string) bool { return key == w || strings.HasPrefix(key, w+".") })
}

func why(key string) string {
	for at := key; at != ""; {
		if reason := unwanted[at]; reason != "" {
			return reason
		}
		dot := strings.LastIndexByte(at, '.')
		if dot < 0 {
			break
		}
		at = at[:dot]
	}
	return "it is set in the camera's own file alone"
}

// leavesOf returns what body sets, by dotted keys in lower case. Lists are leaves.
func leavesOf(name string, body []byte) (map[string]any, error) {
	all, leaves := map[string]any{}, map[string]any{}
	if err := toml.Decode(name, body, &all); err != nil {
		return nil, err
	}
	var walk func(prefix string, table map[string]any)
	walk = func(prefix string, table map[string]any) {
		for key, v := range table {
			key = prefix + strings.ToLower(key)
			inner, isTable := v.(map[string]any)
			if isTable && len(inner) > 0 {
				walk(key+".", inner)
				continue
			}
			leaves[key] = v
		}
	}
	walk("", all)
	return leaves, nil
}

// Bounds of what a status says of effective settings.
const (
	maxEffective     = 64
	maxEffectiveLine = 120 // bytes
)

// effective is what layers of wanted settings make of the camera's own.
type effective struct {
	Settings
	lines []string                  // what differs, as status says it
	unfit map[desired.Target]string // layers that were left out, and why
}

// merge puts layers over s, in their order. One that does not fit is left out.
func (s Settings) merge(layers []desired.Settings) effective {
	e := effective{Settings: s, unfit: map[desired.Target]string{}}
	set := map[string]any{}
	for _, l := range layers {
		name := string(l.For)
		next, err := e.Settings.over(name, l.Body)
		if err != nil {
			e.unfit[l.For] = strings.TrimPrefix(err.Error(), name+":")
			continue
		}
		e.Settings = next
		if leaves, err := leavesOf(name, l.Body); err == nil {
			maps.Copy(set, leaves)
		}
	}
	for i, key := range slices.Sorted(maps.Keys(set)) {
		if i == maxEffective {
			e.lines = append(e.lines, fmt.Sprintf("and %d more", len(set)-i))
			break
		}
		e.lines = append(e.lines, line(key, set[key]))
	}
	return e
}

// line writes one setting for status.
func line(key string, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte(fmt.Sprint(v))
	}
	s := key + " = " + string(text)
	if len(s) > maxEffectiveLine {
		s = strings.ToValidUTF8(s[:maxEffectiveLine], "") + "..."
	}
	return s
}

// usable says why layers cannot be used over s.
func (s Settings) usable(layers []desired.Settings) error {
	unfit := s.merge(layers).unfit
	for _, l := range layers {
		if why := unfit[l.For]; why != "" {
			return fmt.Errorf("%s:%s", l.For, why)
		}
	}
	return nil
}
