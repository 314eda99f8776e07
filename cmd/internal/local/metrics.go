package local

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sealcam/sealcam/uplink"
)

// maxKinds bounds how many values a label may have. All come from a fixed set; the
// bound is for the case that one day they do not.
const maxKinds = 24

// Metrics returns the figures of r in Prometheus' text exposition format 0.0.4.
// Names and units follow its conventions: base units, _total for what only rises,
// and starts again at 0 with the agent.
// Source: prometheus.io/docs/instrumenting/exposition_formats.
func Metrics(r Report) []byte {
	e := new(exposition)
	e.identity(r)
	e.capture(r.Capture)
	e.uplink(r.Uplink)
	e.machine(r)
	return e.Bytes()
}

func (e *exposition) identity(r Report) {
	s := r.Status
	soft := s.Software
	if soft == nil {
		soft = new(uplink.Software)
	}
	e.gauge("sealcam_info", "Which camera this is, and what runs on it.", 1,
		"camera", r.Camera, "household", r.Household, "version", soft.Version, "commit", soft.Commit, "slot", soft.Slot)
	e.family("sealcam_pairing", "gauge", "Whose the camera is: 1 for what it is.")
	for _, p := range []Pairing{Waiting, Paired, Removed} {
		e.sample("sealcam_pairing", truth(r.Pairing == p), "state", string(p))
	}
	word := ""
	if s.Health != nil {
		word = s.Health.Word
	}
	e.family("sealcam_health", "gauge", "How the camera is: 1 for what it is.")
	for _, w := range []string{uplink.Good, uplink.Care, uplink.Trouble} {
		e.sample("sealcam_health", truth(word == w), "state", w)
	}
	e.gauge("sealcam_troubles", "Things that do not work now.", float64(len(s.Troubles)))
	e.gauge("sealcam_private", "1 while the camera is closed for privacy.", truth(s.Privacy != nil && s.Privacy.On))
	e.gauge("sealcam_night", "1 while the camera sees by infrared light.", truth(s.Light == "night"))
	e.gauge("sealcam_update_trial", "1 while what runs is on trial.", truth(soft.Trial))
	e.gauge("sealcam_update_fallen", "1 if the last trial of an update was given up.", truth(soft.Fell != ""))
	e.gauge("sealcam_update_confirmed_number", "Number of the newest release that was ever confirmed here, 0 for none.", float64(soft.Number))
	e.gauge("sealcam_uptime_seconds", "Since the camera began to run.", float64(s.Uptime))
}

func (e *exposition) capture(c Capture) {
	e.gauge("sealcam_capture_connected", "1 while frames arrive.", truth(c.Connected))
	e.counter("sealcam_capture_frames_total", "Good frames.", float64(c.Frames))
	e.counter("sealcam_capture_dropped_frames_total", "Frames that were lost before they reached the agent.", float64(c.Dropped))
	e.kinds("sealcam_capture_bad_frames_total", "Frames that could not be used.", "reason", c.Bad)
	e.counter("sealcam_capture_reopens_total", "Times that frames came again after the camera was lost.", float64(c.Reopened))
	e.gauge("sealcam_capture_looks_per_second", "Frames that are looked at each second, at most: lower than was set when there is no time.", c.Looks)
	e.counter("sealcam_events_total", "Events that were seen.", float64(c.Events))
	e.counter("sealcam_pictures_sealed_total", "Snapshots that were sealed.", float64(c.Pictures))
	e.counter("sealcam_pictures_skipped_total", "Pictures not taken because sealing had fallen behind.", float64(c.Skipped))
	e.counter("sealcam_pictures_failed_total", "Pictures that could not be encoded or sealed.", float64(c.Failed))
	e.counter("sealcam_clips_sealed_total", "Clips that were sealed to their end.", float64(c.Clips))
}

func (e *exposition) uplink(u Uplink) {
	e.gauge("sealcam_uplink_connected", "1 while there is a connection to the broker.", truth(u.Connected))
	e.counter("sealcam_uplink_connects_total", "Connections that were made.", float64(u.Connects))
	e.counter("sealcam_uplink_sealed_messages_total", "Messages that were sealed, of all kinds.", float64(u.Sealed))
	e.counter("sealcam_uplink_sealed_bytes_total", "What they take.", float64(u.SealedBytes))
	e.counter("sealcam_uplink_published_messages_total", "Messages that a broker has acknowledged.", float64(u.Published))
	e.counter("sealcam_uplink_dropped_messages_total", "Messages given up before anybody had them, for want of space.", float64(u.Dropped))
	e.kinds("sealcam_uplink_refused_total", "Commands, lists and pairing codes that were not obeyed.", "reason", u.Refused)
	e.family("sealcam_spool_messages", "gauge", "Messages that are kept, by how far they have come.")
	e.sample("sealcam_spool_messages", float64(u.Waiting), "state", "waiting")
	e.sample("sealcam_spool_messages", float64(u.Acknowledged), "state", "acknowledged")
	e.sample("sealcam_spool_messages", float64(u.Delivered), "state", "delivered")
	e.gauge("sealcam_spool_unconfessed_messages", "Messages that are lost and of which viewers are not told yet.", float64(u.Unconfessed))
	e.gauge("sealcam_spool_bytes", "What kept messages take.", float64(u.Spool))
	e.gauge("sealcam_spool_budget_bytes", "What they may take.", float64(u.SpoolBudget))
	if u.ReceiptAge > 0 {
		e.gauge("sealcam_uplink_receipt_age_seconds", "Since a viewer's last receipt.", u.ReceiptAge)
	}
}

func (e *exposition) machine(r Report) {
	s := r.Status
	if rec := s.Recording; rec != nil {
		e.gauge("sealcam_recording_bytes", "What the recording takes.", float64(rec.Bytes))
		e.gauge("sealcam_recording_budget_bytes", "What it may take.", float64(rec.Budget))
		e.counter("sealcam_recording_kept_parts_total", "Parts that were recorded.", float64(rec.Kept))
		e.kinds("sealcam_recording_left_out_total", "Parts that were not recorded, and times that frames were left out.", "reason",
			map[string]uint64{"limit": rec.Limited, "disk": rec.Failed, "slow": rec.Slow})
	}
	if m := s.Machine; m != nil && m.Size > 0 {
		e.gauge("sealcam_storage_free_bytes", "Free on the file system of the state directory.", float64(m.Free))
		e.gauge("sealcam_storage_size_bytes", "Size of that file system.", float64(m.Size))
	}
	if len(r.Flashes) > 0 {
		e.family("sealcam_flash_life_used_ratio", "gauge", "Share of a flash's life that is gone, at most; over 1 when it is past it.")
		for _, f := range unique(r.Flashes, func(f Flash) string { return f.Device }) {
			e.sample("sealcam_flash_life_used_ratio", f.Used, "device", f.Device)
		}
	}
	if len(r.Sensors) > 0 {
		e.family("sealcam_temperature_celsius", "gauge", "What the machine's thermometers say.")
		for _, t := range unique(r.Sensors, func(s Sensor) string { return s.Name }) {
			e.sample("sealcam_temperature_celsius", t.Celsius, "sensor", t.Name)
		}
	}
	e.family("sealcam_clock", "gauge", "How good the camera's clock is: 1 for what it is.")
	for _, q := range []string{"none", "rtc", "ntp"} {
		e.sample("sealcam_clock", truth(s.Clock == q), "quality", q)
	}
	e.counter("process_cpu_seconds_total", "Processor time that the agent has used.", r.Process.CPU)
	if r.Process.Memory > 0 {
		e.gauge("process_resident_memory_bytes", "Memory that the agent has.", float64(r.Process.Memory))
	}
}

// unique returns the first of those in all that have the same key, as many as a
// label may have values.
func unique[T any](all []T, key func(T) string) (some []T) {
	seen := map[string]bool{}
	for _, x := range all {
		if k := legible(key(x)); !seen[k] && len(some) < maxKinds {
			seen[k] = true
			some = append(some, x)
		}
	}
	return some
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// exposition is a text that is being written. Each family has its samples together,
// and its name once.
type exposition struct{ bytes.Buffer }

var (
	helpText  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// legible is s as a label may have it: the format is UTF-8.
func legible(s string) string { return strings.ToValidUTF8(s, "?") }

func (e *exposition) family(name, kind, help string) {
	e.WriteString("# HELP " + name + " " + helpText.Replace(help) + "\n# TYPE " + name + " " + kind + "\n")
}

// sample writes a value with its labels, name and value in turn; a label without
// a value is left out, which is the same.
func (e *exposition) sample(name string, value float64, labels ...string) {
	e.WriteString(name)
	sep := byte('{')
	for i := 0; i+1 < len(labels); i += 2 {
		if labels[i+1] == "" {
			continue
		}
		e.WriteByte(sep)
		e.WriteString(labels[i] + `="` + labelText.Replace(legible(labels[i+1])) + `"`)
		sep = ','
	}
	if sep == ',' {
		e.WriteByte('}')
	}
	e.WriteString(" " + strconv.FormatFloat(value, 'f', -1, 64) + "\n")
}

func (e *exposition) gauge(name, help string, value float64, labels ...string) {
	e.family(name, "gauge", help)
	e.sample(name, value, labels...)
}

func (e *exposition) counter(name, help string, value float64) {
	e.family(name, "counter", help)
	e.sample(name, value)
}

// kinds writes what is counted by kind. What is beyond the bound is "other".
func (e *exposition) kinds(name, help, label string, by map[string]uint64) {
	if len(by) == 0 {
		return
	}
	e.family(name, "counter", help)
	told := make(map[string]uint64, len(by))
	for k, n := range by {
		told[legible(k)] += n
	}
	var other uint64
	for i, k := range slices.Sorted(maps.Keys(told)) {
		if i >= maxKinds || k == "" || k == "other" {
			other += told[k]
			continue
		}
		e.sample(name, float64(told[k]), label, k)
	}
	if other > 0 {
		e.sample(name, float64(other), label, "other")
	}
}
