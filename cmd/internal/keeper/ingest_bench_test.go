package keeper

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

var ingestCameras = flag.Int("cameras", 16, "connections of BenchmarkIngest, each with one camera")

const (
	ingestSize = 100_000 // bytes of a picture, before it is sealed
	ingestTurn = 256     // messages in one turn, of all cameras: 96 MB that come at once are as much as a keeper's queue holds
	ingestOpen = 4       // of them that a camera sends before the broker has acknowledged the first
)

// BenchmarkIngest is one whole keeper, as "sealcam keep" is without --broker and
// --nats: cameras publish messages of 100 KB over MQTT and TLS 1.3 to the broker in
// the process; each is checked, stored with its index, durable, and receipted. All of
// it, the cameras' side of TLS too, runs on this machine; sealing does not count. In
// turns with it the same bytes are appended to a file, with one fsync for each 32,
// which is the disk's limit. ratio is the file's time over the keeper's.
func BenchmarkIngest(b *testing.B) {
	in := newIngest(b)
	perTurn := len(in.cameras) * in.each
	b.SetBytes(int64(perTurn) * ingestSize)
	b.ReportAllocs()
	var ours, plain time.Duration
	turns := 0
	for b.Loop() {
		b.StopTimer()
		sealed := in.seal()
		turns++
		b.StartTimer()
		start := time.Now()
		in.publish(sealed)
		in.durable(uint64(turns * perTurn))
		ours += time.Since(start)
		b.StopTimer()
		plain += in.append(sealed)
		b.StartTimer()
	}
	in.receipted(uint64(turns * in.each))
	messages := float64(turns * perTurn)
	b.ReportMetric(messages/ours.Seconds(), "messages/s")
	b.ReportMetric(messages/plain.Seconds(), "plain/s")
	b.ReportMetric(plain.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op") // a turn is as long as it is made
}

// ingest is a keeper on a disk, with its broker and a household whose cameras are
// connected.
type ingest struct {
	b       *testing.B
	keeper  *Keeper
	cameras []*pusher
	each    int // messages of each camera in one turn
	plain   *os.File
}

// pusher is a camera that publishes as fast as the broker takes it.
type pusher struct {
	who    *identity.Camera
	conn   *mqtt.Conn
	sealer *seal.Sealer
	seq    uint64
	prev   [32]byte
}

func newIngest(b *testing.B) *ingest {
	b.Helper()
	dir, err := os.MkdirTemp("", "keeper") // a test's directory may be in memory, a person's is not
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	home, err := identity.CreateHousehold(filepath.Join(dir, "home"), "mqtts://127.0.0.1:8883", time.Now)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := home.AddViewer("desk"); err != nil {
		b.Fatal(err)
	}
	self, err := home.AddKeeper("attic", "https://127.0.0.1:8443")
	if err != nil {
		b.Fatal(err)
	}
	in := &ingest{b: b, each: max(1, ingestTurn / *ingestCameras)}
	for i := range *ingestCameras {
		c := new(pusher)
		if c.who, err = identity.OpenCamera(filepath.Join(dir, fmt.Sprint("camera", i))); err != nil {
			b.Fatal(err)
		}
		if err := home.AddCamera(c.who.ID(), fmt.Sprint("camera ", i)); err != nil {
			b.Fatal(err)
		}
		in.cameras = append(in.cameras, c)
	}
	if in.plain, err = os.Create(filepath.Join(dir, "plain")); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.plain.Close() })
	in.connect(home, in.start(home, self, filepath.Join(dir, "kept")))
	return in
}

// start runs the keeper and its broker until the benchmark ends, and returns the
// broker's URL.
func (in *ingest) start(home *identity.Household, self *identity.Keeper, dir string) string {
	in.b.Helper()
	br, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: self.BrokerTLS()})
	if err != nil {
		in.b.Fatal(err)
	}
	st, err := store.Open(store.Config{Dir: dir, Now: time.Now})
	if err != nil {
		in.b.Fatal(err)
	}
	_, roster, err := home.Roster()
	if err != nil {
		in.b.Fatal(err)
	}
	if err := st.SetRoster(in.b.Context(), home.ID(), roster); err != nil {
		in.b.Fatal(err)
	}
	source, err := FromBroker(br, nil)
	if err != nil {
		in.b.Fatal(err)
	}
	if in.keeper, err = New(in.b.Context(), Config{Key: self.Signer(), Store: st, Source: source, Now: time.Now}); err != nil {
		in.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{br.Run, in.keeper.Run} {
		running.Go(func() { _ = run(ctx) })
	}
	in.b.Cleanup(func() {
		cancel()
		running.Wait()
		_ = st.Close()
	})
	in.until("the keeper reads from its broker", func() bool { up, _ := source.Link(); return up })
	return br.URL()
}

// connect gives the cameras their certificates and connects them.
func (in *ingest) connect(home *identity.Household, url string) {
	in.b.Helper()
	for _, c := range in.cameras {
		if err := home.Adopt(c.who); err != nil {
			in.b.Fatal(err)
		}
		conf, err := c.who.TLS()
		if err != nil {
			in.b.Fatal(err)
		}
		if c.conn, err = mqtt.Dial(in.b.Context(), mqtt.Config{URL: url, TLS: conf, ClientID: string(c.who.ID())}); err != nil {
			in.b.Fatal(err)
		}
		in.b.Cleanup(c.conn.Close)
		if err := c.conn.Subscribe(in.b.Context(), "sealcam/v1/"+string(c.who.ID())+"/cmd"); err != nil {
			in.b.Fatal(err)
		}
		if c.sealer, err = seal.NewSealer(seal.SealerConfig{Key: c.who.Signer(), Roster: c.who.Roster(), Boot: [16]byte{1}, Firmware: "1"}); err != nil {
			in.b.Fatal(err)
		}
	}
}

// seal makes the messages of a turn, by camera.
func (in *ingest) seal() (all [][][]byte) {
	picture := make([]byte, ingestSize)
	for _, c := range in.cameras {
		var own [][]byte
		for range in.each {
			c.seq++
			s, err := c.sealer.Seal(seal.Meta{Stream: seal.Durable, Seq: c.seq, Prev: c.prev, Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNone}, picture)
			if err != nil {
				in.b.Fatal(err)
			}
			c.prev = s.Hash
			own = append(own, s.Bytes)
		}
		all = append(all, own)
	}
	return all
}

// publish has all cameras publish at once, until the broker has acknowledged all.
func (in *ingest) publish(sealed [][][]byte) {
	var wait sync.WaitGroup
	for i, c := range in.cameras {
		wait.Go(func() {
			var open []mqtt.Token
			for _, m := range sealed[i] {
				if len(open) == ingestOpen {
					c.acknowledged(in.b, open[0])
					open = open[1:]
				}
				open = append(open, c.conn.Publish(in.b.Context(), mqtt.Message{Topic: "sealcam/v1/" + string(c.who.ID()) + "/media", Payload: m, QoS: 1}))
			}
			for _, t := range open {
				c.acknowledged(in.b, t)
			}
		})
	}
	wait.Wait()
}

func (c *pusher) acknowledged(b *testing.B, t mqtt.Token) {
	select {
	case <-t.Done():
		if err := t.Err(); err != nil {
			b.Error(err)
		}
	case <-c.conn.Done():
		b.Error(c.conn.Err())
	}
}

// durable waits until so many messages are kept.
func (in *ingest) durable(n uint64) {
	in.until("all is durable", func() bool {
		in.keeper.figures.mu.Lock()
		defer in.keeper.figures.mu.Unlock()
		return in.keeper.figures.messages[kept] >= n
	})
}

// receipted waits until every camera was told that all up to seq has arrived.
func (in *ingest) receipted(seq uint64) {
	for _, c := range in.cameras {
		deadline := time.After(time.Minute)
		for told := uint64(0); told < seq; {
			select {
			case m := <-c.conn.Messages():
				cmd, err := seal.OpenCommand(c.who.ID(), c.who.Roster(), m.Payload)
				if err != nil {
					in.b.Fatal(err)
				}
				if cmd.Verb == seal.VerbReceipt && cmd.From == 1 && len(cmd.Gaps) == 0 {
					told = cmd.To
				}
			case <-deadline:
				in.b.Fatalf("camera %s has receipts up to %d of %d", c.who.ID(), told, seq)
			}
		}
	}
}

// append writes the same bytes to a file, and returns how long that took.
func (in *ingest) append(sealed [][][]byte) time.Duration {
	start := time.Now()
	n := 0
	for _, own := range sealed {
		for _, m := range own {
			if _, err := in.plain.Write(m); err != nil {
				in.b.Fatal(err)
			}
			if n++; n%32 == 0 {
				if err := in.plain.Sync(); err != nil {
					in.b.Fatal(err)
				}
			}
		}
	}
	return time.Since(start)
}

func (in *ingest) until(what string, done func() bool) {
	in.b.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			in.b.Fatalf("not within a minute: %s\n%s", what, in.keeper.Metrics())
		}
	}
}
