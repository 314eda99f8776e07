// Package agent is the product on one screen: every part of a camera, in the
// order in which light travels. sealcamd runs it on a board, the bench runs it
// on a desk.
//
// What this package does not do: no part's work. It reads settings, opens the
// parts, and joins them by two bounded queues; each part is in its own package.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/capture/tamper"
	"github.com/sealcam/sealcam/capture/v4l2"
	"github.com/sealcam/sealcam/cmd/internal/enrol"
	"github.com/sealcam/sealcam/cmd/internal/naming"
	"github.com/sealcam/sealcam/cmd/internal/pins"
	"github.com/sealcam/sealcam/cmd/internal/privacy"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// circulating is how many frames may be on their way to becoming Pictures. It
// bounds memory: each holds one copy of a frame.
const circulating = 4

// Config is what an Agent is made of.
type Config struct {
	Settings Settings
	Open     func(context.Context) (capture.Camera, error) // the camera, see Source.Open
	Light    Lighting                                      // day and night; nil leaves every frame LightUnknown
	Encoder  func(v4l2.EncoderWant) (VideoEncoder, error)  // for clips of raw frames; nil is this machine's
	Uplink   *uplink.Uplink
	// Certificate is what Uplink opens the broker with, and renews it; nil: the pairing's.
	Certificate *enrol.Credentials
	Privacy     *privacy.Keeper   // nil: never closed by itself, and what is said is not kept
	Presses     <-chan pins.Press // of the button; may be nil
	// Software says what runs, and what became of updates; nil: nobody knows.
	Software func() uplink.Software
	Wanted   Wanted               // what its household wants it to be set to; nil: nobody knows
	Machine  *Machine             // what the camera runs on; nil: nobody knows
	Alive    func()               // called for work done, for a watchdog; may be nil
	Now      func() time.Time     // wall clock
	Mono     func() time.Duration // monotonic clock since the system's start
	Log      *slog.Logger
}

// Lighting says in which light a frame was taken, and acts on lamp and filter.
// *daynight.Part is one. All its methods are called on the frame goroutine.
type Lighting interface {
	// Step looks at l, taken at the monotonic time at, when the wall clock said
	// now. It allocates nothing.
	Step(at time.Duration, now time.Time, l *capture.Luma) capture.Light
	// Lost says that no frames come any more: no lamp may burn for nobody.
	Lost()
	// Faults returns what does not work, one sentence each.
	Faults() []string
}

// Wanted is what a camera's household wants it to be set to, for its status.
type Wanted interface {
	status() *uplink.SettingsStatus // nil for nothing
	care() []string                 // what somebody should look after, a sentence each
}

// Agent is one running camera.
type Agent struct {
	settings Settings
	now      func() time.Time
	mono     func() time.Duration
	log      *slog.Logger

	loop  capture.Loop
	light Lighting
	eye   eye
	free  chan *held // frames that circulate
	jobs  chan job
	clips *clips // nil for none
	view  *view  // nil for none
	tape  *tape  // what records; nil for nothing
	jpeg  encode.JPEG
	masks []byte        // hash of the privacy masks, which every picture claims; nil for none
	namer *naming.Namer // names what moved; nil for none
	quiet quiet         // events that show nothing of model.only
	up    *uplink.Uplink
	cert  *enrol.Credentials // nil for the pairing's
	ended bool               // the source has; written before jobs is closed

	patience time.Duration // with the network, once the source has ended

	sealing sync.Mutex // held from the making of a picture until it is sealed
	keeper  *privacy.Keeper
	presses <-chan pins.Press
	gate    *gate
	closure atomic.Pointer[closure] // nil: never closed
	unkept  atomic.Bool             // what was said about privacy does not last
	mood    atomic.Pointer[mood]    // for the status light
	answers chan []byte             // nonces of orders that were carried out; nil for news without
	alive   func()
	exam    exam
	system  *Machine
	program func() uplink.Software
	wanted  Wanted // nil: nobody knows

	counters
}

// New joins the parts. Nothing runs yet.
func New(c Config) (*Agent, error) {
	if err := c.Settings.Validate(); err != nil {
		return nil, err
	}
	a := &Agent{settings: c.Settings, now: c.Now, mono: c.Mono, log: c.Log, light: c.Light, up: c.Uplink, cert: c.Certificate, patience: lingering}
	a.keeper, a.presses, a.alive, a.answers = c.Privacy, c.Presses, c.Alive, make(chan []byte)
	if a.keeper == nil {
		a.keeper = new(privacy.Keeper)
	}
	if a.alive == nil {
		a.alive = func() {}
	}
	a.system, a.program, a.wanted = c.Machine, c.Software, c.Wanted
	if c.Settings.Passed.Closed {
		a.keeper.Lock()
	}
	a.gate = newGate(a.up.SetPrivate)
	if st := a.keeper.At(a.wall()); st.On {
		a.gate.set(true)
		a.up.PauseRecording()
		a.closure.Store(&closure{said: said(st)})
	}
	a.free, a.jobs = make(chan *held, circulating), make(chan job, circulating)
	for range circulating {
		a.free <- new(held)
	}
	a.eye = eye{
		chooser: chooser{every: c.Settings.Live.Every.Duration},
		best:    new(held),
		asked:   make([]uplink.Request, 0, circulating),
	}
	masks, err := c.Settings.masks()
	if err != nil {
		return nil, err
	}
	a.jpeg.Masks, a.masks = masks, masks.Hash()
	if a.clips = newClips(c.Settings, masks); a.clips != nil {
		a.clips.coder = newCoder(c, masks, a.store)
	}
	a.view = newView(c.Settings, masks, a.clips)
	a.tape = newTape(c.Settings, masks, a.clips)
	step := time.Duration(float64(time.Second) / c.Settings.Motion.Rate)
	a.eye.pace = pace{want: step, step: step}
	a.rate.Store(math.Float64bits(a.eye.pace.rate()))
	if c.Settings.Motion.Enabled {
		look, err := c.Settings.Detector()
		if err != nil {
			return nil, err
		}
		if a.eye.motion, err = motion.New(look); err != nil {
			return nil, fmt.Errorf("motion: %w", err)
		}
		a.eye.bitrate = motion.NewBitrate(c.Settings.Motion.Sensitivity)
	}
	if c.Settings.Tamper.Enabled {
		a.eye.tamper = new(tamper.Detector)
	}
	if c.Settings.Model.Enabled() {
		if a.namer, err = naming.New(c.Settings.Model, c.Now, c.Log.With("part", "model")); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
	}
	a.loop = capture.Loop{Open: a.opened(c.Open), Lost: a.lost, Once: c.Settings.Camera.Once, Now: c.Now, Log: c.Log.With("part", "capture")}
	return a, nil
}

// opened is open, and work done: a camera that cannot be opened is looked for.
func (a *Agent) opened(open func(context.Context) (capture.Camera, error)) func(context.Context) (capture.Camera, error) {
	return func(ctx context.Context) (capture.Camera, error) {
		a.eye.meter.mark(StageCapture)
		c, err := open(ctx)
		a.alive()
		if s, ok := c.(*scene.Scene); ok {
			a.eye.meter.mark(StageDraw)
			return drawn{s, a.eye.meter}, err
		}
		return c, err
	}
}

// Run carries light to the broker until ctx ends, or until a source that can
// end has ended and its last Picture has been spooled and, unless the network
// fails for some seconds, published. What was not waits for the next Run.
func (a *Agent) Run(ctx context.Context) error {
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return a.frames(running) })         // light > Frame > kept frames
	g.Go(func() error { return a.seal(running) })           // kept frames > Picture > Sealed, spooled
	g.Go(func() error { return a.compress(running) })       // raw frames > frames of a clip
	g.Go(func() error { return a.cut() })                   // frames of a clip > Picture > Sealed, spooled
	g.Go(func() error { return a.record() })                // all frames > Picture > Sealed, kept on a card
	g.Go(func() error { return a.views(running) })          // frames > live view > Sealed, while somebody watches
	g.Go(func() error { return a.up.Recall(running) })      // the card > broker, when a viewer asks
	g.Go(func() error { return a.up.Run(running) })         // spool > broker; roster and commands back
	g.Go(func() error { return a.cert.Run(running, a.up) }) // the certificate for the broker, before it ends
	g.Go(func() error { return a.status(running) })         // a sealed word on how the camera is
	g.Go(func() error { return a.privacy(running) })        // closes the camera, and opens it
	err := g.Wait()
	if errors.Is(err, ErrReset) {
		return err
	}
	if errors.Is(err, errEnded) || ctx.Err() != nil {
		return nil
	}
	return err
}

// counters is what the agent counts, readable at any time.
type counters struct {
	cpu         [stages]atomic.Int64 // nanoseconds
	events      atomic.Uint64
	eventAt     atomic.Int64  // when the last one began, by the monotonic clock
	sealed      atomic.Uint64 // pictures
	clipsSealed atomic.Uint64
	partsSealed atomic.Uint64
	skipped     atomic.Uint64 // pictures that found no frame to circulate
	badLuma     atomic.Uint64 // frames whose picture data could not be read
	stirred     atomic.Int64  // when an event last went on, of the monotonic clock; 0 for never
	failed      atomic.Uint64 // pictures that could not be encoded or sealed
	named       atomic.Uint64 // events that were looked at
	unnamed     atomic.Uint64 // events whose look failed: they are sent without names
	unwanted    atomic.Uint64 // events that were looked at and show nothing of model.only
	unmasked    atomic.Uint64 // pictures not sent because the masks could not be applied
	lightNow    atomic.Uint32
	rate        atomic.Uint64            // bits of frames looked at a second
	sight       atomic.Uint32            // tamper.Kind
	faults      atomic.Pointer[[]string] // of the lighting, as of the last frame
	limits      atomic.Pointer[[]string] // what the camera cannot do, the same way
}

// event counts an event that begins now.
func (a *Agent) event() {
	a.events.Add(1)
	a.eventAt.Store(int64(a.mono()))
}

// Stats is what an Agent counted since its start.
type Stats struct {
	Capture capture.Stats
	Uplink  uplink.Stats
	Events  uint64
	EventAt time.Duration    // when the last one began, by the monotonic clock; 0 before
	Sealed  uint64           // pictures
	Clips   uint64           // sealed to their last part
	Parts   uint64           // of clips, sealed
	Ring    encode.RingStats // what clips are made of; zero without clips
	Cutter  encode.CutterStats
	// EncoderFailed is how often this machine's video encoder was given up.
	EncoderFailed uint64
	Skipped       uint64 // pictures not taken because sealing had fallen behind
	Bad           uint64 // frames whose content could not be read, beside those that Capture counts
	Failed        uint64 // pictures that could not be encoded or sealed
	// Unmasked are pictures that were not sent because the privacy masks could not
	// be applied to them; they count as failed too.
	Unmasked uint64
	Named    uint64 // events that were looked at by model or detector
	Unnamed  uint64 // events whose look failed; they are sent without names
	Unwanted uint64 // events not sent, because they show nothing of model.only
	Light    capture.Light
	Rate     float64               // frames looked at a second, at most; lower than was asked when there is no time
	Sight    tamper.Kind           // what hinders the camera from seeing
	Faults   []string              // what does not work, one sentence each
	CPU      [stages]time.Duration // per stage; 0 where the system does not say
}

// Stats returns the counters. It is safe for concurrent use.
func (a *Agent) Stats() Stats {
	s := Stats{
		Capture: a.loop.Stats(), Uplink: a.up.Stats(),
		Events: a.events.Load(), EventAt: time.Duration(a.eventAt.Load()), Sealed: a.sealed.Load(), Skipped: a.skipped.Load(),
		Bad: a.badLuma.Load(), Failed: a.failed.Load(), Unmasked: a.unmasked.Load(),
		Named: a.named.Load(), Unnamed: a.unnamed.Load(), Unwanted: a.unwanted.Load(), Light: capture.Light(a.lightNow.Load()),
		Sight: tamper.Kind(a.sight.Load()), Rate: math.Float64frombits(a.rate.Load()),
	}
	if f := a.faults.Load(); f != nil {
		s.Faults = *f
	}
	if a.clips != nil {
		s.Clips, s.Parts, s.Ring = a.clipsSealed.Load(), a.partsSealed.Load(), a.clips.ring.Stats()
		s.Cutter, s.EncoderFailed = a.clips.cutter.Stats(), a.clips.coder.failures.Load()
	}
	for i := range a.cpu {
		s.CPU[i] = time.Duration(a.cpu[i].Load())
	}
	return s
}
