package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/drill"
)

// drillWay says how a drill reaches its broker.
type drillWay struct {
	broker        string // mosquitto, a URL, or empty for none
	ca, cert, key string // PEM files, beside a URL
}

// open fills in c.Way. close ends what it has started.
func (w *drillWay) open(ctx context.Context, env *cli.Env, c *drill.Config) (close func(), err error) {
	nothing := func() {}
	switch {
	case w.broker == "" || strings.Contains(w.broker, "://"):
		if w.broker == "" && w.ca+w.cert+w.key != "" {
			return nil, cli.Usagef("--broker-ca, --broker-cert and --broker-key belong to --broker URL")
		}
		return nothing, w.dial(c)
	case w.broker != "mosquitto":
		return nil, cli.Usagef("--broker %q: expected mosquitto, or a URL such as mqtts://host:8883", w.broker)
	case w.ca+w.cert+w.key != "":
		return nil, cli.Usagef("--broker mosquitto makes its own certificates")
	}
	dir, err := os.MkdirTemp("", "sealcam-drill-")
	if err != nil {
		return nil, err
	}
	var log strings.Builder
	way, stop, err := drill.StartMosquitto(ctx, dir, &log)
	if err != nil {
		_ = os.RemoveAll(dir)
		if text := strings.TrimSpace(log.String()); text != "" {
			fmt.Fprintln(env.Stderr, text)
		}
		return nil, err
	}
	c.Way, c.Broker = way, "mosquitto"
	return func() { stop(); _ = os.RemoveAll(dir) }, nil
}

// dial makes c.Way of a broker that runs already.
func (w *drillWay) dial(c *drill.Config) error {
	if w.broker == "" {
		return nil
	}
	c.Way, c.Broker = &drill.Way{URL: w.broker}, w.broker
	if strings.HasPrefix(w.broker, "mqtt://") {
		return nil // without TLS, which package mqtt allows on loopback only
	}
	if w.ca == "" || w.cert == "" || w.key == "" {
		return cli.Usagef("--broker %s: it takes --broker-ca, --broker-cert and --broker-key as well", w.broker)
	}
	authority, err := os.ReadFile(w.ca)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return fmt.Errorf("%s: no certificate in PEM", w.ca)
	}
	pair, err := tls.LoadX509KeyPair(w.cert, w.key)
	if err != nil {
		return err
	}
	conf := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	c.Way.Relay, c.Way.Viewers = conf, conf
	return nil
}
