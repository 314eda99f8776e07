package spool

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// backlog returns directories of this machine with n messages waiting.
func backlog(b *testing.B, n int, budget int64) (Config, *Spool) {
	state, err := Disk(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	messages, err := Disk(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = state.Close(), messages.Close() })
	c := Config{State: state, Messages: unsynced{messages}, Budget: budget, Holes: 32, Hash: hashOf}
	s, err := Open(c)
	if err != nil {
		b.Fatal(err)
	}
	msg := make([]byte, 4000)
	for range n {
		put(b, s, msg)
	}
	if out, err := exec.Command("sync").CombinedOutput(); err != nil { // or the benchmark pays for it
		b.Fatalf("sync: %v: %s", err, out)
	}
	c.Messages = messages
	s.mu.Lock()
	s.config.Messages = messages
	s.mu.Unlock()
	return c, s
}

// unsynced makes the filling of a benchmark's spool quick.
type unsynced struct{ FS }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) Create(name string) (File, error) {
	f, err := u.FS.Create(name)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ File }

func (unsyncedFile) Sync() error { return nil }

func put(b *testing.B, s *Spool, msg []byte) {
	head, err := s.Next()
	if err == nil {
		err = s.Put(Message{Seq: head.Seq, Class: Snapshot, Bytes: msg})
	}
	if err != nil {
		b.Fatal(err)
	}
}

// One message's life, from Put to giving it up, with 100 and with 100,000
// others waiting. Both are timed turn by turn, as what else a machine does to
// its disk would drown the difference. The ratio of the medians is the figure.
func BenchmarkMessage(b *testing.B) {
	few, many := newLife(b, 100), newLife(b, 100_000)
	var times [2][]float64
	b.ReportAllocs()
	for b.Loop() {
		for i, l := range []*life{few, many} {
			start := time.Now()
			l.step(b)
			times[i] = append(times[i], float64(time.Since(start)))
		}
	}
	var median [2]float64
	for i := range times {
		slices.Sort(times[i])
		median[i] = times[i][len(times[i])/2]
	}
	b.ReportMetric(median[0], "ns/100-waiting")
	b.ReportMetric(median[1], "ns/100000-waiting")
	b.ReportMetric(median[1]/median[0], "ratio")
}

type life struct {
	s   *Spool
	msg []byte
}

func newLife(b *testing.B, n int) *life {
	_, s := backlog(b, n, int64(n+200)*4096)
	return &life{s, make([]byte, 4000)}
}

func (l *life) step(b *testing.B) {
	put(b, l.s, l.msg)
	m, ok, err := l.s.Offer()
	if !ok {
		b.Fatal(err)
	}
	l.s.Ack(m.Seq)
	l.s.Delivered(Range{m.Seq, m.Seq})
}

// A restart with n messages waiting.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", n), func(b *testing.B) {
			c, _ := backlog(b, n, 1<<30)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				s, err := Open(c)
				if err != nil || s.Stats().Waiting != n {
					b.Fatal(err)
				}
			}
		})
	}
}
