package fleet

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// collector notes which messages reached the broker. It checks what can be checked
// without a key, and stores the numbers of those that came, so that it can be killed.
type collector struct {
	feed  *feed.Broker
	notes *os.File

	mu      sync.Mutex
	cameras map[seal.CameraID]*seen
	total   sideStats
}

// seen are the durable numbers of one camera that came.
type seen struct {
	low  uint64              // all up to it
	high map[uint64]struct{} // and these
}

func (s *seen) add(seq uint64) (news bool) {
	if _, ok := s.high[seq]; ok || seq <= s.low {
		return false
	}
	s.high[seq] = struct{}{}
	for {
		if _, ok := s.high[s.low+1]; !ok {
			return true
		}
		s.low++
		delete(s.high, s.low)
	}
}

// newCollector goes on where the notes in the file at path end.
func newCollector(b *broker.Broker, path string) (*collector, error) {
	inside := func(context.Context, mqtt.Config) (feed.Conn, error) { return b.Inside(), nil }
	f, err := feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: "mqtt://127.0.0.1", ClientID: "collector"}, Dial: inside})
	if err != nil {
		return nil, err
	}
	k := &collector{feed: f, cameras: map[seal.CameraID]*seen{}}
	if k.notes, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(k.notes); lines.Scan(); {
		var id seal.CameraID
		var seq uint64
		var size int
		if n, _ := fmt.Sscan(lines.Text(), &id, &seq, &size); n == 3 {
			k.note(id, seq, size)
		}
	}
	return k, nil
}

// note is false for what was noted before. k.mu is held.
func (k *collector) note(id seal.CameraID, seq uint64, size int) bool {
	s := k.cameras[id]
	if s == nil {
		s = &seen{high: map[uint64]struct{}{}}
		k.cameras[id] = s
	}
	if !s.add(seq) {
		return false
	}
	k.total.Arrived++
	k.total.ArrivedBytes += uint64(size)
	return true
}

func (k *collector) run(ctx context.Context) error { return k.feed.Run(ctx, k.take) }

// take notes one message.
func (k *collector) take(it feed.Item) {
	if it.Kind != feed.Media && it.Kind != feed.Status {
		return
	}
	v, err := seal.Peek(it.Sealed)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil || v.Camera != it.Camera:
		k.total.Bad++
	case v.Stream == seal.Durable && k.note(v.Camera, v.Seq, v.Size):
		_, _ = fmt.Fprintln(k.notes, v.Camera, v.Seq, v.Size)
	}
}

func (k *collector) count(t *sideStats) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t.Arrived, t.ArrivedBytes, t.Bad = k.total.Arrived, k.total.ArrivedBytes, k.total.Bad
}

func (k *collector) accounts() map[string]*account {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]*account{}
	for id, s := range k.cameras {
		all[string(id)] = &account{Count: s.low + uint64(len(s.high))}
	}
	return all
}
