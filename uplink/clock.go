package uplink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
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
	if now.Before(before2024) || quality != seal.ClockNTP && now.Before(u.floor().Add(-clockSlack)) {
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
	t, _ := u.Time()
	return t
}

// floor is a time that has passed for certain, as far as this camera knows: the last
// that was believed, or that at which its certificate was made.
func (u *Uplink) floor() time.Time {
	return time.Unix(max(u.spool.Clock(), u.certified.Load()), 0)
}

// certify takes note of when the camera's certificates were made. A household's
// begin a day before that.
func (u *Uplink) certify() {
	latest := max(u.certified.Load(), begin(u.config.Camera)+int64(24*time.Hour/time.Second))
	u.certified.Store(max(latest, begin(u.config.Credentials)))
}

// begin returns when the certificate of from begins, in seconds since 1970; long ago
// if there is none.
func begin(from interface{ TLS() (*tls.Config, error) }) int64 {
	conf, err := from.TLS()
	if err != nil || len(conf.Certificates) == 0 || conf.Certificates[0].Leaf == nil {
		return 0
	}
	return conf.Certificates[0].Leaf.NotBefore.Unix()
}

// laterTime returns by which time to judge again after err: a camera whose clock
// was lost, and which was switched off while the broker got a new certificate,
// finds it to begin after its floor. That the household's authority signed it
// says that this time has come. A certificate that ended before the floor stays
// refused, and so does one of the future when the clock is good.
func (u *Uplink) laterTime(err error) (time.Time, bool) {
	var invalid x509.CertificateInvalidError
	if !errors.Is(err, mqtt.ErrNotYetValid) || !errors.As(err, &invalid) || invalid.Cert == nil || u.clock() != seal.ClockNone {
		return time.Time{}, false
	}
	begins := invalid.Cert.NotBefore
	return begins, begins.After(u.floor())
}

// meta returns what is said about every message: when, and how sure of it.
func (u *Uplink) meta() seal.Meta {
	m := seal.Meta{Mono: u.config.Mono(), Clock: u.clock()}
	if m.Clock != seal.ClockNone {
		m.Taken = u.config.Now()
	}
	return m
}
