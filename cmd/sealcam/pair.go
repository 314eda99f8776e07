package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/pairing"
	"github.com/sealcam/sealcam/cmd/internal/qr"
	"github.com/sealcam/sealcam/uplink/identity"
)

const pairSynopsis = "sealcam pair --household DIR [--name NAME] [--wifi-ssid NAME [--wifi-secret-file FILE]] [--png FILE] [--code FILE] [--yes]"

const pairHelp = `
Takes a camera into the household. It shows a code; hold it before the lens of a
camera that belongs to nobody, which then asks this program to be taken in. Both
must be in the same network. No broker, internet or clock of the camera is needed.

The camera's id and two words are shown: the camera has logged the same ones. Say
yes only to the camera that you mean. The code is good for one camera, and holds
the secrets of the network if you give them: show it to nobody else.

A camera without a lens to spare takes the code as a file: --code FILE here, and
sealcamd pair FILE on the camera.`

// pairFlags is what a person chose.
type pairFlags struct {
	household, name, png, code, addr, listen string
	ssid, secretFile                         string
	valid                                    time.Duration
	yes                                      bool
}

// runPair is "sealcam pair".
func runPair(ctx context.Context, env *cli.Env, args []string) error {
	var f pairFlags
	fs := env.Flags("pair", pairSynopsis, pairHelp)
	fs.StringVar(&f.household, "household", "", "`directory` of the household, with its owner key")
	fs.StringVar(&f.name, "name", "", "what the household calls the camera; nothing is Camera 1, 2, ...")
	fs.StringVar(&f.ssid, "wifi-ssid", "", "`name` of the wireless network that the camera is to join")
	fs.StringVar(&f.secretFile, "wifi-secret-file", "", "`file` with the network's secret; one line break at its end is not part of it")
	fs.StringVar(&f.png, "png", "", "write the code as a picture to this `file` too")
	fs.StringVar(&f.code, "code", "", "write the code as text to this `file` too")
	fs.StringVar(&f.addr, "address", "", "`addresses` of this machine that the code says, with commas between; nothing finds them")
	fs.StringVar(&f.listen, "listen", ":0", "`address` to listen at for the camera; a firewall may want a known port")
	fs.DurationVar(&f.valid, "valid", 10*time.Minute, "how long the code is good")
	fs.BoolVar(&f.yes, "yes", false, "take in the first camera that has read the code, without asking")
	rest, err := parseMixed(fs, args)
	if err != nil {
		return err
	}
	if f.household == "" || len(rest) != 0 {
		return cli.Usagef("expected: %s", pairSynopsis)
	}
	return pair(ctx, env, f)
}

func pair(ctx context.Context, env *cli.Env, f pairFlags) error {
	config, err := f.config(slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	s, err := pairing.Start(config)
	if err != nil {
		return hintKnown(f.household, err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(running) }()
	err = f.show(env, s)
	if err == nil {
		err = f.follow(ctx, env, s, config.Name)
	}
	stop()
	ended := <-done
	switch {
	case err != nil:
		return err
	case errors.Is(ended, pairing.ErrExpired):
		return cli.Hint(ended, "is the camera on, unclaimed, and in this machine's network? Does a firewall keep it from connecting (--listen)?")
	case errors.Is(ended, pairing.ErrSilent):
		return cli.Hint(ended, "show it a code again, which tells it; or let it go: sealcam household remove-camera")
	case ended != nil:
		return ended
	}
	fmt.Fprintf(env.Stdout, "%s  %s is in the household\n", env.Paint(cli.Good, "paired"), config.Name)
	return spread(ctx, env.Stdout, f.household)
}

// config opens the household and reads what the flags name.
func (f *pairFlags) config(log *slog.Logger) (pairing.Config, error) {
	h, err := openOwner(f.household)
	if errors.Is(err, identity.ErrNotOwner) {
		return pairing.Config{}, cli.Hint(err, "who may add takes a camera in by its request: sealcamd request on the camera, then sealcam household add-camera %s REQUEST --name NAME", f.household)
	}
	if err != nil {
		return pairing.Config{}, err
	}
	c := pairing.Config{Household: h, Name: f.name, Listen: f.listen, Valid: f.valid.Truncate(time.Second), Now: time.Now, Log: log}
	if c.Name == "" {
		if c.Name, err = freeName(h); err != nil {
			return c, err
		}
	}
	for _, a := range split(f.addr) {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			return c, cli.Usagef("--address: %v", err)
		}
		c.Addrs = append(c.Addrs, addr)
	}
	if f.ssid == "" && f.secretFile != "" {
		return c, cli.Usagef("--wifi-secret-file without --wifi-ssid: the secret of which network?")
	}
	if f.ssid != "" {
		c.WiFi = &identity.WiFi{SSID: []byte(f.ssid)}
	}
	if f.secretFile != "" {
		secret, err := readBounded(nil, f.secretFile, identity.MaxWiFiSecret+2)
		if err != nil {
			return c, err
		}
		c.WiFi.Secret = []byte(strings.TrimSuffix(strings.TrimSuffix(string(secret), "\n"), "\r"))
	}
	return c, nil
}

// freeName returns a name that no camera of the household has.
func freeName(h *identity.Household) (string, error) {
	r, _, err := h.Roster()
	if err != nil {
		return "", err
	}
	taken := map[string]bool{}
	for _, c := range r.Cameras {
		taken[c.Name] = true
	}
	for n := 1; ; n++ {
		if name := fmt.Sprintf("Camera %d", n); !taken[name] {
			return name, nil
		}
	}
}

// show draws the code where it was asked for.
func (f *pairFlags) show(env *cli.Env, s *pairing.Session) error {
	code, err := qr.Encode(s.Text())
	if err != nil {
		return err
	}
	if f.png != "" {
		if err := writePrivate(f.png, code.PNG()); err != nil {
			return err
		}
	}
	if f.code != "" {
		if err := writePrivate(f.code, []byte(s.Text()+"\n")); err != nil {
			return err
		}
	}
	if f.png == "" && f.code == "" || env.Live {
		if err := code.Terminal(env.Stdout, env.Colour); err != nil {
			return err
		}
	}
	fmt.Fprintf(env.Stdout, "Hold the code before the lens of the camera, so that it fills half of what the camera sees.\nIt is good for one camera, until %s.\n\n", s.Expires().Local().Format(time.TimeOnly))
	return nil
}

// writePrivate writes a file that is whole once it is there, for its owner's
// eyes only: a code is a secret while it is good.
func writePrivate(path string, data []byte) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// follow tells what happens, and asks the person, until the session has ended.
func (f *pairFlags) follow(ctx context.Context, env *cli.Env, s *pairing.Session, name string) error {
	answers := make(chan bool, 1)
	for {
		select {
		case yes := <-answers:
			s.Confirm(yes)
		case e, open := <-s.Progress():
			switch {
			case !open:
				return nil
			case e.Kind == pairing.Refused:
				fmt.Fprintf(env.Stdout, "%s  %s: %s\n", env.Paint(cli.Bad, "refused"), e.Refusal.Reason, e.Refusal.Detail)
			case e.Kind == pairing.Enrolled:
				fmt.Fprintf(env.Stdout, "telling camera %s...\n", e.Camera[:4])
			case e.Kind == pairing.Read:
				fmt.Fprintf(env.Stdout, "camera %s... has read the code\n  id     %s\n  words  %s\n", e.Camera[:4], e.Camera, env.Paint(cli.Bold, e.Words))
				if f.yes {
					s.Confirm(true)
					continue
				}
				fmt.Fprintf(env.Stdout, "Is this the camera that you mean, and are its words the same? Take it in as %q [y/N] ", name)
				go func() { answers <- saidYes(env.Stdin) }()
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// saidYes reads one line. Anything but yes is no.
func saidYes(in io.Reader) bool {
	line, _ := bufio.NewReader(io.LimitReader(in, 64)).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}
