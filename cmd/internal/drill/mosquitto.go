package drill

import (
	"context"
	"crypto/tls"
	"io"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
)

// relayRules let the relay do whatever the owner of a broker can do, and
// viewers look.
const relayRules = `user viewer-relay
topic readwrite sealcam/v1/#

user viewer-screens
topic read sealcam/v1/#
`

// StartMosquitto runs the installed Mosquitto on loopback, with TLS and
// certificates of an authority of its own, until stop. Its files lie in dir,
// which is empty; what it says goes to log.
func StartMosquitto(ctx context.Context, dir string, log io.Writer) (w *Way, stop func(), err error) {
	const host = "127.0.0.1"
	authority, err := identity.CreateHousehold(filepath.Join(dir, "authority"), "", time.Now)
	if err != nil {
		return nil, nil, err
	}
	relay, err := clientOf(authority, "relay")
	if err != nil {
		return nil, nil, err
	}
	screens, err := clientOf(authority, "screens")
	if err != nil {
		return nil, nil, err
	}
	cert, key, err := authority.IssueServer(host)
	if err != nil {
		return nil, nil, err
	}
	port, err := mosquitto.FreePort(host)
	if err != nil {
		return nil, nil, err
	}
	b, err := mosquitto.Start(ctx, dir, mosquitto.Config{Host: host, Port: port, CA: authority.Authority(), Cert: cert, Key: key, Rules: relayRules}, log)
	if err != nil {
		return nil, nil, err
	}
	return &Way{URL: b.URL(), Relay: relay, Viewers: screens}, b.Stop, nil
}

// clientOf returns what a client of the broker needs to be called name by it.
func clientOf(authority *identity.Household, name string) (*tls.Config, error) {
	v, err := authority.AddViewer(name)
	if err != nil {
		return nil, err
	}
	return v.TLS(), nil
}
