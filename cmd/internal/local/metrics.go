package local

import (
	"github.com/sealcam/sealcam/cmd/internal/exposition"
	"github.com/sealcam/sealcam/uplink"
)

// Metrics returns the figures of r in Prometheus' text exposition format 0.0.4.
// Names and units follow its conventions: base units, _total for what only rises,
// and starts again at 0 with the agent.
// Source: prometheus.io/docs/instrumenting/exposition_formats.
func Metrics(r Report) []byte {
	e := new(exposed)
	e.identity(r)
	e.capture(r.Capture)
	e.uplink(r.Uplink)
	e.machine(r)
	return e.Bytes()
}

// exposed is what is written of a Report.
type exposed struct{ exposition.Text }

func (e *exposed) identity(r Report) {
	s := r.Status
	soft := s.Software
	if soft == nil {
		soft = new(uplink.Software)
	}
	e.Gauge("sealcam_info", "Which camera this is, and what runs on it.", 1,
		"camera", r.Camera, "household", r.Household, "version", soft.Version, "commit", soft.Commit, "slot", soft.Slot)
	e.Family("sealcam_pairing", "gauge", "Whose the camera is: 1 for what it is.")
	for _, p := range []Pairing{Waiting, Paired, Removed} {
		e.Sample("sealcam_pairing", exposition.Truth(r.Pairing == p), "state", string(p))
	}
	word := ""
	if s.Health != nil {
		word = s.Health.Word
	}
	e.Family("sealcam_health", "gauge", "How the camera is: 1 for what it is.")
	for _, w := range []string{uplink.Good, uplink.Care, uplink.Trouble} {
		e.Sample("sealcam_health", exposition.Truth(word == w), "state", w)
	}
	e.Gauge("sealcam_troubles", "Things that do not work now.", float64(len(s.Troubles)))
	e.Gauge("sealcam_private", "1 while the camera is closed for privacy.", exposition.Truth(s.Privacy != nil && s.Privacy.On))
	e.Gauge("sealcam_night", "1 while the camera sees by infrared light.", exposition.Truth(s.Light == "night"))
	e.Gauge("sealcam_update_trial", "1 while what runs is on trial.", exposition.Truth(soft.Trial))
	e.Gauge("sealcam_update_fallen", "1 if the last trial of an update was given up.", exposition.Truth(soft.Fell != ""))
	e.Gauge("sealcam_update_confirmed_number", "Number of the newest release that was ever confirmed here, 0 for none.", float64(soft.Number))
	e.Gauge("sealcam_uptime_seconds", "Since the camera began to run.", float64(s.Uptime))
	if c := s.Certificate; c != nil {
		e.Gauge("sealcam_certificate_end_seconds", "When the certificate for the broker ends, since 1970.", float64(c.Until.Unix()))
		e.Gauge("sealcam_certificate_trouble", "1 while there is no better certificate, though there should be.", exposition.Truth(c.Trouble != ""))
	}
}

func (e *exposed) capture(c Capture) {
	e.Gauge("sealcam_capture_connected", "1 while frames arrive.", exposition.Truth(c.Connected))
	e.Counter("sealcam_capture_frames_total", "Good frames.", float64(c.Frames))
	e.Counter("sealcam_capture_dropped_frames_total", "Frames that were lost before they reached the agent.", float64(c.Dropped))
	e.Kinds("sealcam_capture_bad_frames_total", "Frames that could not be used.", "reason", c.Bad)
	e.Counter("sealcam_capture_reopens_total", "Times that frames came again after the camera was lost.", float64(c.Reopened))
	e.Gauge("sealcam_capture_looks_per_second", "Frames that are looked at each second, at most: lower than was set when there is no time.", c.Looks)
	e.Counter("sealcam_events_total", "Events that were seen.", float64(c.Events))
	e.Counter("sealcam_pictures_sealed_total", "Snapshots that were sealed.", float64(c.Pictures))
	e.Counter("sealcam_pictures_skipped_total", "Pictures not taken because sealing had fallen behind.", float64(c.Skipped))
	e.Counter("sealcam_pictures_failed_total", "Pictures that could not be encoded or sealed.", float64(c.Failed))
	e.Counter("sealcam_clips_sealed_total", "Clips that were sealed to their end.", float64(c.Clips))
}

func (e *exposed) uplink(u Uplink) {
	e.Gauge("sealcam_uplink_connected", "1 while there is a connection to the broker.", exposition.Truth(u.Connected))
	e.Counter("sealcam_uplink_connects_total", "Connections that were made.", float64(u.Connects))
	e.Counter("sealcam_uplink_sealed_messages_total", "Messages that were sealed, of all kinds.", float64(u.Sealed))
	e.Counter("sealcam_uplink_sealed_bytes_total", "What they take.", float64(u.SealedBytes))
	e.Counter("sealcam_uplink_published_messages_total", "Messages that a broker has acknowledged.", float64(u.Published))
	e.Counter("sealcam_uplink_dropped_messages_total", "Messages given up before anybody had them, for want of space.", float64(u.Dropped))
	e.Kinds("sealcam_uplink_refused_total", "Commands, lists and pairing codes that were not obeyed.", "reason", u.Refused)
	e.Family("sealcam_spool_messages", "gauge", "Messages that are kept, by how far they have come.")
	e.Sample("sealcam_spool_messages", float64(u.Waiting), "state", "waiting")
	e.Sample("sealcam_spool_messages", float64(u.Acknowledged), "state", "acknowledged")
	e.Sample("sealcam_spool_messages", float64(u.Delivered), "state", "delivered")
	e.Gauge("sealcam_spool_unconfessed_messages", "Messages that are lost and of which viewers are not told yet.", float64(u.Unconfessed))
	e.Gauge("sealcam_spool_bytes", "What kept messages take.", float64(u.Spool))
	e.Gauge("sealcam_spool_budget_bytes", "What they may take.", float64(u.SpoolBudget))
	if u.ReceiptAge > 0 {
		e.Gauge("sealcam_uplink_receipt_age_seconds", "Since a viewer's last receipt.", u.ReceiptAge)
	}
}

func (e *exposed) machine(r Report) {
	s := r.Status
	if rec := s.Recording; rec != nil {
		e.Gauge("sealcam_recording_bytes", "What the recording takes.", float64(rec.Bytes))
		e.Gauge("sealcam_recording_budget_bytes", "What it may take.", float64(rec.Budget))
		e.Counter("sealcam_recording_kept_parts_total", "Parts that were recorded.", float64(rec.Kept))
		e.Kinds("sealcam_recording_left_out_total", "Parts that were not recorded, and times that frames were left out.", "reason",
			map[string]uint64{"limit": rec.Limited, "disk": rec.Failed, "slow": rec.Slow})
	}
	if m := s.Machine; m != nil && m.Size > 0 {
		e.Gauge("sealcam_storage_free_bytes", "Free on the file system of the state directory.", float64(m.Free))
		e.Gauge("sealcam_storage_size_bytes", "Size of that file system.", float64(m.Size))
	}
	if len(r.Flashes) > 0 {
		e.Family("sealcam_flash_life_used_ratio", "gauge", "Share of a flash's life that is gone, at most; over 1 when it is past it.")
		for _, f := range unique(r.Flashes, func(f Flash) string { return f.Device }) {
			e.Sample("sealcam_flash_life_used_ratio", f.Used, "device", f.Device)
		}
	}
	if len(r.Sensors) > 0 {
		e.Family("sealcam_temperature_celsius", "gauge", "What the machine's thermometers say.")
		for _, t := range unique(r.Sensors, func(s Sensor) string { return s.Name }) {
			e.Sample("sealcam_temperature_celsius", t.Celsius, "sensor", t.Name)
		}
	}
	e.Family("sealcam_clock", "gauge", "How good the camera's clock is: 1 for what it is.")
	for _, q := range []string{"none", "rtc", "ntp"} {
		e.Sample("sealcam_clock", exposition.Truth(s.Clock == q), "quality", q)
	}
	e.Counter("process_cpu_seconds_total", "Processor time that the agent has used.", r.Process.CPU)
	if r.Process.Memory > 0 {
		e.Gauge("process_resident_memory_bytes", "Memory that the agent has.", float64(r.Process.Memory))
	}
}

// unique returns the first of those in all that have the same key, as many as a
// label may have values.
func unique[T any](all []T, key func(T) string) (some []T) {
	seen := map[string]bool{}
	for _, x := range all {
		if k := exposition.Legible(key(x)); !seen[k] && len(some) < exposition.MaxKinds {
			seen[k] = true
			some = append(some, x)
		}
	}
	return some
}
