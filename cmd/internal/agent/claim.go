package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/lens"
	"github.com/sealcam/sealcam/cmd/internal/pairing"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const (
	// claimLook is how often an unclaimed camera looks whether it has been
	// claimed by a file.
	claimLook = 2 * time.Second
	// lensLook is how often it looks for a code, if a look takes no longer.
	lensLook = 300 * time.Millisecond
	// heldUp is for how long a refused code must be out of sight to be a new one.
	heldUp = 30 * time.Second
)

// errClaimed ends the looking when somebody has claimed the camera by a file.
var errClaimed = errors.New("claimed")

// unclaimed is a camera that belongs to nobody and looks for a household.
type unclaimed struct {
	settings Settings
	firmware string
	alive    func() // for a watchdog; may be nil
	camera   *identity.Camera
	now      func() time.Time
	mono     func() time.Duration
	log      *slog.Logger

	finder lens.Finder
	first  time.Duration // when the first frame was taken; 0 before
	looks  int           // since then
	next   time.Duration // when to look again
	last   string        // the code that was refused last
	seen   time.Duration // and when it was seen last
}

// claimed returns the camera's identity once it belongs to a household, by a
// file or by a code before its lens; nil when ctx ends before.
func claimed(ctx context.Context, s Settings, host Host, log *slog.Logger) (*identity.Camera, error) {
	for first := true; ; first = false {
		c, err := identity.OpenCamera(filepath.Join(s.State, IdentityDir))
		if err != nil || c.Claimed() {
			return c, err
		}
		if first {
			log.Warn("this camera belongs to no household yet, so it takes no picture", "camera", c.ID(),
				"hint", "show it the code of `sealcam pair`, or give the output of `sealcamd request` to `sealcam household add-camera`, and what that writes to `sealcamd claim`")
		}
		u := unclaimed{settings: s, firmware: host.Firmware, alive: host.Alive, camera: c, now: time.Now, mono: Monotonic, log: log.With("part", "pairing")}
		if err := u.wait(ctx); ctx.Err() != nil {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// wait returns when the camera has been claimed, or ctx has ended.
func (u *unclaimed) wait(ctx context.Context) error {
	for {
		g, looking := errgroup.WithContext(ctx)
		g.Go(func() error { return u.watchFile(looking) })
		if u.lensIsFree() {
			g.Go(func() error { return u.watchLens(looking) })
		}
		err := g.Wait()
		var found *foundCode
		switch {
		case ctx.Err() != nil, errors.Is(err, errClaimed):
			return nil
		case !errors.As(err, &found):
			return err
		}
		err = u.follow(ctx, found.code)
		switch {
		case u.camera.Claimed():
			u.log.Info("the code was good: this camera belongs to a household now", "household", u.camera.Household())
			return nil
		case ctx.Err() != nil:
			return nil
		case seal.ReasonOf(err) != "":
			u.refuse(found.text, err)
		default:
			u.log.Warn("the household of the code could not be asked; looking for a code again", "err", err)
		}
	}
}

// follow follows a code. It may take as long as a person does to confirm, and the
// watchdog is told meanwhile.
func (u *unclaimed) follow(ctx context.Context, code *identity.Code) error {
	asking, done := context.WithCancel(ctx)
	var beat sync.WaitGroup
	beat.Go(func() {
		for {
			select {
			case <-asking.Done():
				return
			case <-time.After(claimLook):
				u.stillHere()
			}
		}
	})
	err := follow(ctx, u.settings, u.camera, code, u.firmware, u.log)
	done()
	beat.Wait()
	return err
}

func (u *unclaimed) stillHere() {
	if u.alive != nil {
		u.alive()
	}
}

// watchFile returns errClaimed once another process has claimed the camera.
func (u *unclaimed) watchFile(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(claimLook):
		}
		u.stillHere()
		c, err := identity.OpenCamera(filepath.Join(u.settings.State, IdentityDir))
		if err != nil {
			return err
		}
		if c.Claimed() {
			return errClaimed
		}
	}
}

// lensIsFree reports whether frames may be taken from the source: what is read
// from standard input would be missing later, and drawn scenes show no codes.
func (u *unclaimed) lensIsFree() bool {
	s := u.settings.source().Auto()
	return u.settings.Pairing.Lens && (s.IsDevice() || s.isFile())
}

// foundCode ends the looking: a code that the camera may follow.
type foundCode struct {
	text string
	code *identity.Code
}

func (*foundCode) Error() string { return "found a code" }

// watchLens looks for codes in the camera's own frames, and returns a
// *foundCode. A camera whose frames cannot be looked at is left alone.
func (u *unclaimed) watchLens(ctx context.Context) error {
	source := u.settings.source().Auto()
	source.Once = false
	u.first, u.looks = 0, 0
	loop := capture.Loop{Open: source.Open, Now: u.now, Log: u.log}
	err := loop.Run(ctx, u.look)
	if errors.Is(err, lens.ErrFormat) {
		u.log.Warn("no code can be shown to this camera: pair it by a file", "err", err)
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// look looks at one frame, if it is time to. It rests after each look, so that it
// never takes more than four fifths of a processor: an unclaimed camera has
// little else to do, and somebody is waiting.
func (u *unclaimed) look(f *capture.Frame) error {
	if u.first == 0 {
		u.first = f.Mono
	}
	began := u.mono()
	if began < u.next {
		return nil
	}
	text, err := u.finder.Find(f)
	ended := u.mono()
	u.next = max(began+lensLook, ended+(ended-began)/4)
	u.looks++
	if errors.Is(err, lens.ErrFormat) {
		return err
	}
	if err != nil || !identity.IsCode(text) {
		return nil // the loop counts bad frames; other codes are nobody's concern
	}
	if text == u.last && ended-u.seen < heldUp {
		u.seen = ended
		return nil // it is still held up, and has been refused
	}
	code, err := identity.ParseCode(text)
	if err == nil {
		err = u.camera.CheckCode(code, u.now())
	}
	if err != nil {
		u.refuse(text, err)
		return nil
	}
	u.log.Info("a pairing code is before the lens", "household", code.Household, "video", f.Mono-u.first, "looks", u.looks)
	return &foundCode{text, code}
}

// refuse tells and counts a code that is not followed.
func (u *unclaimed) refuse(text string, err error) {
	u.last, u.seen = text, u.mono()
	refused(u.camera, err, u.log)
}

// refused tells and counts a code that a camera does not follow.
func refused(c *identity.Camera, err error, log *slog.Logger) {
	log.Warn("pairing code refused", "reason", seal.ReasonOf(err), "err", err)
	if err := c.CodeRefused(seal.ReasonOf(err)); err != nil {
		log.Error("the refusal could not be counted", "err", err)
	}
}

// Pair has the camera of s follow the code in text, which was handed over
// rather than shown. Its errors are those of identity.ParseCode, of
// identity.Camera.CheckCode and of pairing.Asker.Ask.
func Pair(ctx context.Context, s Settings, c *identity.Camera, text, firmware string, log *slog.Logger) error {
	code, err := identity.ParseCode(text)
	if err == nil {
		err = c.CheckCode(code, time.Now())
	}
	if err == nil {
		err = follow(ctx, s, c, code, firmware, log)
	}
	if seal.ReasonOf(err) != "" {
		refused(c, err, log)
	}
	return err
}

// follow joins the network of a code, if it has one, and asks the household.
func follow(ctx context.Context, s Settings, c *identity.Camera, code *identity.Code, firmware string, log *slog.Logger) error {
	if code.WiFi != nil {
		if err := joinWiFi(ctx, s.Pairing.WiFi, code.WiFi); err != nil {
			log.Warn("the network of the code is not joined; asking over what there is", "err", err)
		}
	}
	asker := pairing.Asker{Camera: c, Firmware: firmware, Log: log}
	if _, err := rand.Read(asker.Boot[:]); err != nil {
		return err
	}
	return asker.Ask(ctx, code)
}
