package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// hardware is a hardware watchdog (Linux's Documentation/watchdog/watchdog-api.rst):
// once opened it resets the board unless it is written to, on some boards within
// 15 s. Work is done less often than that while a camera is looked for; so it is
// written to by a timer, for as long as there was work within patience, which is
// what a service manager's watchdog allows too. nil does nothing.
type hardware struct {
	dev  device
	log  *slog.Logger
	last atomic.Int64 // when work was done last, since began
	stop context.CancelFunc
	fed  sync.WaitGroup

	began time.Time
}

// device is the opened device.
type device interface {
	Write(p []byte) (int, error)
	Close() error
}

const (
	feedEvery = 2 * time.Second
	patience  = 2 * time.Minute
)

// openWatchdog starts the watchdog at path; "" is none.
func openWatchdog(path string, log *slog.Logger) (*hardware, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("the hardware watchdog: %w", err)
	}
	return newWatchdog(f, log), nil
}

func newWatchdog(dev device, log *slog.Logger) *hardware {
	h := &hardware{dev: dev, log: log, began: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.fed.Go(func() { h.feed(ctx) })
	return h
}

// feed writes to the watchdog while there is work.
func (h *hardware) feed(ctx context.Context) {
	tick := time.NewTicker(feedEvery)
	defer tick.Stop()
	for {
		if time.Since(h.began)-time.Duration(h.last.Load()) >= patience {
			h.log.Error("no work is done any more: the hardware watchdog resets the board")
			return
		}
		if _, err := h.dev.Write([]byte{0}); err != nil {
			h.log.Error("the hardware watchdog is not fed, and will reset the board", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// alive says that work was done. It is safe for concurrent use.
func (h *hardware) alive() {
	if h != nil {
		h.last.Store(int64(time.Since(h.began)))
	}
}

// close lets go of the watchdog: 'V', the magic character, has it count no more.
// After a crash nobody does, and it resets the board. With counting it goes on too:
// what is started next has to feed it, or the board goes back to what ran before.
func (h *hardware) close(counting bool) {
	if h == nil {
		return
	}
	h.stop()
	h.fed.Wait()
	last := "V"
	if counting {
		last = "\x00" // all of its time
	}
	_, err := h.dev.Write([]byte(last))
	if err = errors.Join(err, h.dev.Close()); err != nil {
		h.log.Error("the hardware watchdog goes on", "err", err)
	}
}
