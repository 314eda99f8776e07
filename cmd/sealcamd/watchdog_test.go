package main

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bone is a watchdog that remembers what it was fed.
type bone struct {
	mu     sync.Mutex
	eaten  strings.Builder
	last   time.Time
	longst time.Duration
}

func (b *bone) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.last.IsZero() {
		b.longst = max(b.longst, time.Since(b.last))
	}
	b.last = time.Now()
	return b.eaten.Write(p)
}

func (b *bone) Close() error { _, err := b.Write([]byte("closed")); return err }

// A hardware watchdog is fed often while work is done now and then, is let go of at
// an orderly end, and bites when no work is done any more.
func TestHardwareWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(bone)
		h := newWatchdog(b, slog.New(slog.DiscardHandler))
		for range 20 { // a camera that is looked for
			time.Sleep(40 * time.Second)
			h.alive()
		}
		if b.longst > feedEvery {
			t.Errorf("it was not fed for %v", b.longst)
		}
		h.close(false)
		if got := b.eaten.String(); !strings.HasSuffix(got, "\x00Vclosed") {
			t.Errorf("its end was %q", got[max(0, len(got)-10):])
		}

		b = new(bone)
		newWatchdog(b, slog.New(slog.DiscardHandler)).close(true) // another version is started, and may hang
		if got := b.eaten.String(); strings.Contains(got, "V") || !strings.HasSuffix(got, "\x00closed") {
			t.Errorf("before a trial its end was %q", got)
		}

		b = new(bone)
		h = newWatchdog(b, slog.New(slog.DiscardHandler))
		began := time.Now()
		time.Sleep(10 * time.Minute) // a camera that hangs
		synctest.Wait()
		if fed := b.last.Sub(began); fed < patience-2*feedEvery || fed > patience {
			t.Errorf("without work it was fed for %v", fed)
		}
		h.close(false)
	})
	var none *hardware
	none.alive()
	none.close(false)
	if _, err := openWatchdog("/no/such/watchdog", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a watchdog that is not there was opened")
	}
}
