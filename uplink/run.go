package uplink

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Pauses between attempts to connect, doubled from the first to the longest,
// each shortened by a random part so that a street of cameras does not come
// back to a restarted broker in one moment.
const (
	firstPause   = time.Second
	longestPause = 2 * time.Minute
	// steady is how long a connection must have lasted for the pauses to start
	// over.
	steady = 30 * time.Second
)

// Run connects, publishes what waits, and obeys commands until ctx ends. It
// returns nil then, and no network trouble ends it.
func (u *Uplink) Run(ctx context.Context) error {
	pause, told := firstPause, ""
	for ctx.Err() == nil {
		began := u.config.Mono()
		err := u.session(ctx)
		u.spool.Return()
		if ctx.Err() != nil {
			return nil
		}
		text := err.Error()
		u.connected(false, text)
		if text != told { // each trouble is told once
			told = text
			attrs := []any{"err", err}
			if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
				attrs = append(attrs, "hint", h.Hint())
			}
			u.log.Warn("not connected; pictures wait in the spool", attrs...)
		}
		if u.config.Mono()-began >= steady {
			pause, told = firstPause, ""
		}
		select {
		case <-time.After(jitter(pause)):
		case <-ctx.Done():
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

func (u *Uplink) connected(yes bool, why string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counters.Connected, u.counters.LastError = yes, why
	if yes {
		u.counters.Connects++
	}
}

// dial connects, with a will that is sealed like every message.
func (u *Uplink) dial(ctx context.Context) (Conn, error) {
	conf, err := u.config.Camera.TLS()
	if err != nil {
		return nil, err
	}
	conf.Time = u.tlsTime
	will, err := u.will()
	if err != nil {
		return nil, err
	}
	return u.config.Dial(ctx, mqtt.Config{
		URL: u.config.Broker, TLS: conf, ClientID: string(u.id), Will: will, Log: u.log,
		MaxIncoming: seal.MaxRoster + 1024,
	})
}

// tlsTime is the time by which the broker's certificate is judged. A camera
// whose clock was lost must still be able to connect: it takes the last time
// that was believed, or, on its first day, the day on which its own certificate
// begins.
func (u *Uplink) tlsTime() time.Time {
	now := u.config.Now()
	if u.clock() != seal.ClockNone {
		return now
	}
	floor := time.Unix(u.spool.Clock(), 0)
	if conf, err := u.config.Camera.TLS(); err == nil && len(conf.Certificates) > 0 && conf.Certificates[0].Leaf != nil {
		if begins := conf.Certificates[0].Leaf.NotBefore; begins.After(floor) {
			floor = begins.Add(24 * time.Hour)
		}
	}
	return floor
}

// will returns what the broker publishes when this connection ends without a
// goodbye; nil while the camera seals nothing.
func (u *Uplink) will() (*mqtt.Message, error) {
	text, err := json.Marshal(Status{State: "offline", Firmware: u.config.Firmware})
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
