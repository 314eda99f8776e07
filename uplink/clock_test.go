package uplink

import (
	"crypto/x509"
	"path"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

func TestLivePicturesCountUp(t *testing.T) {
	now := before2024.AddDate(3, 0, 0)
	if a, b := firstLive(7, now), firstLive(8, now); a >= b {
		t.Error("the next boot counts lower")
	}
	// A boot that could not be counted, an hour of one live picture a second
	// later.
	if a, b := firstLive(7, now)+3599, firstLive(7, now.Add(time.Hour)); a >= b {
		t.Error("an uncounted boot counts lower")
	}
	if firstLive(1, time.Unix(0, 0)) != 1<<32 || firstLive(1<<20, now.AddDate(200, 0, 0)) > seal.MaxSeq {
		t.Error("out of range")
	}
}

// A board that wakes up in 1970 says that it has no clock, and still judges
// certificates by the last time it knew.
func TestClockAt1970(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		right := h.now
		h.open()
		h.send("one")
		h.halt()
		h.now = func() time.Time { return time.Unix(100, 0) }
		h.open()
		h.send("two")
		h.do(h.up.Live(h.picture("live")))
		h.air.check = func(c mqtt.Config) {
			if got := c.TLS.Time(); got.Before(right().Add(-time.Hour)) {
				t.Errorf("certificates are judged at %v", got)
			}
		}
		h.run()
		for _, s := range h.arrived() {
			if path.Base(s.Topic) != "media" {
				continue
			}
			v, err := h.opener.Open(h.camera.ID(), s.Payload)
			h.do(err)
			if m := v.Meta(); said(v) == "two" && (m.Clock != seal.ClockNone || !m.Taken.IsZero()) {
				t.Errorf("clock %s, taken %v", m.Clock, m.Taken)
			}
		}
	})
}

// A wrong clock of the past does not outlive the right time.
func TestClockMends(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		right, quality := h.now, seal.ClockRTC
		h.clock = func() string { return quality }
		h.now = func() time.Time { return right().AddDate(50, 0, 0) }
		h.open()
		h.send("one")
		h.now = right
		h.halt()
		h.open()
		if got := h.up.clock(); got != seal.ClockNone {
			t.Errorf("%s clock, 50 years behind what was believed", got)
		}
		quality = seal.ClockNTP
		if got := h.up.clock(); got != seal.ClockNTP {
			t.Errorf("%s, want %s", got, quality)
		}
		quality = seal.ClockRTC
		if got := h.up.clock(); got != seal.ClockRTC {
			t.Errorf("%s, want %s", got, quality)
		}
	})
}

// A camera that lost its clock, and was switched off while its broker got a new
// certificate, takes the beginning of that certificate for the time; one whose
// clock is good does not, and nobody takes a time that is over.
func TestBrokerCertificateOfTheFuture(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		right := h.now()
		h.open()
		h.send("one") // the time that is believed
		h.halt()
		notYet := func(begins time.Time) error {
			cert := &x509.Certificate{NotBefore: begins, NotAfter: begins.AddDate(1, 0, 0)}
			return &mqtt.Error{Reason: mqtt.ErrNotYetValid, Broker: "test:1", Err: x509.CertificateInvalidError{Cert: cert, Reason: x509.Expired}}
		}
		var judged []time.Time
		h.air.check = func(c mqtt.Config) { judged = append(judged, c.TLS.Time()) }
		attempt := func(now, begins time.Time) []time.Time {
			judged = nil
			h.now = func() time.Time { return now }
			h.air.down = notYet(begins)
			h.open()
			_, _ = h.up.dial(t.Context())
			h.halt()
			return judged
		}
		lost := time.Unix(100, 0)
		renewed := right.AddDate(0, 3, 0)
		if got := attempt(lost, renewed); len(got) != 2 || !got[1].Equal(renewed) {
			t.Errorf("without a clock it is judged at %v", got)
		}
		if got := attempt(lost, right.AddDate(0, -3, 0)); len(got) != 1 || got[0].Before(right.Add(-time.Minute)) {
			t.Errorf("a time that is over: judged at %v", got)
		}
		if got := attempt(right.AddDate(0, 0, 1), renewed); len(got) != 1 {
			t.Errorf("with a clock it is judged at %v", got)
		}
	})
}
