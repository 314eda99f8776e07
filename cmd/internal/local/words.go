package local

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink"
)

// Bounds of what is printed: what answers may be something else than a camera.
const (
	maxLine    = 160 // characters of one thing that was said
	maxReasons = 16
	maxShown   = 4 // sensors, kinds of refusals
)

// Print writes r in words, a thing a line.
func Print(env *cli.Env, r Report) {
	w := words{env}
	s := r.Status
	w.row("camera", cli.Bold, plain(r.Camera))
	switch r.Pairing {
	case Waiting:
		w.row("household", cli.Warn, "none yet: it waits for a pairing code, or for sealcamd claim")
	case Removed:
		w.row("household", cli.Warn, plain(r.Household)+" has removed this camera: it seals nothing")
	default:
		w.row("household", "", plain(r.Household))
	}
	w.health(s)
	w.software(s.Software, s.Firmware)
	w.settings(s.Settings)
	w.row("source", "", source(r))
	w.row("seeing", "", seeing(r))
	if r.Pairing != Waiting {
		w.uplink(r)
		w.certificate(s.Certificate)
		w.row("queue", "", queue(r.Uplink))
		w.refused(r.Uplink.Refused)
	}
	w.row("storage", "", storage(r))
	w.row("heat", "", heat(r.Sensors))
	w.clock(s.Clock, r.At)
}

type words struct{ env *cli.Env }

// row prints a line; nothing where there is nothing to say.
func (w words) row(name string, style cli.Style, text string) {
	if text == "" {
		return
	}
	if style != "" {
		text = w.env.Paint(style, text)
	}
	fmt.Fprintf(w.env.Stdout, "%s  %s\n", w.env.Paint(cli.Faint, fmt.Sprintf("%-9s", name)), text)
}

func (w words) health(s uplink.Status) {
	word, style, reasons := "unknown", cli.Warn, s.Troubles
	if h := s.Health; h != nil {
		word, reasons = plain(h.Word), h.Reasons
	}
	switch word {
	case uplink.Good:
		style = cli.Good
	case uplink.Trouble:
		style = cli.Bad
	}
	word = w.env.Paint(style, word) + ", " + plain(s.State)
	if p := s.Privacy; p != nil && p.On {
		word += ", closed by " + plain(p.By)
		if !p.Until.IsZero() {
			word += " until " + p.Until.Local().Format("15:04")
		}
	}
	if s.Uptime > 0 {
		word += ", up " + span(time.Duration(s.Uptime)*time.Second)
	}
	w.row("health", "", word)
	for i, reason := range reasons {
		if i == maxReasons {
			w.row("", "", fmt.Sprintf("and %d more", len(reasons)-i))
			break
		}
		w.row("", style, plain(reason))
	}
}

func (w words) software(s *uplink.Software, version string) {
	if s == nil {
		s = &uplink.Software{Version: version}
	}
	text := plain(s.Version)
	if s.Commit != "" {
		text += " (" + plain(s.Commit[:min(len(s.Commit), 12)]) + ")"
	}
	if s.Slot != "" {
		text += ", slot " + plain(s.Slot)
	}
	style := cli.Style("")
	if s.Trial {
		text, style = text+", on trial", cli.Warn
	}
	w.row("software", style, text)
}

// near is how many days before its end a certificate is worth a warning, if
// nobody has said when it is renewed.
const near = 30

// certificate says what the broker is opened with.
func (w words) certificate(c *uplink.Certificate) {
	if c == nil {
		return
	}
	text, style := "of its household", cli.Style("")
	if c.From != "pairing" {
		text = "by " + plain(c.From) + ", from " + plain(c.Issuer)
	}
	text += ", until " + c.Until.UTC().Format(time.DateOnly)
	if c.Days != nil {
		text += fmt.Sprintf(" (%d days left)", *c.Days)
		if *c.Days < 0 || *c.Days < near && c.Renew.IsZero() {
			style = cli.Warn
		}
	}
	if !c.Renew.IsZero() {
		text += ", renewed from " + c.Renew.UTC().Format(time.DateOnly)
	}
	if c.Trouble != "" {
		style = cli.Warn
	}
	w.row("identity", style, text)
	if c.Trouble != "" {
		w.row("", cli.Warn, plain(c.Trouble))
	}
}

// settings says what the household wants the camera to be set to, what became of it,
// and what holds in place of the camera's own file.
func (w words) settings(s *uplink.SettingsStatus) {
	if s == nil {
		return
	}
	name := "settings"
	for i, one := range s.Wanted {
		if i == maxReasons {
			w.row("", "", fmt.Sprintf("and %d more", len(s.Wanted)-i))
			break
		}
		text, style := "for "+plain(one.For)+": "+plain(one.State), cli.Warn
		if one.State == uplink.Applied || one.State == uplink.LeftGroup {
			style = ""
		}
		if one.Version > 0 && one.By != "" {
			text += ", signed by " + plain(one.By)
		}
		if !one.Since.IsZero() {
			text += ", since " + one.Since.Local().Format(time.DateTime)
		}
		if one.Why != "" {
			text += ": " + plain(one.Why)
		}
		w.row(name, style, text)
		name = ""
	}
	for i, line := range s.Effective {
		if i == maxReasons {
			w.row("", cli.Faint, fmt.Sprintf("and %d more", len(s.Effective)-i))
			break
		}
		w.row("", cli.Faint, plain(line))
	}
}

func source(r Report) string {
	if r.Source == "" {
		return ""
	}
	c, text := r.Capture, plain(r.Source)
	if c.Width > 0 {
		text += fmt.Sprintf(", %dx%d %s", c.Width, c.Height, plain(c.Pixel))
	}
	if c.Rate > 0 {
		text += fmt.Sprintf(" %.4g fps", c.Rate)
	}
	if r.Pairing == Waiting {
		return text
	}
	var bad uint64
	for _, n := range c.Bad {
		bad += n
	}
	return text + fmt.Sprintf("; %d frames, %d dropped, %d unusable", c.Frames, c.Dropped, bad)
}

func seeing(r Report) string {
	if r.Pairing == Waiting {
		return ""
	}
	var text []string
	if r.Status.Light != "" {
		text = append(text, plain(r.Status.Light))
	}
	events := fmt.Sprintf("%d events", r.Capture.Events)
	if r.Capture.EventAge > 0 {
		events += ", the last " + span(seconds(r.Capture.EventAge)) + " ago"
	}
	return strings.Join(append(text, events, fmt.Sprintf("%d pictures and %d clips sealed", r.Capture.Pictures, r.Capture.Clips)), ", ")
}

func (w words) uplink(r Report) {
	u, text, style := r.Uplink, "connected to ", cli.Good
	if !u.Connected {
		text, style = "not connected to ", cli.Bad
	}
	text = w.env.Paint(style, text+plain(r.Broker))
	if u.Error != "" {
		text += ": " + plain(u.Error)
	}
	w.row("uplink", "", text)
}

func queue(u Uplink) string {
	text := fmt.Sprintf("%d wait, %d with the broker alone, %d with a viewer", u.Waiting, u.Acknowledged, u.Delivered)
	if u.Dropped > 0 {
		text += fmt.Sprintf(", %d given up", u.Dropped)
	}
	if u.ReceiptAge > 0 {
		return text + "; last receipt " + span(seconds(u.ReceiptAge)) + " ago"
	}
	return text + "; no receipt yet"
}

func (w words) refused(by map[string]uint64) {
	var text []string
	for i, kind := range slices.Sorted(maps.Keys(by)) {
		if i == maxShown {
			text = append(text, "and more")
			break
		}
		text = append(text, fmt.Sprintf("%d %s", by[kind], plain(kind)))
	}
	w.row("refused", cli.Warn, strings.Join(text, ", "))
}

func storage(r Report) string {
	var text []string
	if u := r.Uplink; u.SpoolBudget > 0 {
		text = append(text, "spool "+size(u.Spool)+" of "+size(u.SpoolBudget))
	}
	if rec := r.Status.Recording; rec != nil {
		text = append(text, "recording "+size(rec.Bytes)+" of "+size(rec.Budget))
	}
	if m := r.Status.Machine; m != nil && m.Size > 0 {
		text = append(text, size(m.Free)+" of "+size(m.Size)+" free")
	}
	for i, f := range r.Flashes {
		if i < maxShown {
			text = append(text, fmt.Sprintf("%s worn up to %.0f %%", plain(f.Device), 100*f.Used))
		}
	}
	return strings.Join(text, ", ")
}

func heat(sensors []Sensor) string {
	var text []string
	for i, s := range sensors {
		if i < maxShown {
			text = append(text, fmt.Sprintf("%.1f °C %s", s.Celsius, plain(s.Name)))
		}
	}
	return strings.Join(text, ", ")
}

func (w words) clock(quality string, at time.Time) {
	text, style := at.Local().Format(time.DateTime), cli.Style("")
	switch quality {
	case "ntp":
		text += ", kept set from the network"
	case "rtc":
		text += ", runs by itself"
	case "none":
		text, style = "not known", cli.Warn
	}
	w.row("clock", style, text)
}

// plain keeps what a terminal shows as itself.
func plain(s string) string { return cli.Printable(s, maxLine) }

func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for ; v >= 1023.95 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

func seconds(s float64) time.Duration {
	return time.Duration(min(max(s, 0), 1e9) * float64(time.Second))
}

// span returns d in its two largest units.
func span(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.size && i < len(units)-1 {
			continue
		}
		text := strconv.FormatInt(int64(d/u.size), 10) + " " + u.name
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				text += " " + strconv.FormatInt(int64(rest), 10) + " " + units[i+1].name
			}
		}
		return text
	}
	return ""
}
