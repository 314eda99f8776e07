package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/cmd/internal/pins"
	"github.com/sealcam/sealcam/uplink"
)

// desk is a pins.Host of two lines.
type desk map[string]*gpiotest.Pin

func (d desk) Line(p boards.Pin) (gpio.PinIO, error) {
	if l, ok := d[p.String()]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("no line %s", p)
}
func (desk) Bus(string) (i2c.BusCloser, error) { return nil, errors.New("no bus") }
func (desk) Sys() string                       { return "/nonexistent" }

// front is a panel on a desk.
type front struct {
	*panel
	lines desk
}

func newFront(t *testing.T) front {
	t.Helper()
	lines := desk{"pio:3": {N: "light"}, "pio:4": {N: "button"}}
	profile, err := boards.Parse("test.toml", []byte("title = \"Test\"\ntried = \"nothing\"\nwiring = \"fixed\"\n[status]\nkind = \"pin\"\npin = \"pio:3\"\n[button]\npin = \"pio:4\"\npull = \"none\"\nlong = \"5s\"\nreset = \"10s\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	board, err := pins.Open(profile, lines, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return front{newPanel(board.Button, board.Status, slog.New(slog.DiscardHandler)), lines}
}

func (f front) hold(down bool) { _ = f.lines["pio:4"].Out(gpio.Level(down)) }

// shows samples the light for two seconds: how often it goes on, and for how
// long it is on, in tenths of a second.
func (f front) shows() (flashes, tenths int) {
	was := true // what is on already has not gone on
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		on := bool(f.lines["pio:3"].Read())
		if on {
			tenths++
			if !was {
				flashes++
			}
		}
		was = on
	}
	return flashes, tenths
}

// The light says what the camera does; a short press reaches the agent, a long
// one does nothing, and one held on resets, with a light that says so before.
func TestPanel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront(t)
		ended := make(chan error, 1)
		go func() { ended <- f.run(t.Context()) }()
		time.Sleep(50 * time.Millisecond)

		if flashes, tenths := f.shows(); flashes > 1 || tenths < 9 || tenths > 11 {
			t.Errorf("nobody's: %d flashes, on for %d tenths", flashes, tenths)
		}
		f.hold(true)
		time.Sleep(300 * time.Millisecond)
		f.hold(false)
		time.Sleep(300 * time.Millisecond)
		if len(f.presses) != 0 {
			t.Error("a press on a camera that is nobody's means something")
		}

		a := &Agent{}
		f.agent.Store(a)
		for name, tc := range map[string]struct {
			mood           *mood
			closure        *closure
			flashes, least int
			most           int
		}{
			"running":    {&mood{connected: true}, nil, 0, 20, 20},
			"no network": {&mood{}, nil, 1, 17, 19},
			"starting":   {nil, nil, 1, 17, 19},
			"trouble":    {&mood{trouble: true, connected: true}, nil, 2, 3, 5},
			"opened":     {&mood{connected: true}, &closure{}, 0, 20, 20},
			"privacy":    {&mood{connected: true}, &closure{said: uplink.Privacy{On: true}}, 1, 0, 1},
			"stuck":      {&mood{connected: true}, &closure{said: uplink.Privacy{On: true}, stuck: true}, 2, 3, 5},
		} {
			a.mood.Store(tc.mood)
			a.closure.Store(tc.closure)
			time.Sleep(50 * time.Millisecond)
			if flashes, tenths := f.shows(); flashes > tc.flashes || tenths < tc.least || tenths > tc.most {
				t.Errorf("%s: %d flashes, on for %d tenths", name, flashes, tenths)
			}
		}

		for range 3 { // more than wait
			f.hold(true)
			time.Sleep(300 * time.Millisecond)
			f.hold(false)
			time.Sleep(300 * time.Millisecond)
		}
		if p := <-f.presses; p != pins.ShortPress || len(f.presses) != 0 {
			t.Errorf("%v, and %d more", p, len(f.presses))
		}

		f.hold(true)
		time.Sleep(5500 * time.Millisecond)
		if flashes, _ := f.shows(); flashes < 4 {
			t.Errorf("held for a reset, the light flashes %d times in 2 s", flashes)
		}
		f.hold(false)
		time.Sleep(10 * time.Second)
		if len(f.presses) != 0 || len(ended) != 0 {
			t.Error("a long press means something")
		}

		f.hold(true)
		time.Sleep(10500 * time.Millisecond)
		if err := <-ended; !errors.Is(err, ErrReset) {
			t.Errorf("held for ten seconds: %v", err)
		}
	})
}

// Without button and light there is nothing to do, until the end.
func TestPanelOfNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := newPanel(nil, nil, slog.New(slog.DiscardHandler)).run(ctx); err != nil {
		t.Error(err)
	}
}
