package agent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealcam/sealcam/boards/toml"
)

// SettingsFormat is the format of the settings that this program knows. A file says
// by `format = N` for which one it was written; 1 is meant where it says none.
//
// Updates and their way back need no more than this. The file is a person's: no
// program ever writes it, neither an agent nor an updater, so slot A finds what slot B
// found. A key once released keeps its name, its type and its meaning, so a newer agent
// reads every older file. A key that came later needs the format that it came with in the
// file, so that an older agent, when an update is given up and it runs again, can tell
// a key of its successor from a slip of the pen: in a file of a newer format it passes
// over what it does not know and says so, where else it would refuse to start, and
// could then be mended by no update either. What hides something stands under
// [privacy]: a camera that has to pass over any of that stays closed.
const SettingsFormat = 1

// since says with which format keys came that are younger than format 1, by their
// dotted paths in lower case; of a table, for all in it.
var since = map[string]int{}

// Passed is what an older program could not make use of in a newer file.
type Passed struct {
	Format int      // of the file; 0 if nothing was passed over
	Keys   []string // as in the file, with file and line: one error each
	Closed bool     // the camera must stay closed: it cannot know what to hide, or where from
}

// words says what was passed over, in a sentence for status.
func (p Passed) words() string {
	if p.Format == 0 {
		return ""
	}
	s := fmt.Sprintf("the settings are of format %d, and this software knows %d: ", p.Format, SettingsFormat)
	if p.Closed {
		return s + "the camera stays closed, because it cannot read what it has to hide"
	}
	return s + "it does without what is new in them"
}

// readSettings reads a file of any format, by the rules of this one, number, whose
// young keys came as young says.
func readSettings(path string, data []byte, number int, young map[string]int) (Settings, error) {
	format, err := formatOf(path, data)
	if err != nil {
		return Settings{}, err
	}
	if format > number {
		return newerSettings(path, data, format)
	}
	s := Defaults()
	if err := toml.Decode(path, data, &s); err != nil {
		return Settings{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(young)) {
		if n := young[key]; format < n && toml.Sets(data, key) {
			return Settings{}, toml.At(path, data, key, fmt.Errorf(
				"expected format = %d at the head of the file: this key came with it, and says so to older software that an update may fall back to", n))
		}
	}
	return s, placed(path, s, data)
}

// formatOf returns for which format a file was written.
func formatOf(path string, data []byte) (int, error) {
	all := map[string]any{}
	if err := toml.Decode(path, data, &all); err != nil {
		return 1, nil // whatever is wrong is found again, by who knows the keys
	}
	for key, v := range all {
		if strings.EqualFold(key, "format") {
			n, ok := v.(int64)
			if !ok || n < 1 || n > 1<<20 {
				return 0, toml.At(path, data, "format", fmt.Errorf("expected a whole number from 1, found %v", v))
			}
			return int(n), nil
		}
	}
	return 1, nil
}

// newerSettings reads what this program can of a file that was written for a newer
// one.
func newerSettings(path string, data []byte, format int) (Settings, error) {
	s, passed, err := toml.DecodeNewer(path, data, Defaults, func(s Settings, data []byte) error { return placed(path, s, data) })
	if err != nil {
		return Settings{}, err
	}
	for _, e := range passed {
		s.Passed.Format = format
		s.Passed.Keys = append(s.Passed.Keys, e.Error())
		switch key := strings.ToLower(e.Key); {
		case key == "state": // another one would be another camera
			return Settings{}, e
		case key == "camera", key == "camera.source", key == "privacy", strings.HasPrefix(key, "privacy."):
			s.Passed.Closed = true
		}
	}
	return s, nil
}

// placed is what is wrong with the meaning of s, with its place in data; nil for
// nothing.
func placed(path string, s Settings, data []byte) error {
	err := s.Validate()
	var bad *settingError
	if errors.As(err, &bad) {
		return toml.At(path, data, bad.key, errors.New(bad.expected))
	}
	return err
}
