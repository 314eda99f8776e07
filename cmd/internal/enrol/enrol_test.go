package enrol

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// A camera enrols with a PKI, opens a broker that knows that PKI alone, and renews
// before its certificate ends; a server of other people's make has the word.
func TestLifeWithAPKI(t *testing.T) {
	h, p := newHouse(t), newPKI(t, "Site CA")
	broker := h.brokerFor(p)
	s := Settings{From: FromEST, URL: p.estServer(), Anchor: p.anchor()}
	k := h.open(s)
	if _, err := h.connect(k, broker); !errors.Is(err, mqtt.ErrRefused) {
		t.Fatalf("the household's certificate: %v", err)
	}
	k.stepEST(t.Context(), h.clock)
	first, err := h.connect(k, broker)
	check(t, err)
	if first.Issuer.CommonName != "Site CA" || first.Subject.CommonName != string(h.camera.ID()) {
		t.Errorf("opened by %v, of %v", first.Subject, first.Issuer)
	}
	if st := k.Status(h.clock.Time()); st.From != FromEST || *st.Days < 80 || st.Trouble != "" || st.Issuer != "CN=Site CA" {
		t.Errorf("status %+v", st)
	}

	h.clock.pass(40 * 24 * time.Hour)
	k.stepEST(t.Context(), h.clock)
	if now := leaf(t, k); !now.Equal(first) {
		t.Error("renewed before its time")
	}
	// It slept until 70 of 90 days were over.
	h.clock = newWatch()
	first = p.client(string(h.camera.ID()), first.PublicKey, h.clock.now.AddDate(0, 0, -70), h.clock.now.AddDate(0, 0, 20))
	check(t, h.camera.SetEnrolled(identity.Proven, []*x509.Certificate{first}))
	k = h.open(s)
	k.stepEST(t.Context(), h.clock)
	second := leaf(t, k)
	if second.Equal(first) {
		t.Fatalf("not renewed after two thirds of its life: %+v", k.Status(h.clock.Time()))
	}
	select {
	case <-k.Changed():
	default:
		t.Error("the uplink was not told")
	}
	if _, err := h.camera.Enrolled(identity.Proven); err != nil {
		t.Errorf("the old certificate went before the new one has opened the broker: %v", err)
	}
	_, err = h.connect(k, broker)
	check(t, err)
	if kept, err := h.camera.Enrolled(identity.Proven); err != nil || !kept[0].Equal(second) {
		t.Errorf("kept: %v", err)
	}
}
