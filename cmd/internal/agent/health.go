package agent

import (
	"slices"

	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// maxReasons bounds what a Health says.
const maxReasons = 12

// health says how the camera is that s describes.
func (a *Agent) health(s uplink.Status) *uplink.Health {
	h := &uplink.Health{Word: uplink.Good}
	care := a.system.care()
	if s.Software != nil && s.Software.Fell != "" {
		care = append(care, "the last update was given up: "+s.Software.Fell)
	}
	if a.up.Clock() == seal.ClockNone {
		care = append(care, "the camera does not know the time: its pictures are in order, and without a date")
	}
	if c := s.Certificate; c != nil && c.Trouble != "" {
		care = append(care, "the certificate for the broker: "+c.Trouble)
	}
	if words := a.settings.Passed.words(); words != "" && !a.settings.Passed.Closed {
		care = append(care, words)
	}
	if a.wanted != nil {
		care = append(care, a.wanted.care()...)
	}
	switch {
	case len(s.Troubles) > 0:
		h.Word = uplink.Trouble
	case len(care) > 0:
		h.Word = uplink.Care
	}
	all := slices.Concat(s.Troubles, care)
	h.Reasons = all[:min(len(all), maxReasons)]
	return h
}

func sameHealth(a, b *uplink.Health) bool {
	return a == b || a != nil && b != nil && a.Word == b.Word && slices.Equal(a.Reasons, b.Reasons)
}

func sameSoftware(a, b *uplink.Software) bool { return a == b || a != nil && b != nil && *a == *b }

func sameSettings(a, b *uplink.SettingsStatus) bool {
	return a == b || a != nil && b != nil && slices.Equal(a.Wanted, b.Wanted) && slices.Equal(a.Effective, b.Effective)
}

// onTrial reports whether the software that runs has to prove itself yet: then
// settings wait, so that it is known what has failed.
func (h Host) onTrial() bool { return h.Update != nil && h.Update().Trial }

// software says what runs on this host, and what became of the last update.
func (h Host) software() uplink.Software {
	s := uplink.Software{Version: h.Firmware, Commit: h.Commit}
	if h.Update != nil {
		st := h.Update()
		s.Slot, s.Trial, s.Number, s.Fell = st.Slot, st.Trial, st.Number, st.Fell
	}
	return s
}
