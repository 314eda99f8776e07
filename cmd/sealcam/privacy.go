package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const privacyText = `
Closes a camera of the household, or opens it again. A closed camera has let go of
its device and seals nothing but its status. It stays closed over power cuts,
until it is opened from here, by its button, or at the end of --for.

Only the owner's household directory can do this. The command ends well when the
camera has answered, in a sealed status, that it is done.
`

// runPrivacy is "sealcam privacy".
func runPrivacy(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("privacy", "sealcam privacy on|off --household DIR [--for TIME] [--viewer NAME] [--broker URL] CAMERA", privacyText)
	dir := fs.String("household", "", "the household's `directory`, with its owner key")
	name := fs.String("viewer", "", "as which viewer to connect; the only one if empty")
	broker := fs.String("broker", "", "the broker's `URL`; the household's own if empty")
	span := fs.Duration("for", 0, "open again after this `time`; 0 for not by itself")
	wait := fs.Duration("timeout", 30*time.Second, "give up after this long")
	rest, err := parseMixed(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) != 2 || rest[0] != "on" && rest[0] != "off":
		return cli.Usagef("expected on or off, and a camera")
	case *dir == "":
		return cli.Usagef("--household is missing")
	case *span < 0 || *span > 0 && rest[0] == "off":
		return cli.Usagef("--for goes with on, and is more than 0")
	}
	h, err := openOwner(*dir)
	if err != nil {
		return err
	}
	who, up, err := connect(*dir, *name, *broker, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	camera, err := findCamera(who.Roster(), rest[1])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *wait)
	defer cancel()
	o := order{camera: camera.ID, on: rest[0] == "on", nonce: make([]byte, seal.MinNonce)}
	if _, err := rand.Read(o.nonce); err != nil {
		return err
	}
	if *span > 0 {
		o.until = time.Now().Add(*span)
	}
	s, err := o.carryOut(ctx, h, who, up)
	if err != nil {
		return err
	}
	state := "open"
	if s.Privacy != nil && s.Privacy.On {
		state = "closed " + s.Privacy.words()
	}
	_, err = fmt.Fprintf(env.Stdout, "%s  %s\n", camera.Name, state)
	return err
}

// privacyStatus says since when a camera is closed, or from when to when it was.
type privacyStatus struct {
	On    bool      `json:"on"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	By    string    `json:"by"`
}

// words says it: "since 2026-05-03 22:00:00, by schedule".
func (p *privacyStatus) words() string {
	var b strings.Builder
	if !p.Since.IsZero() {
		fmt.Fprintf(&b, "since %s, ", p.Since.Local().Format(time.DateTime))
	}
	if !p.Until.IsZero() {
		fmt.Fprintf(&b, "until %s, ", p.Until.Local().Format(time.DateTime))
	}
	return b.String() + "by " + printable(p.By, 16)
}

// order is what an owner tells a camera about privacy.
type order struct {
	camera seal.CameraID
	on     bool
	until  time.Time // zero for not by itself
	nonce  []byte    // that the answer echoes
}

// sign returns the command. Its counter follows the clock, as all issuers' do.
func (o order) sign(h *identity.Household, now time.Time) ([]byte, error) {
	c := seal.Command{
		Camera: o.camera, Counter: uint64(now.UnixMilli()), Verb: seal.VerbPrivacyOff, Nonce: o.nonce,
		Issued: now, Expires: now.Add(seal.CommandLife),
	}
	if o.on {
		c.Verb = seal.VerbPrivacyOn
		if !o.until.IsZero() {
			c.From, c.To = uint64(now.Unix()), uint64(o.until.Unix())
		}
	}
	return seal.SignCommand(h.Owner(), c)
}

// carryOut sends the command once there is a connection, and returns what the
// camera answers.
func (o order) carryOut(ctx context.Context, h *identity.Household, who *identity.Viewer, up feed.Feed) (*cameraStatus, error) {
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: who.Household(), Roster: who.Roster(), Key: who.Key(), Now: time.Now})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	answer := make(chan *cameraStatus, 1)
	go func() {
		_ = up.Run(running, func(it feed.Item) {
			if s := o.answered(opener, it); s != nil {
				select {
				case answer <- s:
				default:
				}
			}
		})
	}()
	if err := linked(ctx, up); err != nil {
		return nil, err
	}
	cmd, err := o.sign(h, time.Now())
	if err != nil {
		return nil, err
	}
	if err := up.Send(ctx, o.camera, feed.Command, cmd); err != nil {
		return nil, err
	}
	select {
	case s := <-answer:
		if on := s.Privacy != nil && s.Privacy.On; on != o.on {
			return nil, cli.Hint(errors.New("the camera answers that it is not done"), "see its status with sealcam watch")
		}
		return s, nil
	case <-ctx.Done():
		return nil, cli.Hint(errors.New("the camera has not answered"), "it may be off or out of reach: then nothing has changed. Look with sealcam watch, or press its button")
	}
}

// answered returns the status that answers the order, nil for all else. The nonce
// was drawn for this order alone, so that no other status can be taken for it.
func (o order) answered(opener *seal.Opener, it feed.Item) *cameraStatus {
	if it.Camera != o.camera || it.Kind != feed.Status {
		return nil
	}
	v, err := opener.Open(it.Camera, it.Sealed)
	if err != nil || v.Meta().Kind != seal.KindStatus || !bytes.Equal(v.Meta().Nonce, o.nonce) {
		return nil
	}
	_, text := v.Media()
	var s cameraStatus
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	return &s
}

// linked waits until there is a connection.
func linked(ctx context.Context, up feed.Feed) error {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		if connected, why := up.Link(); connected {
			return nil
		} else if ctx.Err() != nil {
			return errors.New(why)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
		}
	}
}
