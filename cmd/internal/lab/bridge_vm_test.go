//go:build vm && linux

package lab

import (
	"bytes"
	"context"
	"image/jpeg"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/mqtt"
)

// assistant is what Home Assistant would read of a bridge on the host: a
// Mosquitto of its own, `sealcam bridge`, and every payload by topic.
type assistant struct {
	mu      sync.Mutex
	said    map[string][][]byte
	changed chan struct{}
}

// bridgeName is the viewer that the bridge of a home is.
const bridgeName = "bridge"

func (h *home) bridge(t *testing.T) *assistant {
	t.Helper()
	port := freePort(t)
	local, err := mosquitto.Start(t.Context(), t.TempDir(), mosquitto.Config{Host: "127.0.0.1", Port: port}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(local.Stop)
	conn, err := mqtt.Dial(t.Context(), mqtt.Config{URL: local.URL(), ClientID: "assistant", Queue: 4096, MaxIncoming: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	a := &assistant{said: map[string][][]byte{}, changed: make(chan struct{})}
	if err := conn.Subscribe(t.Context(), "#"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case m := <-conn.Messages():
				a.mu.Lock()
				a.said[m.Topic] = append(a.said[m.Topic], m.Payload)
				close(a.changed)
				a.changed = make(chan struct{})
				a.mu.Unlock()
			case <-conn.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	startService(t, h.tool, "bridge", "--household", h.dir, "--viewer", bridgeName, "--broker", h.url(), "--local", local.URL())
	return a
}

// wait waits until an entity of a camera has said something, after the first
// skip messages, for which ok is true. It returns how much it has said then.
func (a *assistant) wait(t *testing.T, camera, entity string, skip int, what string, ok func([]byte) bool) int {
	t.Helper()
	topic := "sealcam-bridge/" + camera + "/" + entity
	ctx := limit(t)
	for {
		a.mu.Lock()
		said, changed := a.said[topic], a.changed
		a.mu.Unlock()
		if i := slices.IndexFunc(said[min(skip, len(said)):], ok); i >= 0 {
			return skip + i + 1
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded {
				t.Fatalf("Home Assistant waits for %s to be %s; it said %d messages, the last %.60q", entity, what, len(said), last(said))
			}
			return 0
		}
	}
}

func last(list [][]byte) []byte {
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// state waits for an entity to say exactly that.
func (a *assistant) state(t *testing.T, camera, entity, want string, skip int) int {
	t.Helper()
	return a.wait(t, camera, entity, skip, want, func(b []byte) bool { return string(b) == want })
}

// picture waits for a JPEG of that width.
func (a *assistant) picture(t *testing.T, camera, entity string, width int) {
	t.Helper()
	a.wait(t, camera, entity, 0, "a picture", func(b []byte) bool {
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		return err == nil && c.Width == width
	})
}

// announced demands the entities of a camera in the discovery topics.
func (a *assistant) announced(t *testing.T, camera string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var got []string
	for topic := range a.said {
		if parts := strings.Split(topic, "/"); parts[0] == "homeassistant" && len(parts) == 5 && strings.HasSuffix(parts[2], camera) {
			got = append(got, parts[1]+" "+parts[3])
		}
	}
	slices.Sort(got)
	want := []string{"binary_sensor motion", "binary_sensor online", "binary_sensor problem", "camera picture", "image event", "sensor light", "sensor missing", "sensor temperature", "sensor verdict"}
	if !slices.Equal(got, want) {
		t.Errorf("Home Assistant discovers %q, want %q", got, want)
	}
}
