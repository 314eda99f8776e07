package uplink

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Status is what a camera says about itself, sealed like a picture. It travels
// as JSON; a viewer ignores what it does not know, and does without what is not there.
type Status struct {
	State    string         `json:"state"` // "running", "trouble", "privacy"; "offline" in the will, "reset" in the last word
	Health   *Health        `json:"health,omitempty"`
	Privacy  *Privacy       `json:"privacy,omitempty"`
	Light    string         `json:"light,omitempty"`
	Troubles []string       `json:"troubles,omitempty"` // in words, for a person
	Capture  map[string]any `json:"capture,omitempty"`  // format and counters
	Uplink   *UplinkStatus  `json:"uplink,omitempty"`
	Model    *ModelStatus   `json:"model,omitempty"`
	// Recording is filled in by the uplink.
	Recording *RecordingStatus `json:"recording,omitempty"`
	Firmware  string           `json:"firmware,omitempty"` // version; filled in by the uplink
	Software  *Software        `json:"software,omitempty"`
	Machine   *Machine         `json:"machine,omitempty"`
	// Certificate is what the broker is opened with.
	Certificate *Certificate    `json:"certificate,omitempty"`
	Settings    *SettingsStatus `json:"settings,omitempty"`
	Clock       string          `json:"clock,omitempty"` // its quality, as seals claim it; filled in by the uplink
	Uptime      int64           `json:"uptime_s,omitempty"`

	// Nonce, of the order that this status answers, travels in the seal. nil for none.
	Nonce []byte `json:"-"`
}

// Health is how a camera is, in a word and the reasons for it.
type Health struct {
	Word    string   `json:"word"`              // one of those below; a viewer shows others as they are
	Reasons []string `json:"reasons,omitempty"` // sentences, bounded in number: all troubles, then what asks for care
}

// How a camera is.
const (
	Good    = "good"
	Care    = "care"    // it works, and somebody should look after it: it is hot, its flash is worn, an update fell
	Trouble = "trouble" // something does not work: Status.Troubles
)

// Software is what runs on a camera, and what became of the last update.
type Software struct {
	Version string `json:"version,omitempty"` // for people
	Commit  string `json:"commit,omitempty"`  // of the source
	Slot    string `json:"slot,omitempty"`    // "a", "b" or "factory"; "" where there are none
	Trial   bool   `json:"trial,omitempty"`   // what runs has to prove itself yet
	Number  uint64 `json:"number,omitempty"`  // of the newest release that was ever confirmed here
	Fell    string `json:"fell,omitempty"`    // why the last trial was given up
}

// Certificate is what a camera shows its broker.
type Certificate struct {
	From   string    `json:"from"` // "pairing", "est" or "files"
	Issuer string    `json:"issuer,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Renew  time.Time `json:"renew,omitzero"` // when the camera asks for the next; zero if it does not
	// Days are left of it, by the camera's clock; absent if that is not known.
	Days    *int   `json:"days,omitempty"`
	Trouble string `json:"trouble,omitempty"` // why there is no better one
}

// Machine is how what is under a camera is. Absent is what nobody knows.
type Machine struct {
	Celsius float64 `json:"celsius,omitempty"` // of the warmest sensor
	Sensor  string  `json:"sensor,omitempty"`  // which that is
	Free    int64   `json:"free_bytes,omitempty"`
	Size    int64   `json:"size_bytes,omitempty"` // of the file system of the state directory
	// Worn is the share of its life that the most worn flash has behind it, in tenths;
	// over 1 when it is past it.
	Worn float64 `json:"flash_worn,omitempty"`
}

// Privacy says since when the camera is closed, or, when it is open, from when to
// when it was closed last.
type Privacy struct {
	On    bool      `json:"on"`
	Since time.Time `json:"since,omitzero"` // when the clock was known
	Until time.Time `json:"until,omitzero"` // when it will open by itself, or when it was opened
	By    string    `json:"by"`             // "button", "owner", "schedule", ...
}

// SettingsStatus says what the household wants a camera to be set to, and what of it
// holds.
type SettingsStatus struct {
	Wanted []WantedSettings `json:"wanted,omitempty"` // one for each target, in the order in which they are applied
	// Effective is what holds in place of the camera's own file, a line each, such as
	// "motion.sensitivity = 7"; bounded in number and length.
	Effective []string `json:"effective,omitempty"`
}

// WantedSettings is what is known of the settings for one target.
type WantedSettings struct {
	For     string    `json:"for"`               // "all", "group NAME" or "camera"
	Version uint64    `json:"version,omitempty"` // in force; 0 for none
	By      string    `json:"by,omitempty"`      // who signed that one
	Since   time.Time `json:"since,omitzero"`    // when it came into force, when the clock was known
	Newest  uint64    `json:"newest"`            // the newest that was taken
	State   string    `json:"state"`             // of the newest: one of those below
	Why     string    `json:"why,omitempty"`     // it is not in force, in words
}

// What becomes of wanted settings.
const (
	Applied    = "applied"
	Waits      = "waiting"     // to be tried
	Trying     = "on trial"    // applied, and to be given up if the camera does not prove itself
	Refused    = "refused"     // they cannot be used on this camera
	RolledBack = "rolled back" // the camera did not prove itself with them
	Unfit      = "left out"    // they hold, and do not go together with the camera's own file
	LeftGroup  = "group left"  // they hold for a group that the camera is no longer in
)

// ModelStatus is the part of a Status about what names things in pictures.
type ModelStatus struct {
	Source   string `json:"source"`   // file or detector, in words
	Named    uint64 `json:"named"`    // events looked at
	Failed   uint64 `json:"failed"`   // looks that failed; those events came without names
	Unwanted uint64 `json:"unwanted"` // events not sent, by the settings' word
}

// UplinkStatus is the part of a Status that the uplink fills in.
type UplinkStatus struct {
	Waiting int    `json:"waiting"`
	Dropped uint64 `json:"dropped"`
	Refused uint64 `json:"refused"` // commands and rosters that were not obeyed
	// Refusals is Refused by kind and reason, as in Stats, and the pairing codes
	// that the camera has not followed in its life ("code stale").
	Refusals    map[string]uint64 `json:"refusals,omitempty"`
	Connects    uint64            `json:"connects"`
	SpoolUsed   int64             `json:"spool_bytes"`
	SpoolBudget int64             `json:"spool_budget,omitempty"`
}

const statusMedia = "application/json"

// Status seals and stores what the camera says about itself; the part about the
// uplink is filled in. When the disk does not take it, it is sealed as a live
// message, for whoever listens now: that the disk is full must be told too.
func (u *Uplink) Status(s Status) error {
	again := s
	again.Nonce = nil // an order is answered once
	u.mu.Lock()
	u.status = &again
	u.mu.Unlock()
	return u.sendStatus(s)
}

// Fill returns s with what the uplink knows filled in.
func (u *Uplink) Fill(s Status) Status {
	st := u.Stats()
	s.Uplink = &UplinkStatus{
		Waiting: st.Waiting, Dropped: st.Dropped, Refused: st.Refused, Refusals: u.withCodes(st.Refusals), Connects: st.Connects, SpoolUsed: st.Bytes, SpoolBudget: st.Budget,
	}
	s.Firmware, s.Recording, s.Clock = u.config.Firmware, u.Recording(), u.clock()
	return s
}

func (u *Uplink) sendStatus(s Status) error {
	text, err := json.Marshal(u.Fill(s))
	if err != nil {
		return err
	}
	m := u.meta()
	m.Kind, m.Media, m.Light, m.Nonce = seal.KindStatus, statusMedia, s.Light, s.Nonce
	err = u.durable(m, text, spool.Status, groupStatus)
	var disk *spool.Error
	if !errors.As(err, &disk) {
		return err
	}
	u.log.Debug("status not stored", "err", err)
	if untold := u.passing(m, text); untold != nil {
		return errors.Join(err, untold)
	}
	return nil
}

// passing seals a status that the disk does not take, to be published once.
func (u *Uplink) passing(m seal.Meta, text []byte) error {
	m.Stream = seal.Live
	if m.Clock != seal.ClockNone {
		m.Expires = m.Taken.Add(u.config.LiveFor + time.Second)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sealer == nil {
		return ErrRevoked
	}
	if len(u.answers) >= maxRequests {
		return nil // nobody can be told now
	}
	var err error
	if m.Seq, err = u.lives.next(u.config.Now()); err != nil {
		return err
	}
	s, err := u.sealer.Seal(m, text)
	if err != nil {
		return err
	}
	u.lives.seq = m.Seq
	u.count(s)
	u.answers = append(u.answers, fleeting{sealed: s.Bytes, until: u.config.Mono() + u.config.LiveFor, status: true})
	u.signal()
	return nil
}

// withCodes returns refusals with those of pairing codes added.
func (u *Uplink) withCodes(refusals map[string]uint64) map[string]uint64 {
	for reason, n := range u.config.Camera.CodesRefused() {
		if refusals == nil {
			refusals = map[string]uint64{}
		}
		refusals["code "+string(reason)] += n
	}
	return refusals
}
