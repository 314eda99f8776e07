package pairing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// How long a camera tries to reach the household, and how often. A network that
// it has just joined may have to come up first; else the code is probably old,
// and there may be a newer one to look for.
const (
	reachTime = 10 * time.Second
	wifiTime  = time.Minute
	reachPace = time.Second
	dialTime  = 5 * time.Second
)

// ErrNobody says that nobody answers for the household where the code says.
var ErrNobody = errors.New("pairing: nobody answers where the code says")

// Asker is the camera's side.
type Asker struct {
	Camera   *identity.Camera
	Firmware string
	Boot     [16]byte // of this boot
	Log      *slog.Logger
}

// Ask follows a code, which identity.Camera.CheckCode has allowed: it asks the
// household to be taken in, waits for a person there to confirm, and claims the
// camera. It returns nil when the camera is the household's, a *seal.Refusal
// when either side refused, ErrNobody when it could not ask in time (a minute if the
// code has a network to join, else ten seconds), or ctx's error.
func (a *Asker) Ask(ctx context.Context, code *identity.Code) error {
	patience := reachTime
	if code.WiFi != nil {
		patience = wifiTime
	}
	reach, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := a.reach(reach, code)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := a.exchange(conn, code); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

// reach connects to one of the code's addresses.
func (a *Asker) reach(ctx context.Context, code *identity.Code) (*tls.Conn, error) {
	var last error
	for {
		for _, addr := range code.Addrs {
			at := netip.AddrPortFrom(addr, code.Port).String()
			dial, cancel := context.WithTimeout(ctx, dialTime)
			conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: code.TLS()}).DialContext(dial, "tcp", at)
			cancel()
			if err == nil {
				return conn.(*tls.Conn), nil
			}
			a.Log.Debug("nobody answers for the household yet", "at", at, "err", err)
			last = err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w (%w)", ErrNobody, last)
		case <-time.After(reachPace):
		}
	}
}

func (a *Asker) exchange(conn *tls.Conn, code *identity.Code) error {
	hello, err := a.Camera.Answer(code, a.Firmware, a.Boot)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(handTime)); err != nil {
		return err
	}
	if err := writePart(conn, partHello, hello); err != nil {
		return err
	}
	part, data, err := readPart(conn, partNonce, partRefusal)
	if err != nil {
		return err
	}
	if part == partRefusal {
		return parseRefusal(data)
	}
	if len(data) != nonceSize {
		return fmt.Errorf("%w: a nonce of %d bytes", errWire, len(data))
	}
	a.Log.Info("asked the household to be taken in; it compares two words", "camera", a.Camera.ID(),
		"household", code.Household, "words", Words(code.Secret, a.Camera.ID(), data))
	// A person decides now. The household ends it when the code expires.
	if err := conn.SetDeadline(time.Now().Add(code.Valid + handTime)); err != nil {
		return err
	}
	if part, data, err = readPart(conn, partPairing, partRefusal); err != nil {
		return err
	}
	if part == partRefusal {
		return parseRefusal(data)
	}
	if err := a.claim(code, data); err != nil {
		_ = writePart(conn, partRefusal, marshalRefusal(refusalOf(err)))
		return err
	}
	return writePart(conn, partClaimed, nil)
}

func (a *Asker) claim(code *identity.Code, text []byte) error {
	p, err := identity.ParsePairing(text)
	if err != nil {
		return err
	}
	return a.Camera.ClaimByCode(code, p)
}

// refusalOf returns err as the other side is told it.
func refusalOf(err error) *seal.Refusal {
	var r *seal.Refusal
	if errors.As(err, &r) {
		return r
	}
	return &seal.Refusal{Reason: seal.Malformed, Detail: err.Error()}
}
