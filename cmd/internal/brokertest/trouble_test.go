package brokertest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// The broker is killed and started again, over and over, in the middle of a
// flood; what it held is gone each time. Nothing is lost, and nothing is shown
// twice.
func TestBrokerKilledInFlood(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		h := newHouse(t)
		door := h.camera("door")
		s := e.serve(t, h.files(host), door.ID())
		eye := h.watch(s.url())
		cam := h.start(door, s.url(), h.heard(slog.LevelDebug))
		const rounds, batch, all = 3, 80, 321
		// A viewer asks for what is missing since the first message that it had, and the
		// newest may overtake: so one goes alone.
		check(t, cam.Send(picture("picture 0", 100_000)))
		sent := 1
		eye.until("the first picture is verified", func() bool { n, _ := eye.total(); return n == 1 })
		flood := func() {
			for range batch {
				check(t, cam.Send(picture(fmt.Sprint("picture ", sent), 100_000)))
				sent++
			}
		}
		for range rounds {
			before := cam.Stats().Published
			flood()
			eye.until("the flood flows", func() bool { return cam.Stats().Published >= before+batch/4 })
			s.stop()
			s.start()
		}
		flood()
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("camera: %+v", cam.Stats())
			}
		})
		// What came last and was lost shows with the next message, as an agent
		// sends one every so often.
		var said time.Time
		eye.until("all pictures are verified", func() bool {
			if time.Since(said) > time.Second {
				said = time.Now()
				check(t, cam.Status(uplink.Status{State: "running"}))
			}
			n, _ := eye.total()
			return n == all
		})
		eye.until("nothing is missing", func() bool { return eye.viewer.Stats().Missing == 0 })
		n, doubles := eye.total()
		st := eye.viewer.Stats()
		t.Logf("sent %d, verified %d, doubles %d, lost %d; %d connections, %d resends, %d duplicates on the way",
			all, n, doubles, all-n, cam.Stats().Connects, st.Resends, st.Duplicates)
		if n != all || doubles != 0 || len(st.Refused) != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Who is at fault is said once, with what to do about it; pictures wait, and
// arrive when it is mended.
func TestTroubleWithBroker(t *testing.T) {
	each(t, func(t *testing.T, e engine) {
		h := newHouse(t)
		door := h.camera("door")
		past, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "old"), "", func() time.Time { return time.Now().AddDate(-30, 0, 0) })
		check(t, err)
		stranger := newHouse(t)
		foreign := stranger.camera("door")

		t.Run("wrong name", func(t *testing.T) {
			s := e.serve(t, h.files("elsewhere.example"), door.ID())
			conf, err := door.TLS()
			check(t, err)
			_, err = dial(t, s.url(), conf, string(door.ID()))
			blames(t, err, mqtt.ErrWrongName)
		})
		t.Run("expired", func(t *testing.T) {
			old := &house{Household: past, t: t, dir: t.TempDir()}
			s := e.serve(t, old.files(host), door.ID())
			conf, err := door.TLS()
			check(t, err)
			conf.RootCAs.AppendCertsFromPEM(past.Authority())
			_, err = dial(t, s.url(), conf, string(door.ID()))
			blames(t, err, mqtt.ErrExpired)
		})
		t.Run("unknown authority", func(t *testing.T) {
			s := e.serve(t, h.files(host), door.ID())
			conf, err := foreign.TLS()
			check(t, err)
			_, err = dial(t, s.url(), conf, string(foreign.ID()))
			blames(t, err, mqtt.ErrUnknownCA)
		})
		t.Run("client refused", func(t *testing.T) {
			s := e.serve(t, h.files(host), door.ID())
			conf, err := foreign.TLS()
			check(t, err)
			conf.RootCAs.AppendCertsFromPEM(h.Authority())
			_, err = dial(t, s.url(), conf, string(foreign.ID()))
			blames(t, err, mqtt.ErrRefused)
		})
		t.Run("down, then up", func(t *testing.T) {
			s := e.serve(t, h.files(host), door.ID())
			eye := h.watch(s.url()) // before the camera comes: what it sends to nobody is gone
			way := at(freePort(t))
			var log lines
			cam := h.start(door, "mqtts://"+way, log.handler())
			check(t, cam.Send(picture("waited", 0)))
			limit := time.Now().Add(patience)
			for !strings.Contains(log.String(), "start the broker") {
				if time.Now().After(limit) {
					t.Fatalf("no hint in %q", log.String())
				}
				time.Sleep(10 * time.Millisecond)
			}
			if st := cam.Stats(); st.Connected || st.Waiting != 1 {
				t.Errorf("%+v", st)
			}
			newLinkAt(t, way, s.port)
			eye.until("the picture is verified", func() bool { return eye.count(door.ID(), "waited") == 1 })
			if n := strings.Count(log.String(), "not connected"); n != 1 {
				t.Errorf("said %d times: %s", n, log.String())
			}
		})
	})
}

// A broker that announces 255 MiB costs a line in the log and no memory, and the
// camera goes on to the next one.
func TestHostileBroker(t *testing.T) {
	h := newHouse(t)
	door := h.camera("door")
	f := h.files(host)
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	check(t, err)
	port := freePort(t)
	l, err := tls.Listen("tcp", at(port), &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	check(t, err)
	visits := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 1<<16))                                        // CONNECT
				_, _ = c.Write([]byte{0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1}) // CONNACK, and PUBLISH of 255 MiB
				_, _ = c.Read(make([]byte, 1<<16))
				visits <- struct{}{}
			}()
		}
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var log lines
	cam := h.start(door, "mqtts://"+at(port), log.handler())
	check(t, cam.Send(picture("waited", 0)))
	for range 2 {
		select {
		case <-visits:
		case <-time.After(patience):
			t.Fatalf("it does not come back: %s", log.String())
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d bytes were allocated for it", grown)
	}
	if text := log.String(); strings.Count(text, "not connected") != 1 || !strings.Contains(text, "does not keep to the protocol") {
		t.Errorf("said %q", text)
	}
	check(t, l.Close())
	s := &server{t: t, port: port, run: mochi(t, f, port, nil)}
	s.start()
	t.Cleanup(s.stop)
	eye := h.watch(s.url())
	eye.until("the picture is verified", func() bool { return eye.count(door.ID(), "waited") == 1 })
}

func blames(t *testing.T, err, reason error) {
	t.Helper()
	var e *mqtt.Error
	if !errors.As(err, &e) || !errors.Is(err, reason) || e.Hint() == "" {
		t.Fatalf("got %v, want %v", err, reason)
	}
	t.Logf("%v\nhint: %s", err, e.Hint())
}
