package page

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// wire is a record as a page reads it.
type wire struct {
	kind     kind
	flags    uint8
	camera   string
	received time.Time
	payload  []byte
}

func readRecord(r io.Reader) (wire, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return wire{}, err
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return wire{}, err
	}
	return wire{kind(b[0]), b[1], strings.TrimRight(string(b[2:54]), "\x00"), time.UnixMilli(int64(binary.BigEndian.Uint64(b[54:]))), b[62:]}, nil
}

// nextRecord reads up to a record of the kind want, over link and bench records.
func nextRecord(t *testing.T, r io.Reader, want kind) wire {
	t.Helper()
	for {
		rec, err := readRecord(r)
		if err != nil {
			t.Fatalf("stream: %v", err)
		}
		if rec.kind == want {
			return rec
		}
		if rec.kind != kindLink && rec.kind != kindBench {
			t.Fatalf("got kind %d %q, want kind %d", rec.kind, rec.payload, want)
		}
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestStream runs the real server: history first, then what comes; link state
// and bench figures between; and the end of the server ends every stream.
func TestStream(t *testing.T) {
	broker, bench := new(feed.Fake), &benchFake{stats: BenchStats{FPS: 30}}
	p := newTestPage(t, Config{Feed: broker, Bench: bench}, defaultLimits)
	l, err := Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ends sync.WaitGroup
	ends.Go(func() { p.Run(ctx) })
	ends.Go(func() { p.Serve(ctx, l) })

	broker.Deliver(feed.Item{Camera: seal.CameraID(id('b')), Kind: "media", Sealed: []byte("old"), Retained: false})
	broker.Deliver(feed.Item{Camera: seal.CameraID(id('b')), Kind: "live", Sealed: []byte("now"), Retained: true})
	broker.Deliver(feed.Item{Camera: seal.CameraID(id('b')), Kind: "nothing", Sealed: []byte("unknown topic")})
	broker.Deliver(feed.Item{Camera: seal.CameraID("../" + id('b')[3:]), Kind: "live", Sealed: []byte("bad name")})
	waitFor(t, "the history", func() bool { return strings.Count(contents(p.hub.snapshot()), "b:") == 2 })
	resp, err := http.Get("http://" + l.Addr().String() + "/feed")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	next := func(want kind) wire { t.Helper(); return nextRecord(t, resp.Body, want) }
	if r := next(kindLive); string(r.payload) != "now" || r.flags != flagRetained|flagHistory || r.camera != id('b') {
		t.Errorf("history, live: %+v", r)
	}
	if r := next(kindMedia); string(r.payload) != "old" || r.flags != flagHistory {
		t.Errorf("history, media: %+v", r)
	}
	broker.Deliver(feed.Item{Camera: seal.CameraID(id('c')), Kind: "live", Sealed: []byte("new")})
	if r := next(kindLive); string(r.payload) != "new" || r.flags != 0 || time.Since(r.received) > time.Minute {
		t.Errorf("live: %+v", r)
	}
	var stats BenchStats
	if err := json.Unmarshal(next(kindBench).payload, &stats); err != nil || stats.FPS != 30 {
		t.Errorf("bench: %+v, %v", stats, err)
	}
	broker.SetOffline(errors.New("certificate has expired"))
	var st linkState
	waitFor(t, "a link that is down", func() bool {
		st = linkState{}
		return json.Unmarshal(next(kindLink).payload, &st) == nil && !st.Up
	})
	if st.Why != "certificate has expired" || !st.Bench {
		t.Errorf("link: %+v", st)
	}
	cancel()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Logf("stream ended with %v", err)
	}
	ends.Wait()
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the server still listens after its end")
	}
}
