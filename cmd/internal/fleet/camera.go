package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// camera is a camera without a lens.
type camera struct {
	number int
	id     seal.CameraID
	home   seal.HouseholdID
	up     *uplink.Uplink
	rhythm rhythm
	next   time.Duration // of its events
	taken  uint64        // pictures
}

// caption is what a picture says about itself. It is the beginning of the media,
// and the judge holds it against the camera that a screen would name.
type caption struct {
	Camera    seal.CameraID    `json:"camera"`
	Household seal.HouseholdID `json:"household"`
	Number    uint64           `json:"number"`
}

// running is what a camera says about itself.
var running = uplink.Status{State: "running"}

// openCamera opens camera number i.
func (w world) openCamera(i int, url string, n *network, began time.Time, log *slog.Logger) (*camera, error) {
	id, err := identity.OpenCamera(w.camera(i))
	if err != nil {
		return nil, err
	}
	mono := func() time.Duration { return time.Since(began) }
	now := time.Now
	if off, lost := w.clockError(i); lost {
		now = func() time.Time { return time.Unix(0, 0).Add(mono()) }
	} else if off != 0 {
		now = func() time.Time { return time.Now().Add(off) }
	}
	up, err := uplink.Open(uplink.Config{
		Dir: w.spool(i), Camera: id, Broker: url, Spread: w.Spread, Budget: w.Spool, Firmware: "fleet", Model: "no lens",
		Now: now, Mono: mono, Log: log, Dial: n.dial, Disk: openDisk,
	})
	if err != nil {
		return nil, fmt.Errorf("camera %d: %w", i, err)
	}
	c := &camera{number: i, id: id.ID(), home: id.Household(), up: up}
	rng := numbers(w.Seed, "events", i)
	shift := numbers(w.Seed, "home", i/w.PerHome).NormFloat64() / 24
	c.rhythm = rhythm{rng: rng, events: w.Events, day: w.Day, shift: shift}
	c.next = c.rhythm.next(0)
	return c, up.Status(running)
}

// shoot seals the next picture. noise is what pictures are filled with.
func (c *camera) shoot(size int, noise []byte, rng *rand.Rand) error {
	c.taken++
	head, err := json.Marshal(caption{c.id, c.home, c.taken})
	if err != nil {
		return err
	}
	// From half to four times the typical size, mostly near it.
	n := min(max(int(float64(size)*lognormal(rng)), size/2), 4*size)
	at := rng.IntN(len(noise) - n)
	data := append(append(head, '\n'), noise[at:at+n]...)
	return c.up.Send(encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: data, Cause: encode.CauseMotion, Event: c.taken, Taken: time.Now()})
}

// account says what this camera has sealed and still has.
func (c *camera) account() *account {
	s := c.up.Stats()
	return &account{
		Head: s.Head, Waiting: uint64(s.Waiting), Acknowledged: uint64(s.Acknowledged), Dropped: s.Dropped,
		Number: c.number, Told: s.DeliveredTo, Refusals: s.Refusals,
	}
}

// run is the camera's uplink, until ctx ends.
func (c *camera) run(ctx context.Context) { _ = c.up.Run(ctx) }

// level is a slog.Handler's options for parts: what a single camera warns of is
// part of the run.
func partLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelError}))
}
