package uplink

import (
	"crypto/x509"
	"errors"
	"path"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Live pictures count up over boots, also such as a read-only disk cannot count,
// however many there are: after a power cut each boot starts above the last.
func TestLivePicturesCountUp(t *testing.T) {
	now := before2024.AddDate(3, 0, 0)
	last := uint64(0)
	for i, boot := range []struct {
		number  uint64
		counted bool
	}{{7, true}, {8, true}, {9, false}, {9, false}, {9, false}, {9, true}, {10, false}, {10, true}, {11, true}} {
		l := newLives(boot.number, boot.counted, now)
		given := 0
		for range 600 { // twenty seconds of 30 frames a second
			now = now.Add(time.Second / 30)
			n, err := l.next(now)
			if err != nil {
				continue
			}
			if n <= last || n > seal.MaxSeq {
				t.Fatalf("boot %d gives number %d after %d", i, n, last)
			}
			given++
			last, l.seq = n, n
		}
		if want := map[bool]int{true: 600, false: 20}[boot.counted]; given < want-1 || given > want+1 {
			t.Errorf("boot %d: %d pictures, want %d", i, given, want)
		}
	}
	if _, err := newLives(1, false, time.Unix(0, 0)).next(time.Unix(10, 0)); !errors.Is(err, ErrUncounted) {
		t.Errorf("without a clock: %v", err)
	}
	if n, _ := newLives(1<<20, true, now.AddDate(200, 0, 0)).next(now); n > seal.MaxSeq {
		t.Errorf("%d is out of range", n)
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
