// Package local is what a camera tells about itself on its own machine, and
// nowhere else: a report in words for a person who has logged in, and figures for
// Prometheus. Both are read from a Unix socket; no port listens unless the settings
// name one on the loopback address, and that gives figures alone.
//
// A report holds no key, no picture, and of the household its id. Who may read it is
// the socket's mode: the camera's own user and group.
//
// What this package does not do: it knows no camera (the agent makes the Report),
// obeys nothing, and lets nobody change anything. What reaches a household travels
// sealed, as uplink.Status.
package local

import (
	"time"

	"github.com/sealcam/sealcam/uplink"
)

// Format is that of a Report. It rises when a field changes its meaning; new
// fields come without.
const Format = 1

// Report is how a camera is. It travels as JSON; a reader ignores what it does
// not know.
type Report struct {
	Format    int       `json:"format"`
	At        time.Time `json:"at"` // by the camera's clock, however wrong
	Camera    string    `json:"camera,omitempty"`
	Household string    `json:"household,omitempty"`
	Pairing   Pairing   `json:"pairing"`
	Broker    string    `json:"broker,omitempty"`
	Source    string    `json:"source,omitempty"` // of frames, as in the settings
	// Status is what viewers are told.
	Status  uplink.Status `json:"status"`
	Capture Capture       `json:"capture"`
	Uplink  Uplink        `json:"uplink"`
	Sensors []Sensor      `json:"sensors,omitempty"` // the warmest first
	Flashes []Flash       `json:"flashes,omitempty"`
	Process Process       `json:"process"`
}

// Pairing says whose a camera is.
type Pairing string

// The states of a camera's pairing.
const (
	Waiting Pairing = "waiting" // nobody's yet: it looks for a code
	Paired  Pairing = "paired"
	Removed Pairing = "removed" // its household has removed it: it seals nothing
)

// Capture is what became of frames and pictures since the agent's start.
type Capture struct {
	Connected bool              `json:"connected"`
	Pixel     string            `json:"pixel,omitempty"`
	Width     int               `json:"width,omitempty"`
	Height    int               `json:"height,omitempty"`
	Rate      float64           `json:"rate,omitempty"` // frames a second, as the camera declares
	Looks     float64           `json:"looks"`          // frames a second that are looked at, at most
	Frames    uint64            `json:"frames"`
	Dropped   uint64            `json:"dropped"`
	Bad       map[string]uint64 `json:"bad,omitempty"` // by reason
	Reopened  uint64            `json:"reopened"`
	Events    uint64            `json:"events"`
	EventAge  float64           `json:"event_age_s,omitempty"` // since the last one began; absent before
	Pictures  uint64            `json:"pictures"`              // sealed
	Skipped   uint64            `json:"skipped"`               // pictures not taken because sealing had fallen behind
	Failed    uint64            `json:"failed"`                // pictures that could not be encoded or sealed
	Clips     uint64            `json:"clips"`                 // sealed to their last part
}

// Uplink is the way to the household since the agent's start.
type Uplink struct {
	Connected    bool              `json:"connected"`
	Error        string            `json:"error,omitempty"` // why not
	Connects     uint64            `json:"connects"`
	Sealed       uint64            `json:"sealed"` // messages
	SealedBytes  uint64            `json:"sealed_bytes"`
	Published    uint64            `json:"published"`
	Waiting      int               `json:"waiting"`      // messages that no broker has
	Acknowledged int               `json:"acknowledged"` // that a broker has, and no viewer has receipted
	Delivered    int               `json:"delivered"`    // that a viewer has, and that are still kept
	ReceiptAge   float64           `json:"receipt_age_s,omitempty"`
	Dropped      uint64            `json:"dropped"` // given up undelivered
	Unconfessed  uint64            `json:"unconfessed"`
	Refused      map[string]uint64 `json:"refused,omitempty"` // what was not obeyed, by kind and reason
	Spool        int64             `json:"spool_bytes"`
	SpoolBudget  int64             `json:"spool_budget"`
}

// Sensor is a thermometer of the machine.
type Sensor struct {
	Name    string  `json:"name"`
	Celsius float64 `json:"celsius"`
	Limit   float64 `json:"limit,omitempty"` // at which the machine slows down
}

// Flash is a device that tells its wear.
type Flash struct {
	Device string  `json:"device"`
	Used   float64 `json:"used"` // share of its life, at most; over 1 when it is past it
	Spare  string  `json:"spare,omitempty"`
}

// Process is what the agent takes of the machine.
type Process struct {
	CPU    float64 `json:"cpu_s"`
	Memory int64   `json:"memory_bytes,omitempty"` // resident
}
