package broker

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// However late timers are, no second has more handshakes than it may, wherever it
// begins; those that were late are made up for, and what was not used is not saved up.
func TestPace(t *testing.T) {
	const rate = 50
	p, start := pace{rate: rate}, time.Unix(0, 0)
	now, rng := start, rand.New(rand.NewPCG(1, 1))
	var all []time.Time
	for range 10 * rate {
		late := time.Duration(rng.ExpFloat64() * float64(5*time.Millisecond))
		if rng.IntN(40) == 0 {
			late += time.Second / 11
		}
		now = now.Add(p.next(now) + late)
		p.began(now)
		all = append(all, now)
	}
	most, first := 0, 0
	for i, at := range all {
		for at.Sub(all[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	if most > rate || p.busiest != most {
		t.Errorf("%d handshakes within a second, at most %d; counted %d", most, rate, p.busiest)
	}
	if got := now.Sub(start); got > 11*time.Second || got < 9*time.Second {
		t.Errorf("%d handshakes took %v", 10*rate, got)
	}
	now = now.Add(time.Hour)
	n := 0
	for n < rate && p.next(now) == 0 {
		p.began(now)
		n++
	}
	if n > rate/10+1 {
		t.Errorf("after an hour of silence %d at once", n)
	}
}

// crowd is a listener at which as many stand as were made.
type crowd struct {
	net.Listener
	at chan net.Conn
}

func (c crowd) Accept() (net.Conn, error) {
	conn, ok := <-c.at
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Who finds no room to wait, or the house full, is sent away without a handshake;
// the others come in at the pace.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := crowd{at: make(chan net.Conn)}
		d := newDoor(l, &tls.Config{}, Limits{Clients: 20, Handshakes: 10, Waiting: 30}.withDefaults())
		var came []time.Time
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, err := d.Accept(); err != nil {
					return
				}
				came = append(came, time.Now())
			}
		}()
		gone := 0
		for range 100 {
			ours, theirs := net.Pipe()
			l.at <- theirs
			synctest.Wait()
			_ = ours.SetReadDeadline(time.Now().Add(time.Nanosecond))
			if _, err := ours.Read(make([]byte, 1)); err != nil && !isTimeout(err) {
				gone++
			}
		}
		time.Sleep(10 * time.Second)
		close(l.at)
		<-ended
		if len(came) != 20 || gone < 60 {
			t.Errorf("%d came in, of at most 20; %d of 100 were sent away at once", len(came), gone)
		}
		if took := came[19].Sub(came[0]); took < 1500*time.Millisecond || took > 3*time.Second {
			t.Errorf("20 came in within %v, at 10 a second", took)
		}
		if d.counts.Refused != 80 || d.counts.Admitted != 20 {
			t.Errorf("%+v", d.counts)
		}
	})
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// A visitor who says nothing after coming in does not stay.
func TestSilentVisitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		v := &visitor{Conn: tls.Server(theirs, &tls.Config{}), door: newDoor(nil, nil, Limits{}.withDefaults())}
		began := time.Now()
		if _, err := v.Read(make([]byte, 1)); err == nil {
			t.Error("read something")
		}
		if took := time.Since(began); took > 2*shakeTime {
			t.Errorf("stayed %v", took)
		}
		ours.Close()
	})
}

// The counts of a true broker are those of its visitors.
func TestLimitsOfABroker(t *testing.T) {
	h := newHouse(t)
	before := h.broker.Counts()
	h.camera(t, "door")
	h.camera(t, "garden")
	c := h.broker.Counts()
	if c.Admitted-before.Admitted != 2 || c.Shaken-before.Shaken != 2 || c.Inside != 2 || c.Refused != 0 {
		t.Errorf("%+v", c)
	}
}
