package tuf_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// drip sends its bytes one every so often.
type drip struct {
	folder
	every time.Duration
}

func (d drip) Open(ctx context.Context, name string, from int64, tag string) (*tuf.Content, error) {
	c, err := d.folder.Open(ctx, name, from, tag)
	if err == nil {
		c.ReadCloser = io.NopCloser(&dripReader{ctx, c.ReadCloser, d.every})
	}
	return c, err
}

type dripReader struct {
	ctx   context.Context
	r     io.Reader
	every time.Duration
}

func (d *dripReader) Read(b []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(d.every):
	}
	return d.r.Read(b[:1])
}

// TestSlow: who sends a byte now and then is given up, in a time that is bounded;
// a camera that lets the server wait is not the server's fault.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := release(t, film(1<<20))
		begin := time.Now()
		c.conf.Metadata = drip{folder{s, "metadata"}, time.Second}
		if _, err := c.client().Check(t.Context()); !errors.Is(err, tuf.ErrSlow) {
			t.Errorf("metadata: %v", err)
		}
		c.conf.Metadata = folder{s, "metadata"}
		c.conf.Targets = drip{folder{s, "targets"}, time.Second}
		if _, err := c.fetch(t.Context()); !errors.Is(err, tuf.ErrSlow) {
			t.Errorf("target: %v", err)
		}
		if d := time.Since(begin); d > 15*time.Minute {
			t.Errorf("given up after %s", d)
		}
		c.conf.Targets = folder{s, "targets"}
		c.conf.Yield = func(ctx context.Context) error { time.Sleep(time.Hour); return ctx.Err() } // of the bubble's time
		if _, err := c.fetch(t.Context()); err != nil {
			t.Errorf("with a busy camera: %v", err)
		}
	})
}

// TestSlowBlocks: a pause of the camera's between two blocks gives the server no new
// time for what it owes.
func TestSlowBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := release(t, film(200_000))
		c.conf.Targets = drip{folder{s, "targets"}, 3 * time.Millisecond} // a block in 49 s
		c.conf.Limits.Due, c.conf.Limits.Tries = 4*16<<10, 1
		if _, err := c.fetch(t.Context()); !errors.Is(err, tuf.ErrSlow) {
			t.Errorf("error %v", err)
		}
	})
}

// TestSilentServer: over HTTP, a server that sends a header and some bytes and then
// falls silent is given up.
func TestSilentServer(t *testing.T) {
	s, c := release(t, film(50_000))
	c.conf.Limits.Span, c.conf.Limits.Tries = 300*time.Millisecond, 2
	c.conf.Targets = targetServer(t, s, func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	if _, err := c.fetch(t.Context()); !errors.Is(err, tuf.ErrSlow) {
		t.Errorf("error %v", err)
	}
}

// TestCheckIsBounded: many files that each arrive fast enough end, too.
func TestCheckIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t)
		c := newCamera(t, s)
		for range 30 {
			s.publish("root")
		}
		c.conf.Metadata = late{folder{s, "metadata"}}
		if _, err := c.client().Check(t.Context()); !errors.Is(err, tuf.ErrSlow) {
			t.Errorf("error %v", err)
		}
	})
}

// late takes most of the time that a file may take.
type late struct{ folder }

func (l late) Open(ctx context.Context, name string, from int64, tag string) (*tuf.Content, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(50 * time.Second):
	}
	return l.folder.Open(ctx, name, from, tag)
}
