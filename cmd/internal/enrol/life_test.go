package enrol

import (
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
)

// Certificates of an hour are renewed in time, however long.
func TestShortLived(t *testing.T) {
	s := newSite(t)
	s.p.Life = time.Hour
	k := s.open(s.s)
	for range 12 * 30 {
		k.stepEST(t.Context(), s.clock)
		c := leaf(t, k)
		if c.Issuer.CommonName != "Site CA" || s.clock.now.After(c.NotAfter.Add(-10*time.Minute)) {
			t.Fatalf("until %v, and it is %v: %s", c.NotAfter, s.clock.now, s.trouble(k))
		}
		k.Tried(nil)
		s.clock.pass(2 * time.Minute)
	}
	if n := s.asked("simplereenroll"); n < 15 || n > 21 {
		t.Errorf("renewed %d times in half a day", n)
	}
}

// What opened the broker is what was shown to it, not what came while it did.
func TestOfferedWhileConnecting(t *testing.T) {
	s := newSite(t)
	old := s.holds(-70*day, 20*day)
	k := s.open(s.s)
	leaf(t, k) // handed to the uplink
	k.stepEST(t.Context(), s.clock)
	k.Tried(nil)
	if kept, err := s.camera.Enrolled(identity.Proven); err != nil || !kept[0].Equal(old) {
		t.Errorf("a certificate that opened nothing took the place of the old one: %v", err)
	}
	select {
	case <-k.Changed():
	default:
		t.Error("the new one is not tried")
	}
	signal(k.changed) // once more, and the uplink is connecting already
	leaf(t, k)
	k.Tried(nil)
	select {
	case <-k.Changed():
		t.Error("connects again with what it has connected with")
	default:
	}
}

// Failures are tried again after longer and longer, and sooner when little is left.
func TestPauses(t *testing.T) {
	if a, b := pause(1, 0, 0.5), pause(20, 0, 0.5); a != time.Minute || b != longestPause {
		t.Errorf("%v, %v", a, b)
	}
	if d := pause(20, 8*time.Minute, 0.5); d != time.Minute {
		t.Errorf("with 8 minutes left: %v", d)
	}
	if low, high := pause(3, 0, 0), pause(3, 0, 0.999); low < 3*time.Minute || high > 5*time.Minute || low == high {
		t.Errorf("%v to %v", low, high)
	}
}

// Cameras that were enrolled in one moment are not renewed in one.
func TestRenewalsAreSpread(t *testing.T) {
	p, key := newPKI(t, "CA"), newKey(t)
	begin := time.Now().Truncate(time.Second)
	days := map[int]int{}
	for range 200 {
		c := p.client("cam", key.Public(), begin, begin.Add(90*day))
		at := renewAt(c, "cam").Sub(begin)
		if at < 56*day || at > 64*day {
			t.Fatalf("renewed after %v of 90 days", at)
		}
		if at != renewAt(c, "cam").Sub(begin) {
			t.Fatal("not the same twice")
		}
		days[int(at/day)]++
	}
	if len(days) < 6 {
		t.Errorf("renewed on %v", days)
	}
}
