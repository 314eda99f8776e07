package store

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

const ingestSize = 100_000

// BenchmarkIngest stores messages of 100 KB from 32 callers, each durable before
// the next: what a keeper does for many cameras.
func BenchmarkIngest(b *testing.B) {
	s := openBench(b)
	var seq atomic.Uint64
	b.SetBytes(ingestSize)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		camera := seal.CameraID(fmt.Sprintf("c%c%c", 'a'+seq.Add(1)%26, 'a'+seq.Load()/26%26))
		for n := uint64(1); pb.Next(); n++ {
			errs, err := s.Put(b.Context(), []Message{ingested(camera, n+seq.Load()<<20)})
			if err != nil || errs[0] != nil {
				b.Fatal(err, errs)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func ingested(camera seal.CameraID, seq uint64) Message {
	m := message("h", camera, seq, 0, "")
	big := make([]byte, ingestSize)
	copy(big, m.Sealed)
	m.Sealed, m.Visible.Size = big, len(big)
	return m
}

func openBench(b *testing.B) *Store {
	b.Helper()
	dir, err := os.MkdirTemp("", "store") // a test's directory may be in memory, a person's is not
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(Config{Dir: dir, Now: time.Now, Reserve: 1, Hash: sum})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = s.Close()
		_ = os.RemoveAll(dir)
	})
	return s
}

// BenchmarkIngestToPlainFile compares: in turns, a group of messages to the store, and
// the same bytes appended to a file with one fsync. ratio is the file's time over
// the store's: 1 is the disk's limit.
func BenchmarkIngestToPlainFile(b *testing.B) {
	for _, group := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(group), func(b *testing.B) {
			s := openBench(b)
			f, err := os.Create(filepath.Join(s.config.Dir, "plain"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var ours, plain time.Duration
			var seq uint64
			b.ReportAllocs()
			for b.Loop() {
				batch := make([]Message, group)
				for i := range batch {
					seq++
					batch[i] = ingested("c", seq)
				}
				start := time.Now()
				var wait sync.WaitGroup
				for i := range batch {
					wait.Go(func() { // as many callers: they share an fsync by themselves
						if errs, err := s.Put(b.Context(), batch[i:i+1]); err != nil || errs[0] != nil {
							b.Error(err, errs)
						}
					})
				}
				wait.Wait()
				between := time.Now()
				for i := range batch {
					if _, err := f.Write(batch[i].Sealed); err != nil {
						b.Fatal(err)
					}
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
				ours, plain = ours+between.Sub(start), plain+time.Since(between)
			}
			b.ReportMetric(plain.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(float64(seq)/ours.Seconds(), "messages/s")
			b.ReportMetric(float64(seq)/plain.Seconds(), "plain/s")
		})
	}
}

var largeIndex = flag.Uint64("index", 0, "messages of the large index that BenchmarkPage compares with one of 10,000")

// BenchmarkPage reads a page of 100 events of one day, of a camera and of all, out
// of an index of 10,000 messages and out of a large one, in turns. ratio is the
// large one's time over the small one's.
func BenchmarkPage(b *testing.B) {
	if *largeIndex == 0 {
		b.Skip("a large index takes minutes to make: -index 10000000")
	}
	small, large := indexOf(b, 10_000), indexOf(b, *largeIndex)
	for _, camera := range []seal.CameraID{"", cameraOf(7)} {
		b.Run("of "+string(camera), func(b *testing.B) {
			var times [2]time.Duration
			rng := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				for i, x := range []*indexed{small, large} {
					since := x.start.Add(time.Duration(rng.Int64N(int64(x.end.Sub(x.start) - 24*time.Hour))))
					start := time.Now()
					p, err := x.s.List(b.Context(), Query{Household: "h", Camera: camera, Since: since, Until: since.Add(24 * time.Hour), Limit: 100})
					times[i] += time.Since(start)
					if err != nil || len(p.Entries) == 0 {
						b.Fatal(len(p.Entries), err)
					}
				}
			}
			b.ReportMetric(times[1].Seconds()/times[0].Seconds(), "ratio")
			b.ReportMetric(times[0].Seconds()*1e6/float64(b.N), "small-µs")
			b.ReportMetric(times[1].Seconds()*1e6/float64(b.N), "large-µs")
		})
	}
}

func cameraOf(n int) seal.CameraID { return seal.CameraID("cam" + string(rune('a'+n%20))) }

// indexed is a store with an index of messages whose bytes nobody has: 1,000 a day
// of 20 cameras.
type indexed struct {
	s          *Store
	start, end time.Time
}

func indexOf(b *testing.B, n uint64) *indexed {
	b.Helper()
	s := openBench(b)
	s.x.db.NoSync = true
	x := &indexed{s: s, start: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	const every = 24 * time.Hour / 1000
	const chunk = 4_000
	for done := uint64(0); done < n; {
		err := s.x.update(func(t tx) error {
			c, err := t.change()
			if err != nil {
				return err
			}
			for range min(chunk, n-done) {
				done++
				r := row{Entry: Entry{Kind: "media", Cursor: done, Received: x.start.Add(time.Duration(done) * every)}, place: place{Segment: 1, At: int64(done) * block, Head: 250}}
				r.Visible = seal.Visible{Camera: cameraOf(int(done)), Household: "h", Stream: seal.Durable, Seq: done/20 + 1, Size: 1}
				binary.BigEndian.PutUint64(r.Visible.Hash[:], done) // in order, for the time that takes: a page asks for no hash
				if err := c.add(&r, nil); err != nil {
					return err
				}
			}
			return c.write()
		})
		if err != nil {
			b.Fatal(err)
		}
		x.end = x.start.Add(time.Duration(done) * every)
	}
	delete(s.houses, "h")
	b.Logf("%d messages, index of %d MB", n, size(b, s)>>20)
	return x
}

func size(b *testing.B, s *Store) int64 {
	b.Helper()
	info, err := os.Stat(filepath.Join(s.config.Dir, indexFile))
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}
