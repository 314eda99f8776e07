package broker

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/mqtt"
)

// What waits for cameras outlives the broker; what cameras make anew does not, nor
// what was taken back, nor a file that is damaged.
func TestRetainedOutlivesRestart(t *testing.T) {
	dir := t.TempDir()
	id := strings.Repeat("a", 52)
	topic := func(kind string) string { return "sealcam/v1/" + id + "/" + kind }
	h := newHouse(t)
	conf, err := h.ServerTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	open := func() *Broker {
		b, err := New(Config{Addr: "127.0.0.1:0", TLS: conf, Retain: dir})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := open().Inside()
	for kind, payload := range map[string]string{"roster": "one", "settings/all": "two", "live": "three", "hello": "four"} {
		if err := first.Publish(t.Context(), mqtt.Message{Topic: topic(kind), Payload: []byte(payload), Retained: true}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	read := func() map[string]string {
		in := open().Inside()
		defer in.Close()
		if err := in.Subscribe(t.Context(), "sealcam/v1/#"); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for len(in.Messages()) > 0 {
			m := <-in.Messages()
			if !m.Retained {
				t.Errorf("%s is not said to be retained", m.Topic)
			}
			got[strings.TrimPrefix(m.Topic, "sealcam/v1/"+id+"/")] = string(m.Payload)
		}
		return got
	}
	if got := read(); len(got) != 2 || got["roster"] != "one" || got["settings/all"] != "two" {
		t.Errorf("after a restart %v", got)
	}
	in := open().Inside()
	in.Publish(t.Context(), mqtt.Message{Topic: topic("settings/all"), Retained: true})
	if got := read(); len(got) != 1 {
		t.Errorf("after one was taken back %v", got)
	}
	files, err := filepath.Glob(dir + "/*")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(); len(got) != 0 {
		t.Errorf("a damaged one came back: %v", got)
	}
}

// What is read from a file of what is retained is exactly what store wrote.
func FuzzRetained(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, rest []byte) {
		sum := sha256.Sum256(rest)
		topic, payload, err := parseRetained(append(sum[:], rest...))
		if err != nil {
			return
		}
		r := &retained{dir: t.TempDir()}
		if err := r.store(topic, payload); len(payload) > 0 && err != nil {
			t.Fatal(err)
		} else if len(payload) == 0 {
			return
		}
		again, same, err := read(r.name(topic))
		if err != nil || again != topic || !bytes.Equal(same, payload) {
			t.Errorf("%q %v", again, err)
		}
	})
}
