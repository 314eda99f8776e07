package brokertest

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// The life of a household is told over the two brokers that homes have.
var homes = []engine{{"mochi", false, mochi}, {"mosquitto", true, mosquittoWithout}}

func inHomes(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range homes {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

// friend adds a viewer to the household, with a directory of its own, and runs it.
func (h *house) friend(url, name string) *screen {
	h.t.Helper()
	_, err := h.AddViewer(name)
	check(h.t, err)
	dir := filepath.Join(h.dir, name)
	check(h.t, h.ExportViewer(name, dir))
	other := *h
	other.screen, err = identity.OpenViewer(dir, name)
	check(h.t, err)
	return other.watch(url)
}

// told tells whether a viewer has refused something about a camera for a reason.
func told(id seal.CameraID, what viewer.What, reason seal.Reason) func(viewer.Outcome) bool {
	return func(o viewer.Outcome) bool { return o.What == what && o.Camera == id && o.Refusal.Reason == reason }
}

// A viewer that is removed is shown nothing more: from the first picture on that
// the camera seals once it has the new roster. A camera that was away gets the
// roster when it comes back.
func TestRemovedViewer(t *testing.T) {
	inHomes(t, func(t *testing.T, e engine) {
		h := newHouse(t)
		door := h.camera("door")
		s := e.serve(t, h.files(host))
		phone := h.friend(s.url(), "phone")
		eye := h.watch(s.url())
		cam := h.start(door, s.url(), h.heard(slog.LevelDebug))
		eye.until("the camera has the phone's roster", func() bool { return door.Roster().Version == 4 })
		check(t, cam.Send(picture("before", 0)))
		phone.until("the phone sees", func() bool { return phone.count(door.ID(), "before") == 1 })

		check(t, h.RemoveViewer("phone"))
		eye.until("the camera has the new roster", func() bool { return door.Roster().Version == 5 })
		check(t, cam.Send(picture("after", 0)))
		eye.until("the owner sees", func() bool { return eye.count(door.ID(), "after") == 1 })
		phone.until("the phone is refused", func() bool { return phone.saw(told(door.ID(), viewer.Refused, seal.NotForYou)) })
		if phone.count(door.ID(), "after") != 0 {
			t.Error("the phone was shown a picture after its removal")
		}
		// Nor is it obeyed any more.
		check(t, phone.viewer.Ask(t.Context(), door.ID()))
		eye.until("its command is refused", func() bool { return cam.Stats().Refusals["command revoked"] > 0 })

		// A camera that is away while the household changes.
		cam.stop()
		_, err := h.AddViewer("tablet")
		check(t, err)
		eye.until("the viewer has it", func() bool { return eye.viewer.Roster().Version == 6 })
		cam = h.start(door, s.url(), h.heard(slog.LevelDebug))
		eye.until("it has the roster that it missed", func() bool { return door.Roster().Version == 6 })
	})
}

// Whatever stands where a camera reads its roster, it is refused with its own
// reason, counted, and replaced by a viewer: also what is too large to be read.
func TestHostileRosters(t *testing.T) {
	inHomes(t, func(t *testing.T, e engine) {
		h, other := newHouse(t), newHouse(t)
		door := h.camera("door")
		s := e.serve(t, h.files(host))
		eye := h.watch(s.url())
		cam := h.start(door, s.url(), h.heard(slog.LevelDebug))
		_, old, err := h.Roster()
		check(t, err)
		_, err = h.AddViewer("phone")
		check(t, err)
		eye.until("the camera has the newest", func() bool { return door.Roster().Version == 4 })
		_, theirs, err := other.Roster()
		check(t, err)
		_, forged, err := h.Roster()
		check(t, err)
		forged = append([]byte(nil), forged...)
		forged[len(forged)-1] ^= 1
		crowd := make([]byte, 7<<20) // ten thousand viewers would be more; brokers have limits, too
		mallory, err := dial(t, s.url(), h.screen.TLS(), "mallory")
		check(t, err)
		for kind, b := range map[string][]byte{"replayed": old, "not for you": theirs, "broken seal": forged, "malformed": crowd} {
			token := mallory.Publish(t.Context(), mqtt.Message{Topic: "sealcam/v1/" + string(door.ID()) + "/roster", Payload: b, QoS: 1, Retained: true})
			eye.until("it is counted as "+kind, func() bool { return cam.Stats().Refusals["roster "+kind] > 0 })
			eye.until("the viewer refuses it", func() bool {
				return eye.saw(told(door.ID(), viewer.RosterRefused, seal.Reason(kind)))
			})
			<-token.Done()
		}
		// After a restart the camera reads the right one again.
		cam.stop()
		cam = h.start(door, s.url(), h.heard(slog.LevelDebug))
		check(t, cam.Send(picture("after", 0)))
		eye.until("the picture is verified", func() bool { return eye.count(door.ID(), "after") == 1 })
		if door.Roster().Version != 4 {
			t.Errorf("roster %d", door.Roster().Version)
		}
	})
}

// A camera that is sold is a new camera: whatever a broker, a cache or the old
// owner keeps of the old one, nobody is shown a picture of the other's home.
func TestResoldCamera(t *testing.T) {
	e := homes[1] // the other one has rules against what is tried here
	seller, buyer := newHouse(t), newHouse(t)
	// One broker serves both, as a maker's cloud does.
	s := both(e, t, seller, buyer)
	state := filepath.Join(seller.dir, "door")
	old := seller.camera("door")
	theirs := seller.watch(s.url())
	cam := seller.start(old, s.url(), seller.heard(slog.LevelDebug))
	check(t, cam.Send(picture("the seller's home", 0)))
	check(t, cam.Live(picture("the seller's home, live", 0)))
	theirs.until("the seller sees", func() bool {
		return theirs.count(old.ID(), "the seller's home") == 1 && theirs.count(old.ID(), "the seller's home, live") == 1
	})
	cam.stop()
	check(t, identity.ResetCamera(state))

	buyer.dir = seller.dir // the same board
	now := buyer.camera("door")
	if now.ID() == old.ID() {
		t.Fatal("the board has kept its name")
	}
	ours := buyer.watch(s.url())
	cam = buyer.start(now, s.url(), buyer.heard(slog.LevelDebug))
	check(t, cam.Send(picture("the buyer's home", 0)))
	ours.until("the buyer sees", func() bool { return ours.count(now.ID(), "the buyer's home") == 1 })

	// A cache that takes the one for the other: everything goes out under both names.
	mix(t, s.url(), seller, old.ID(), now.ID())
	mix(t, s.url(), buyer, now.ID(), old.ID())
	check(t, cam.Live(picture("the buyer's home, live", 0)))
	ours.until("the buyer is shown a refusal", func() bool { return ours.saw(told(now.ID(), viewer.Refused, seal.WrongCamera)) })
	theirs.until("the seller is shown a refusal", func() bool { return theirs.saw(told(old.ID(), viewer.Refused, seal.WrongCamera)) })
	for _, text := range []string{"the seller's home", "the seller's home, live"} {
		if ours.count(now.ID(), text)+ours.count(old.ID(), text) != 0 {
			t.Errorf("the buyer was shown %s", text)
		}
	}
	for _, text := range []string{"the buyer's home", "the buyer's home, live"} {
		if theirs.count(old.ID(), text)+theirs.count(now.ID(), text) != 0 {
			t.Errorf("the seller was shown %s", text)
		}
	}
	// The seller's word is nothing to the new camera.
	order, err := seal.SignCommand(seller.Owner(), seal.Command{Camera: now.ID(), Counter: 1 << 50, Verb: seal.VerbReset,
		Issued: time.Now(), Expires: time.Now().Add(time.Minute)})
	check(t, err)
	conn, err := dial(t, s.url(), seller.screen.TLS(), "seller")
	check(t, err)
	conn.Publish(t.Context(), mqtt.Message{Topic: "sealcam/v1/" + string(now.ID()) + "/cmd", Payload: order, QoS: 1})
	ours.until("the seller's command is refused", func() bool { return cam.Stats().Refusals["command revoked"] == 1 })
}

// both serves two households by one broker that believes both authorities.
func both(e engine, t *testing.T, a, b *house) *server {
	t.Helper()
	f := a.files(host)
	check(t, os.WriteFile(f.ca, append(a.Authority(), b.Authority()...), 0o600))
	for _, h := range []*house{a, b} {
		h.trust = append(h.trust, a.Authority()) // who signed the broker's certificate
	}
	return e.serve(t, f)
}

// mix copies what comes on the topics of one camera to those of another.
func mix(t *testing.T, url string, h *house, from, to seal.CameraID) {
	t.Helper()
	conn, err := dial(t, url, h.believing(h.screen.TLS()), "mix-"+string(from[:8]))
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for {
			select {
			case m := <-conn.Messages():
				m.Topic, m.QoS, m.Retained = "sealcam/v1/"+string(to)+"/"+filepath.Base(m.Topic), 1, true
				conn.Publish(ctx, m)
			case <-ctx.Done():
				return
			}
		}
	}()
	for _, kind := range []string{"media", "live", "status", "roster"} {
		check(t, conn.Subscribe(t.Context(), "sealcam/v1/"+string(from)+"/"+kind))
	}
}

// An owner resets a camera from afar; a viewer cannot.
func TestResetFromAfar(t *testing.T) {
	inHomes(t, func(t *testing.T, e engine) {
		h := newHouse(t)
		door := h.camera("door")
		s := e.serve(t, h.files(host))
		eye := h.watch(s.url())
		up, err := uplink.Open(uplink.Config{Dir: filepath.Join(h.dir, "spool"), Camera: door, Broker: s.url(), Budget: 1 << 20,
			Now: time.Now, Mono: sinceStart(), Log: slog.New(h.heard(slog.LevelDebug))})
		check(t, err)
		ended := make(chan error, 1)
		go func() { ended <- up.Run(t.Context()) }()
		check(t, up.Status(uplink.Status{State: "running"}))
		eye.until("the camera runs", func() bool { return eye.saw(isStatus("running")) })
		conn, err := dial(t, s.url(), h.screen.TLS(), "owner")
		check(t, err)
		for _, order := range []struct {
			key     *identity.Viewer // nil for the owner
			counter uint64
		}{{h.screen, 1 << 50}, {nil, 1}} {
			signer := h.Owner()
			c := seal.Command{Camera: door.ID(), Counter: order.counter, Verb: seal.VerbReset, Issued: time.Now(), Expires: time.Now().Add(time.Minute)}
			b, err := seal.SignCommand(signer, c)
			if order.key != nil {
				b, err = seal.SignCommand(order.key.Key().Signer(), c)
			}
			check(t, err)
			conn.Publish(t.Context(), mqtt.Message{Topic: "sealcam/v1/" + string(door.ID()) + "/cmd", Payload: b, QoS: 1})
			if order.key != nil {
				eye.until("the viewer's command is refused", func() bool { return up.Stats().Refusals["command revoked"] == 1 })
			}
		}
		select {
		case err = <-ended:
		case <-time.After(patience):
			t.Fatal("the camera goes on")
		}
		if !errors.Is(err, uplink.ErrReset) {
			t.Errorf("ended with %v", err)
		}
		check(t, up.Close())
		eye.until("its last word is verified", func() bool { return eye.saw(isStatus("reset")) })
	})
}

// believing returns conf, and believes besides what the house trusts.
func (h *house) believing(conf *tls.Config) *tls.Config {
	for _, ca := range h.trust {
		conf.RootCAs = conf.RootCAs.Clone()
		conf.RootCAs.AppendCertsFromPEM(ca)
	}
	return conf
}
