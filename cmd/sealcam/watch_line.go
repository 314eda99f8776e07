package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// line returns an Outcome as one aligned line, "" for what is no news.
func (w *watcher) line(o viewer.Outcome) string {
	row := func(style cli.Style, verdict, rest string) string {
		return w.row(o.At, style, verdict, nameOf(o), rest)
	}
	switch o.What {
	case viewer.Verified:
		if !isPicture(o.Verified) {
			return w.statusLine(o, row)
		}
		return row(cli.Good, "verified", pictureWords(o.Verified, o.At))
	case viewer.Refused:
		rest := column(string(o.Refusal.Reason), 12) + "  " + o.Refusal.Reason.Person()
		if o.Refusal.Alarm {
			rest += "; the camera's key may have been copied"
		}
		return row(cli.Bad, "refused", rest)
	case viewer.GapOpened:
		return row(cli.Warn, "gap", o.GapWords(time.Local)+", asked for")
	case viewer.GapClosed:
		return row(cli.Good, "closed", o.GapWords(time.Local))
	case viewer.GapLost:
		return row(cli.Warn, "closed", o.GapWords(time.Local))
	case viewer.RosterRefused:
		return row(cli.Warn, "refused", column(string(o.Refusal.Reason), 12)+"  A list of cameras and viewers that is not this household's newest; the newest is sent")
	case viewer.Hello:
		if w.greeted[o.Camera] || len(w.greeted) >= seal.MaxCameras {
			return ""
		}
		w.greeted[o.Camera] = true
		return row(cli.Faint, "hello", "a camera that is nobody's yet: "+string(o.Camera))
	}
	return ""
}

// row is one line about a camera.
func (w *watcher) row(at time.Time, style cli.Style, verdict, name, rest string) string {
	return fmt.Sprintf("%s  %s  %s  %s", at.Format(time.TimeOnly), w.env.Paint(style, fmt.Sprintf("%-9s", verdict)), column(name, 16), rest)
}

// nameOf returns what to call the camera of an Outcome.
func nameOf(o viewer.Outcome) string {
	if o.Name != "" {
		return o.Name
	}
	return string(o.Camera[:8]) + "..."
}

// column pads s, or shortens it, to width characters.
func column(s string, width int) string {
	runes := []rune(s)
	if len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return s + strings.Repeat(" ", width-len(runes))
}

// pictureWords says what a verified picture is.
func pictureWords(v *seal.Verified, now time.Time) string {
	m := v.Meta()
	_, media := v.Media()
	size := ""
	if m.Width > 0 {
		size = fmt.Sprintf("%dx%d", m.Width, m.Height)
	}
	words := []string{
		column(m.Kind, 8), column(m.Cause, 9), column(m.Light, 9), column(size, 9), fmt.Sprintf("%5d kB", (len(media)+999)/1000), ageWords(v, now),
	}
	if len(m.Masks) > 0 {
		words = append(words, "masked")
	}
	if things, _ := m.Things(); len(things) > 0 {
		words = append(words, thingWords(things))
	}
	if v.Fresh() {
		words = append(words, "proven to be now")
	}
	if v.Late() {
		words = append(words, "late")
	}
	return strings.TrimRight(strings.Join(words, "  "), " ")
}

// thingWords says what was recognised, the surest first.
func thingWords(things []seal.Label) string {
	const few = 3
	var words []string
	for _, t := range things[:min(few, len(things))] {
		words = append(words, fmt.Sprintf("%s %d %%", printable(t.Name, 24), (t.Score+5)/10))
	}
	return strings.Join(words, ", ")
}

// ageWords says how old a message is by its camera's clock.
func ageWords(v *seal.Verified, now time.Time) string {
	age, known := v.Age(now)
	switch {
	case !known:
		return "no clock"
	case age < 0:
		return "just now" // clocks differ a little
	case age < 10*time.Second:
		return fmt.Sprintf("%.1f s ago", age.Seconds())
	case age < 2*time.Hour:
		return age.Round(time.Second).String() + " ago"
	}
	return "of " + v.Meta().Taken.Local().Format(time.DateTime)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// cameraStatus is the part of a camera's status that is worth a line. A newer
// camera may say more.
type cameraStatus struct {
	State    string         `json:"state"`
	Privacy  *privacyStatus `json:"privacy"`
	Troubles []string       `json:"troubles"`
	Health   struct {
		Reasons []string `json:"reasons"` // the troubles, and what asks for care
	} `json:"health"`
	Firmware string `json:"firmware"`
	Software struct {
		Slot  string `json:"slot"`
		Trial bool   `json:"trial"`
	} `json:"software"`
	Machine struct {
		Celsius float64 `json:"celsius"`
	} `json:"machine"`
	Uplink struct {
		Refusals map[string]uint64 `json:"refusals"`
	} `json:"uplink"`
	Settings *uplink.SettingsStatus `json:"settings"`
}

// statusLine tells of a status when it says something else than the last one.
func (w *watcher) statusLine(o viewer.Outcome, row func(cli.Style, string, string) string) string {
	if o.Verified.Meta().Kind != seal.KindStatus {
		return ""
	}
	_, text := o.Verified.Media()
	var s cameraStatus
	if json.Unmarshal(text, &s) != nil {
		return ""
	}
	words := printable(s.State, 32)
	switch {
	case s.Privacy != nil && s.Privacy.On:
		words += " " + s.Privacy.words()
	case s.Privacy != nil:
		words += "; it was closed " + s.Privacy.words()
	}
	reasons := s.Troubles
	if len(s.Health.Reasons) > len(reasons) {
		reasons = s.Health.Reasons
	}
	for _, t := range reasons[:min(3, len(reasons))] {
		words += "; " + printable(t, 120)
	}
	words += s.softwareWords() + s.settingsWords() + refusalWords(s.Uplink.Refusals)
	if words == w.status[o.Camera] {
		return ""
	}
	w.status[o.Camera] = words
	style := cli.Faint
	if s.State != "running" || len(reasons) > 0 || w.alarming(o.Camera, s.Uplink.Refusals) {
		style = cli.Warn
	}
	if c := s.Machine.Celsius; c != 0 && c > -60 && c < 200 { // what changes all the time is no news
		words += fmt.Sprintf("; %.0f °C", c)
	}
	return row(style, "status", words)
}

// softwareWords says what runs.
func (s cameraStatus) softwareWords() string {
	if s.Firmware == "" {
		return ""
	}
	words := "; " + printable(s.Firmware, 40)
	if s.Software.Slot != "" {
		words += ", slot " + printable(s.Software.Slot, 8)
	}
	if s.Software.Trial {
		words += ", on trial"
	}
	return words
}

// settingsWords says which settings from afar hold, and which are still to. What
// came of the others is among the reasons of the camera's health.
func (s cameraStatus) settingsWords() string {
	if s.Settings == nil {
		return ""
	}
	var words string
	for i, w := range s.Settings.Wanted {
		if i == 4 {
			return words + ", and more"
		}
		target := printable(w.For, 40)
		if w.Version > 0 && w.State != uplink.LeftGroup {
			words += "; settings for " + target + " " + desired.VersionWords(w.Version)
		}
		if w.State == uplink.Waits || w.State == uplink.Trying {
			words += "; settings for " + target + " " + desired.VersionWords(w.Newest) + " " + w.State
		}
	}
	return words
}

// alarming reports whether what a camera has refused is worth a colour. Refused
// pairing codes are counted for the camera's life: the ones of before this watch
// began are history, and said without.
func (w *watcher) alarming(camera seal.CameraID, refusals map[string]uint64) bool {
	var codes uint64
	others := false
	for kind, n := range refusals {
		if strings.HasPrefix(kind, "code ") {
			codes += n
		} else {
			others = true
		}
	}
	before, known := w.codes[camera]
	if !known {
		w.codes[camera] = codes
		return others
	}
	return others || codes > before
}

// refusalWords says what the camera has refused to obey.
func refusalWords(refusals map[string]uint64) string {
	var words string
	for i, kind := range slices.Sorted(maps.Keys(refusals)) {
		if i == 6 {
			return words + ", and more"
		}
		words += fmt.Sprintf(", %d %s", refusals[kind], printable(kind, 40))
	}
	if words != "" {
		words = "; it has refused " + words[2:]
	}
	return words
}

// printable keeps what a terminal shows as itself: also a verified camera may
// have been taken over.
func printable(s string, limit int) string { return cli.Printable(s, limit) }

// told is an Outcome as --json tells it. Absent fields do not apply.
type told struct {
	At       time.Time     `json:"at"`
	What     viewer.What   `json:"what"`
	Camera   seal.CameraID `json:"camera"`
	Name     string        `json:"name,omitempty"`
	Retained bool          `json:"retained,omitempty"`

	Stream string     `json:"stream,omitempty"`
	Seq    uint64     `json:"seq,omitempty"`
	Kind   string     `json:"kind,omitempty"`
	Media  string     `json:"media,omitempty"`
	Bytes  int        `json:"bytes,omitempty"`
	Taken  *time.Time `json:"taken,omitempty"`
	Clock  string     `json:"clock,omitempty"`
	Cause  string     `json:"cause,omitempty"`
	Light  string     `json:"light,omitempty"`
	Event  uint64     `json:"event,omitempty"`
	Part   uint32     `json:"part,omitempty"`
	Last   bool       `json:"last,omitempty"`
	Width  int        `json:"width,omitempty"`
	Height int        `json:"height,omitempty"`
	Masks  string     `json:"masks,omitempty"` // hash of the privacy masks, hex
	Fresh  bool       `json:"fresh,omitempty"`
	Late   bool       `json:"late,omitempty"`
	Saved  string     `json:"saved,omitempty"`

	Things []toldThing `json:"things,omitempty"`
	Model  string      `json:"model,omitempty"` // base32 of the SHA-256 of what recognised them

	Status json.RawMessage `json:"status,omitempty"`

	Reason seal.Reason `json:"reason,omitempty"`
	Person string      `json:"person,omitempty"`
	Detail string      `json:"detail,omitempty"`
	Alarm  bool        `json:"alarm,omitempty"`

	// Of a gap: its numbers, the times of what is around it, and how much of it
	// will never come.
	First  uint64     `json:"first,omitempty"`
	Until  uint64     `json:"until,omitempty"`
	Count  uint64     `json:"count,omitempty"`
	After  *time.Time `json:"after,omitempty"`
	Before *time.Time `json:"before,omitempty"`
	Lost   uint64     `json:"lost,omitempty"`
}

// toldThing is something that the camera recognised; numbers are thousandths.
type toldThing struct {
	Label string    `json:"label"`
	Score uint16    `json:"score"`
	Box   [4]uint16 `json:"box"`
}

// describe returns what --json tells of o.
func describe(o viewer.Outcome, saved string) told {
	t := told{At: o.At, What: o.What, Camera: o.Camera, Name: o.Name, Retained: o.Retained, Saved: saved}
	switch o.What {
	case viewer.Verified, viewer.Again:
		t.verified(o.Verified)
	case viewer.Refused:
		t.Reason, t.Person, t.Detail, t.Alarm = o.Refusal.Reason, o.Refusal.Reason.Person(), o.Refusal.Detail, o.Refusal.Alarm
	case viewer.RosterRefused:
		t.Reason, t.Detail, t.Alarm = o.Refusal.Reason, o.Refusal.Detail, o.Refusal.Alarm
	case viewer.GapOpened, viewer.GapClosed, viewer.GapLost:
		t.gap(o)
	}
	return t
}

func (t *told) gap(o viewer.Outcome) {
	g := o.Gap
	t.Person = o.GapWords(time.Local)
	t.First, t.Until, t.Count, t.Lost = g.First, g.Last, g.Last-g.First+1, o.Lost
	if !g.After.IsZero() {
		t.After = &g.After
	}
	if !g.Before.IsZero() {
		t.Before = &g.Before
	}
}

func (t *told) verified(v *seal.Verified) {
	m := v.Meta()
	_, media := v.Media()
	t.Stream, t.Seq, t.Kind, t.Media, t.Bytes, t.Clock = m.Stream.String(), m.Seq, m.Kind, m.Media, len(media), m.Clock
	t.Cause, t.Light, t.Event, t.Part, t.Last, t.Width, t.Height = m.Cause, m.Light, m.Event, m.Part, m.Last, m.Width, m.Height
	t.Masks, t.Fresh, t.Late = hex.EncodeToString(m.Masks), v.Fresh(), v.Late()
	var things []seal.Label
	things, t.Model = m.Things()
	for _, l := range things {
		t.Things = append(t.Things, toldThing{l.Name, l.Score, [4]uint16{l.Box.X, l.Box.Y, l.Box.W, l.Box.H}})
	}
	if m.Clock != seal.ClockNone {
		t.Taken = &m.Taken
	}
	if m.Kind == seal.KindStatus && json.Valid(media) {
		t.Status = media
	}
}
