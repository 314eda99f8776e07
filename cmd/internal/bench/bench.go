// Package bench runs the whole product on a desk: the agent with a camera, a
// file or a drawn scene in front of it, a neighbour's camera beside it, a
// broker over TLS between, and the viewer's page at the end. Everything is the
// real part; only the two households are made for the occasion.
//
// What this package does not do: it adds no shortcut between camera and page.
// What the page shows has been sealed, has crossed the broker, and was opened
// with the household's key.
package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/page"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Config is what a person may choose.
type Config struct {
	Source agent.Source
	For    time.Duration // 0: until interrupted
	Listen string        // address of the page, loopback only
	Report string        // file for the Report, "" for none
	Save   string        // directory for verified pictures and their proofs, "" for none
	View   bool          // the counting viewer watches live view
	Log    *slog.Logger
}

// bench is one run.
type bench struct {
	Config
	source    agent.Source
	dir       string
	began     time.Time
	cpuBefore time.Duration

	home, street     *house
	broker           *broker.Broker
	listener         net.Listener
	mine, neighbours *camera
	page             *page.Page
	controls         *controls
	viewer           *viewer.Viewer
	url              string // of the page, with the viewer's key
	verdicts         *verdicts
	views            *verdicts   // of live view
	inParts          atomic.Bool // not in frames
	films            *album.Films
	album            *album.Album // nil without Save
	cut              atomic.Bool  // the cameras' network
}

// Run runs the bench until ctx ends, For has passed, or the source has ended,
// and tells on env what happens.
func Run(ctx context.Context, env *cli.Env, c Config) error {
	b, err := newBench(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(b.run(ctx, env), b.clear())
}

// newBench makes every part; nothing runs yet.
func newBench(ctx context.Context, c Config) (b *bench, err error) {
	b = &bench{Config: c, source: c.Source.Auto(), began: time.Now(), cpuBefore: agent.ProcessCPU(), verdicts: newVerdicts(), views: newVerdicts()}
	if b.dir, err = os.MkdirTemp("", "sealcam-bench-"); err != nil {
		return nil, err
	}
	if err := b.build(ctx); err != nil {
		return nil, errors.Join(err, b.clear())
	}
	return b, nil
}

// clear removes what the bench has made.
func (b *bench) clear() error {
	if b.listener != nil {
		b.listener.Close() // its server has closed it already, unless it never ran
	}
	if b.album != nil {
		b.album.Close()
	}
	return os.RemoveAll(b.dir)
}

// build makes every part, in the order in which light travels.
func (b *bench) build(ctx context.Context) (err error) {
	if b.Save != "" {
		if b.album, err = album.Open(b.Save); err != nil {
			return err
		}
	}
	if b.films, err = b.album.Films(true); err != nil {
		return err
	}
	if b.listener, err = page.Listen(ctx, b.Listen, nil); err != nil {
		return err
	}
	if err := b.settle(); err != nil {
		return err
	}
	if err := b.newViewers(); err != nil {
		return err
	}
	if b.mine, err = b.newCamera(b.home, b.source, liveEvery); err != nil {
		return err
	}
	b.neighbours, err = b.newCamera(b.street, agent.Source{Name: neighbourScene}, liveEvery)
	return err
}

// What the neighbour's camera sees, and how often both send a live picture.
const (
	neighbourScene = "scene:walk?size=480x270&rate=4&seed=7"
	liveEvery      = 500 * time.Millisecond
)

// settle founds both households and the broker that serves them.
func (b *bench) settle() (err error) {
	if b.home, err = newHouse(filepath.Join(b.dir, "home"), "Front door"); err != nil {
		return err
	}
	if b.street, err = newHouse(filepath.Join(b.dir, "street"), "Next door"); err != nil {
		return err
	}
	conf, err := b.home.ServerTLS("127.0.0.1")
	if err != nil {
		return err
	}
	next, err := b.street.ServerTLS("localhost")
	if err != nil {
		return err
	}
	// Each household believes its own authority only, and reaches the broker by
	// the name that its authority has signed.
	conf.Certificates = append(conf.Certificates, next.Certificates...)
	if conf.ClientCAs, err = trust(b.home, b.street); err != nil {
		return err
	}
	if b.broker, err = broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf, Log: b.Log}); err != nil {
		return err
	}
	url := b.broker.URL()
	return errors.Join(b.home.SetBroker(url), b.street.SetBroker(strings.Replace(url, "127.0.0.1", "localhost", 1)))
}

// run starts every part and ends when the first of them does. The broker ends
// last: a bench that stops is no network trouble.
func (b *bench) run(ctx context.Context, env *cli.Env) error {
	if b.For > 0 {
		var stop context.CancelFunc
		span := b.For
		if b.ends(b.source) {
			span += lastWords
		}
		ctx, stop = context.WithTimeout(ctx, span)
		defer stop()
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	brokerErr := make(chan error, 1)
	go func() { brokerErr <- b.broker.Run(serving) }()

	screen := newScreen(env, b)
	screen.opening()
	err := b.parts(ctx, screen)
	stop()
	err = errors.Join(err, <-brokerErr, b.mine.close(), b.neighbours.close())
	r := b.report()
	screen.closing(r)
	if b.Report != "" {
		err = errors.Join(err, r.write(b.Report))
	}
	if err == nil && r.Verified == 0 && r.PartsVerified == 0 {
		err = fmt.Errorf("no picture and no part of a clip was verified in %.0f s", r.Seconds)
	}
	return err
}

// errEnded ends the bench when the camera's film has ended.
var errEnded = errors.New("the source has ended")

// parts runs everything but the broker.
func (b *bench) parts(ctx context.Context, screen *screen) error {
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := b.mine.agent.Run(running); err != nil || running.Err() != nil {
			return err
		}
		b.drain(running)
		return errEnded
	})
	g.Go(func() error { return b.neighbours.agent.Run(running) })
	g.Go(func() error { return b.watch(running) })
	if b.View {
		g.Go(func() error { return b.viewer.Watch(running, b.home.camera.ID()) })
	}
	g.Go(func() error { return b.page.Run(running) })
	g.Go(func() error { return b.page.Serve(running, b.listener) })
	g.Go(func() error { return screen.run(running) })
	err := g.Wait()
	for _, end := range []error{context.Canceled, context.DeadlineExceeded, errEnded} {
		if errors.Is(err, end) {
			return nil
		}
	}
	return err
}

// cameraNamed returns the house whose camera it is.
func (b *bench) cameraNamed(id seal.CameraID) *house {
	for _, h := range []*house{b.home, b.street} {
		if h.camera.ID() == id {
			return h
		}
	}
	return nil
}
