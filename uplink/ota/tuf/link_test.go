package tuf_test

import (
	"bytes"
	"context"
	"flag"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

// realTime runs TestThinLink by the clock on the wall: five and a half minutes.
var realTime = flag.Bool("real-time", false, "run the thin link in real time")

// thinLink is a server behind a link of so many bits a second, that is cut every
// so often: a Remote that speaks HTTP over pipes, as little of it as it takes.
type thinLink struct {
	files   map[string][]byte
	rate    int // bits a second
	cut     time.Duration
	sent    atomic.Int64
	dials   atomic.Int64
	nothing bool // the server ignores ranges
}

func (l *thinLink) Open(ctx context.Context, name string, from int64, tag string) (*tuf.Content, error) {
	l.dials.Add(1)
	data := l.files[name]
	if l.nothing {
		from = 0
	}
	here, there := net.Pipe()
	stop := context.AfterFunc(ctx, func() { here.Close() })
	go l.serve(there, data[from:])
	return &tuf.Content{ReadCloser: &pipe{here, stop}, From: from, Size: int64(len(data)), Tag: `"x"`}, nil
}

type pipe struct {
	net.Conn
	stop func() bool
}

func (p *pipe) Close() error {
	p.stop()
	return p.Conn.Close()
}

// serve sends data at the link's rate, until it is cut.
func (l *thinLink) serve(conn net.Conn, data []byte) {
	defer conn.Close()
	const piece = 4000
	for begin := time.Now(); len(data) > 0 && time.Since(begin) < l.cut; {
		n := min(piece, len(data))
		time.Sleep(time.Duration(n) * 8 * time.Second / time.Duration(l.rate))
		if _, err := conn.Write(data[:n]); err != nil {
			return
		}
		l.sent.Add(int64(n))
		data = data[n:]
	}
}

// TestThinLink: an agent of 10 MB arrives over 256 kbit/s, with the link cut every
// 10 s, in little more than the time that its bytes take.
func TestThinLink(t *testing.T) {
	if *realTime {
		thinLinkTest(t)
		return
	}
	synctest.Test(t, thinLinkTest)
}

func thinLinkTest(t *testing.T) {
	data := film(10_000_000)
	s, c := release(t, data)
	link := &thinLink{files: map[string][]byte{}, rate: 256_000, cut: 10 * time.Second}
	for name, b := range s.files {
		if after, ok := bytes.CutPrefix([]byte(name), []byte("targets/")); ok {
			link.files[string(after)] = b
		}
	}
	c.conf.Targets = link
	begin := time.Now()
	path, err := c.fetch(t.Context())
	took := time.Since(begin)
	mustHold(t, path, err, data)
	ideal := time.Duration(len(data)) * 8 * time.Second / 256_000
	t.Logf("%d bytes in %s over %d connections, %.1f %% more bytes and %.1f %% more time than without cuts", len(data), took.Round(time.Second), link.dials.Load(),
		100*float64(link.sent.Load()-int64(len(data)))/float64(len(data)), 100*float64(took-ideal)/float64(ideal))
	if link.dials.Load() < 30 || link.sent.Load() > int64(len(data))*102/100 {
		t.Errorf("%d connections, %d bytes sent", link.dials.Load(), link.sent.Load())
	}
	if !*realTime && took > ideal*5/4 {
		t.Errorf("took %s, of %s without cuts", took, ideal)
	}
}

// TestThinLinkWithoutRanges: a server that cannot continue never gets a whole file
// through such a link. It is given up, and not asked for ever.
func TestThinLinkWithoutRanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := release(t, film(1_000_000))
		link := &thinLink{files: map[string][]byte{}, rate: 256_000, cut: 10 * time.Second, nothing: true}
		for name, b := range s.files {
			if after, ok := bytes.CutPrefix([]byte(name), []byte("targets/")); ok {
				link.files[string(after)] = b
			}
		}
		c.conf.Targets = link
		_, err := c.fetch(t.Context())
		if err == nil || link.dials.Load() > 20 {
			t.Errorf("%d connections, error %v", link.dials.Load(), err)
		}
	})
}
