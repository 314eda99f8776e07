package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/bridge"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

const bridgeText = `
Shows the household's cameras in Home Assistant: it verifies what they send, and
tells the MQTT broker that Home Assistant uses, where each camera is discovered by
itself: picture, last event and its clip, motion, online, problem, day or night, last
verdict, missing.
Where a picture was refused, and where none is fresh, stands a card that says so.

The bridge is where protection ends. Past it pictures are plain to everyone who may
read from the local broker, and nobody can tell any more what was verified: give
that broker passwords, and run the bridge beside it. A broker on another machine is
reached by mqtts:// only. Pictures are not kept by the local broker.

Give the bridge a viewer of its own (sealcam household add-viewer DIR bridge): then
it can be removed without touching another.
`

// maxSmallFile bounds a password or a certificate file.
const maxSmallFile = 64 << 10

// bridgeFlags is how "sealcam bridge" was called.
type bridgeFlags struct {
	dir, name               string
	ways                    ways
	local, user, secret, ca string
	prefix                  string
	motion                  time.Duration
}

// runBridge is "sealcam bridge".
func runBridge(ctx context.Context, env *cli.Env, args []string) error {
	var f bridgeFlags
	fs := env.Flags("bridge", "sealcam bridge --household DIR --local mqtt://127.0.0.1:1883 [--viewer NAME] [--broker URL] [--keeper URL] [--local-user NAME --local-password-file FILE] [--local-ca FILE]", bridgeText)
	fs.StringVar(&f.dir, "household", "", "the household's `directory`")
	fs.StringVar(&f.name, "viewer", "", "which viewer this is; the only one if empty")
	f.ways.flags(fs)
	fs.StringVar(&f.local, "local", "", "`URL` of Home Assistant's broker")
	fs.StringVar(&f.user, "local-user", "", "`name` of the bridge at that broker")
	fs.StringVar(&f.secret, "local-password-file", "", "`file` whose first line is its password")
	fs.StringVar(&f.ca, "local-ca", "", "`file` with the authority of that broker's certificate; the system's if empty")
	fs.StringVar(&f.prefix, "prefix", bridge.DefaultPrefix, "discovery `prefix` that Home Assistant listens on")
	fs.DurationVar(&f.motion, "motion", bridge.DefaultMotion, "how long motion stays on after its last picture")
	rest, err := parseMixed(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return cli.Usagef("%q: sealcam bridge takes flags only", rest[0])
	case f.dir == "":
		return cli.Usagef("--household is missing")
	case f.local == "":
		return cli.Usagef("--local is missing: where is Home Assistant's broker?")
	case f.secret != "" && f.user == "":
		return cli.Usagef("--local-password-file goes with --local-user")
	case f.motion < time.Second:
		return cli.Usagef("--motion %v: it is 1s or more", f.motion)
	}
	local, err := f.localBroker(env)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	who, up, err := f.ways.open(f.dir, f.name, log)
	if err != nil {
		return err
	}
	b, err := bridge.New(bridge.Config{
		Identity: who, Feed: up, Local: local, Prefix: f.prefix, Motion: f.motion, Version: version, Now: time.Now, Log: log,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "bridging %d %s of household %.8s... to %s: pictures are plain there\n", len(who.Roster().Cameras), plural(len(who.Roster().Cameras), "camera"), who.Household(), f.local)
	if err := b.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// localBroker returns how to reach Home Assistant's broker.
func (f bridgeFlags) localBroker(env *cli.Env) (mqtt.Config, error) {
	c := mqtt.Config{URL: f.local, User: f.user}
	if f.secret != "" {
		text, err := readBounded(env.Stdin, f.secret, maxSmallFile)
		if err != nil {
			return c, err
		}
		line, _, _ := strings.Cut(string(text), "\n")
		c.Password = strings.TrimSuffix(line, "\r")
	}
	if strings.HasPrefix(f.local, "mqtts://") {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS13} // the system's authorities
	}
	if f.ca == "" {
		return c, nil
	}
	if c.TLS == nil {
		return c, cli.Usagef("--local-ca goes with mqtts://")
	}
	pem, err := readBounded(env.Stdin, f.ca, maxSmallFile)
	if err != nil {
		return c, err
	}
	c.TLS.RootCAs = x509.NewCertPool()
	if !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return c, fmt.Errorf("%s: no certificate in PEM in it", f.ca)
	}
	return c, nil
}
