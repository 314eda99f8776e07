package uplink

import (
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// ring is Credentials that a test changes.
type ring struct {
	camera  *identity.Camera
	changed chan struct{}

	mu    sync.Mutex
	name  string // of the server, by which a test tells what was used
	tried []error
}

func (r *ring) TLS() (*tls.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	conf, err := r.camera.TLS()
	conf.ServerName = r.name
	return conf, err
}

func (r *ring) Tried(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried = append(r.tried, err)
}

func (r *ring) Changed() <-chan struct{} { return r.changed }

func (r *ring) change(name string) {
	r.mu.Lock()
	r.name = name
	r.mu.Unlock()
	r.changed <- struct{}{}
}

// A better certificate is used at once, over a connection that is ended in good
// order, and nothing that waited is lost; what became of it is told.
func TestCredentialsChange(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		r := &ring{camera: h.camera, changed: make(chan struct{}, 1), name: "old"}
		var used []string
		h.credentials, h.air.check = r, func(c mqtt.Config) { used = append(used, c.TLS.ServerName) }
		h.air.down = errDown
		h.open()
		h.run()
		h.pass(time.Minute)
		h.air.mu.Lock()
		h.air.down = nil
		h.air.mu.Unlock()
		h.pass(longestPause)
		if n := len(r.tried); n < 2 || r.tried[n-1] != nil || !errors.Is(r.tried[0], mqtt.ErrUnreachable) {
			t.Fatalf("told %v", r.tried)
		}
		used = nil
		h.send("one")
		before := time.Now()
		r.change("new")
		synctest.Wait()
		h.send("two")
		synctest.Wait()
		if !slices.Equal(used, []string{"new"}) || time.Since(before) > time.Second {
			t.Errorf("connected as %v after %v", used, time.Since(before))
		}
		if st := h.up.Stats(); st.Waiting != 0 || !st.Connected {
			t.Errorf("%+v", st)
		}
		if n := h.log.count("not connected"); n > 1 {
			t.Errorf("complained %d times", n)
		}
	})
}

// A clock that is behind the beginning of the camera's own certificate has been
// lost, whatever it says of itself.
func TestClockBehindItsCertificate(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		real := h.now
		h.now = func() time.Time { return real().AddDate(0, 0, -100) }
		h.clock = func() string { return seal.ClockRTC }
		h.open()
		if h.up.Clock() != seal.ClockNone {
			t.Error("a clock from before the certificate was made is believed")
		}
		if at, known := h.up.Time(); known || at.Before(real().Add(-25*time.Hour)) {
			t.Errorf("certificates are judged by %v, known %t", at, known)
		}
	})
}
