package uplink

import (
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// before2024 is before this program was written: a clock that says so was never
// set.
var before2024 = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// clockSlack is how far a clock may be behind the last time that was believed:
// a correction, and no lost clock.
const clockSlack = 26 * time.Hour

// clock says how good the wall clock is. The last time that was believed, kept
// over reboots, is a floor: a clock that is far behind it has been lost. A clock
// that was set from the network needs no floor, and mends a wrong one.
func (u *Uplink) clock() string {
	quality := seal.ClockRTC
	if u.config.Clock != nil {
		quality = u.config.Clock()
	}
	now := u.config.Now()
	floor := time.Unix(u.spool.Clock(), 0)
	if now.Before(before2024) || quality != seal.ClockNTP && now.Before(floor.Add(-clockSlack)) {
		return seal.ClockNone
	}
	if quality != seal.ClockNone {
		u.spool.SetClock(now.Unix())
	}
	return quality
}

// tlsTime is the time by which the broker's certificate is judged. A camera
// whose clock was lost must still be able to connect: it takes the last time
// that was believed, or, on its first day, the day on which its own certificate
// begins.
func (u *Uplink) tlsTime() time.Time {
	if u.clock() != seal.ClockNone {
		return u.config.Now()
	}
	floor := time.Unix(u.spool.Clock(), 0)
	if conf, err := u.config.Camera.TLS(); err == nil && len(conf.Certificates) > 0 && conf.Certificates[0].Leaf != nil {
		if begins := conf.Certificates[0].Leaf.NotBefore; begins.After(floor) {
			floor = begins.Add(24 * time.Hour)
		}
	}
	return floor
}

// meta returns what is said about every message: when, and how sure of it.
func (u *Uplink) meta() seal.Meta {
	m := seal.Meta{Mono: u.config.Mono(), Clock: u.clock()}
	if m.Clock != seal.ClockNone {
		m.Taken = u.config.Now()
	}
	return m
}
