package broker

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Bounds of what outlives a restart.
const (
	maxRetained      = 512 << 10 // bytes of one message
	maxRetainedFiles = 1 << 18
)

// retained keeps in a directory what household members leave for cameras that are
// away: a file per topic, replaced whole. What cameras retain (their newest live
// picture) is made anew by them and not kept.
type retained struct {
	server.HookBase
	dir     string
	log     *slog.Logger
	loading bool // New is publishing what it has read

	mu    sync.Mutex
	files int
}

// lasting reports whether what is retained on a topic is kept over a restart.
func lasting(topic string) bool {
	rest, ok := strings.CutPrefix(topic, "sealcam/v1/")
	id, kind, _ := strings.Cut(rest, "/")
	if _, err := seal.ParseCameraID(id); !ok || err != nil {
		return false
	}
	return kind == "roster" || strings.HasPrefix(kind, "settings/")
}

// ID implements mqtt.Hook.
func (*retained) ID() string { return "retained" }

// Provides implements mqtt.Hook.
func (*retained) Provides(b byte) bool { return b == server.OnRetainMessage }

// OnRetainMessage implements mqtt.Hook. Nobody can be told that it fails: who
// published was acknowledged, and publishes again at the next change.
func (r *retained) OnRetainMessage(_ *server.Client, pk packets.Packet, _ int64) {
	if r.loading || !lasting(pk.TopicName) || len(pk.Payload) > maxRetained {
		return
	}
	if err := r.store(pk.TopicName, pk.Payload); err != nil {
		r.log.Warn("a retained message would not outlive a restart", "topic", pk.TopicName, "err", err)
	}
}

// name returns the file of a topic.
func (r *retained) name(topic string) string {
	sum := sha256.Sum256([]byte(topic))
	return filepath.Join(r.dir, hex.EncodeToString(sum[:16]))
}

// store writes what is retained: SHA-256 of the rest, 2 bytes of length of the
// topic, topic, payload. An empty payload ends it.
func (r *retained) store(topic string, payload []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := r.name(topic)
	_, err := os.Stat(name)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case len(payload) == 0 && fresh:
		return nil
	case len(payload) == 0:
		r.files--
		return os.Remove(name)
	case fresh && r.files >= maxRetainedFiles:
		return fmt.Errorf("%d are kept already", r.files)
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(len(topic)))
	b = append(append(b, topic...), payload...)
	sum := sha256.Sum256(b)
	f, err := os.CreateTemp(r.dir, "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // there only after a failure
	if _, err = f.Write(append(sum[:], b...)); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	if fresh {
		r.files++
	}
	d, err := os.Open(r.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// load hands each kept message to publish. A file that is damaged is left out and
// told: its household's next change, or a viewer, brings the message again.
func (r *retained) load(publish func(topic string, payload []byte) error) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	for _, f := range files[:min(len(files), maxRetainedFiles)] {
		name := filepath.Join(r.dir, f.Name())
		if strings.HasPrefix(f.Name(), "new-") { // of a process that was killed
			if err := os.Remove(name); err != nil {
				return err
			}
			continue
		}
		topic, payload, err := read(name)
		if err != nil || r.name(topic) != name {
			r.log.Warn("a retained message is damaged and left out", "file", name, "err", err)
			continue
		}
		if err := publish(topic, payload); err != nil {
			return err
		}
		r.files++
	}
	return nil
}

func read(name string) (topic string, payload []byte, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", nil, err
	}
	if info.Size() > maxRetained+1<<17 {
		return "", nil, fmt.Errorf("%d bytes", info.Size())
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", nil, err
	}
	return parseRetained(b)
}

// parseRetained is the inverse of what store writes.
func parseRetained(b []byte) (topic string, payload []byte, err error) {
	if len(b) < sha256.Size+2 {
		return "", nil, errors.New("too short")
	}
	rest := b[sha256.Size:]
	n := int(binary.BigEndian.Uint16(rest))
	if sha256.Sum256(rest) != [sha256.Size]byte(b) || len(rest) < 2+n {
		return "", nil, errors.New("not what was written")
	}
	topic = string(rest[2 : 2+n])
	if !lasting(topic) {
		return "", nil, errors.New("of a topic that is not kept")
	}
	return topic, rest[2+n:], nil
}
