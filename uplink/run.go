package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	// steady is how long a connection must have lasted for the pauses to start
	// over.
	steady = 30 * time.Second
	// useful is the same for a connection over which something stored has passed:
	// of a link that is cut again and again not much may be wasted.
	useful = 5 * time.Second
)

// Run connects, publishes what waits, and obeys commands until ctx ends. It
// returns nil then, and no network trouble ends it. It is ErrReset when an owner
// has reset the camera.
func (u *Uplink) Run(ctx context.Context) error {
	pauses, told := newBackoff(u.config.Spread), ""
	wait(ctx, pauses.start(rand.Float64()))
	for ctx.Err() == nil {
		began, before := u.config.Mono(), u.carried
		err := u.session(ctx)
		u.spool.Return()
		u.disconnected(err)
		if errors.Is(err, ErrReset) {
			return ErrReset
		}
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errCredentials) {
			u.log.Info(errCredentials.Error())
			continue
		}
		if lasted := u.config.Mono() - began; lasted >= steady || lasted >= useful && u.carried > before {
			pauses.reset()
			told = ""
		}
		u.brokers.other()
		if key := trouble(err); key != told { // each trouble is told once
			told = key
			u.log.Warn("not connected; pictures wait in the spool", "err", err, "hint", hint(err))
		} else {
			u.log.Debug("still not connected", "err", err)
		}
		wait(ctx, pauses.next(rand.Float64()))
	}
	return nil
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// trouble names what is wrong. It is the same for the same trouble, whatever
// port numbers and times the error tells.
func trouble(err error) string {
	var e *mqtt.Error
	if errors.As(err, &e) {
		return e.Reason.Error() + e.Hint()
	}
	return err.Error()
}

// hint returns what a person can do about err, "" if it does not say.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func (u *Uplink) connected() {
	u.log.Info("connected", "broker", u.brokers.url())
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counters.Connected, u.counters.LastError = true, ""
	u.counters.Connects++
}

func (u *Uplink) disconnected(why error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counters.Connected, u.counters.LastError = false, why.Error()
}

// dial connects, with a will that is sealed like every message.
func (u *Uplink) dial(ctx context.Context) (Conn, error) {
	select {
	case <-u.config.Credentials.Changed(): // this attempt is made with what changed
	default:
	}
	u.certify()
	conf, err := u.config.Credentials.TLS()
	if err != nil {
		return nil, err
	}
	conf.Time = u.tlsTime
	will, err := u.lastWord("offline") // the broker publishes it when the connection ends without a goodbye
	if err != nil {
		return nil, err
	}
	c := mqtt.Config{
		URL: u.brokers.url(), TLS: conf, ClientID: string(u.id), Will: will, Log: u.log,
		MaxIncoming: seal.MaxRoster + 1024,
		Queue:       2 * (seal.MaxGroups + 2), // settings for every target may come at once
	}
	conn, err := u.config.Dial(ctx, c)
	if later, ok := u.laterTime(err); ok {
		conf.Time = func() time.Time { return later }
		return u.config.Dial(ctx, c)
	}
	return conn, err
}

// lastWord returns a status that stands for the camera when it says nothing
// more; nil while the camera seals nothing.
func (u *Uplink) lastWord(state string) (*mqtt.Message, error) {
	text, err := json.Marshal(Status{State: state, Firmware: u.config.Firmware})
	if err != nil {
		return nil, err
	}
	m := u.meta()
	m.Stream, m.Kind, m.Media = seal.Will, seal.KindStatus, statusMedia
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sealer == nil {
		return nil, nil
	}
	m.Seq = u.counters.Connects + 1 // may not fall within one boot
	s, err := u.sealer.Seal(m, text)
	if err != nil {
		return nil, err
	}
	return &mqtt.Message{Topic: u.topic("status"), Payload: s.Bytes, QoS: 1, Retained: true}, nil
}

// hello returns the camera's introduction.
func (u *Uplink) hello() (mqtt.Message, error) {
	roster := u.config.Camera.Roster()
	b, err := seal.SignHello(u.config.Camera.Signer(), seal.Hello{
		Boot: u.boot, Model: u.config.Model, Firmware: u.config.Firmware, Household: roster.Household, Roster: roster.Version,
	})
	return mqtt.Message{Topic: u.topic("hello"), Payload: b, QoS: 1, Retained: true}, err
}
