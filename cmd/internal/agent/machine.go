package agent

import (
	"io/fs"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/vitals"
	"github.com/sealcam/sealcam/uplink"
)

// machineLook is how often the machine is looked at: a sensor on a slow bus takes
// a moment.
const machineLook = 15 * time.Second

// Machine knows how what is under the camera is. It looks when it is asked, and
// not more often than machineLook. Its methods are safe for concurrent use; those
// of a nil Machine know nothing.
type Machine struct {
	sys   fs.FS  // root of sysfs
	state string // the state directory
	mono  func() time.Duration

	mu     sync.Mutex
	looked bool
	at     time.Duration
	seen   Vitals
	hot    bool
}

// Vitals are how a machine was when it was looked at last.
type Vitals struct {
	Sensors    []vitals.Sensor // the warmest first
	Flashes    []vitals.Flash
	Free, Size int64 // bytes of the state directory's file system; 0, 0 for unknown
}

// NewMachine returns the machine whose sysfs is sys, and on which a camera keeps
// its state in the directory state.
func NewMachine(sys fs.FS, state string, mono func() time.Duration) *Machine {
	return &Machine{sys: sys, state: state, mono: mono}
}

// Look returns how the machine is. What it returns is not to be changed.
func (m *Machine) Look() Vitals {
	v, _ := m.look()
	return v
}

func (m *Machine) look() (v Vitals, hot bool) {
	if m == nil {
		return Vitals{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.mono(); !m.looked || now-m.at >= machineLook {
		m.looked, m.at = true, now
		m.seen = Vitals{Sensors: vitals.Temperatures(m.sys), Flashes: vitals.Flashes(m.sys)}
		if free, size, ok := vitals.Room(m.state); ok {
			m.seen.Free, m.seen.Size = free, size
		}
		was := m.hot
		m.hot = false
		for _, s := range m.seen.Sensors {
			m.hot = m.hot || s.Hot(was)
		}
	}
	return m.seen, m.hot
}

// now returns what is told of the machine, nil if nothing is known.
func (m *Machine) now() *uplink.Machine {
	v := m.Look()
	u := uplink.Machine{Free: v.Free, Size: v.Size}
	if len(v.Sensors) > 0 {
		u.Celsius, u.Sensor = v.Sensors[0].Celsius, v.Sensors[0].Name
	}
	for _, f := range v.Flashes {
		u.Worn = max(u.Worn, f.Used)
	}
	if u == (uplink.Machine{}) {
		return nil
	}
	return &u
}

// care returns what somebody should look after, in sentences without figures, so
// that they stay the same while it does.
func (m *Machine) care() (all []string) {
	v, hot := m.look()
	if hot {
		all = append(all, "the board is so warm that it slows down: give it air, or shade")
	}
	for _, f := range v.Flashes {
		if f.Worn() {
			all = append(all, "the flash "+f.Device+" is nearly worn out: replace the board before it turns read-only")
		}
	}
	if v.Size > 0 && v.Free < v.Size/50 {
		all = append(all, "the flash is nearly full: free some of it, or lower uplink.budget")
	}
	return all
}
