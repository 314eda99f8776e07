package page

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/annexb"
	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/nodetest"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/seal"
)

// scenery is what the cameras of all worlds see; nobody writes to it.
type scenery struct {
	stills map[string][][]byte         // by light: JPEG pictures of a garden
	clips  map[string][]encode.Picture // by codec: the parts of a clip of 8 s, of some less for h265
}

const (
	clipRate    = 8 // frames a second
	clipPreRoll = 2 * time.Second
)

func newScenery(t *testing.T) *scenery {
	t.Helper()
	s := &scenery{
		stills: map[string][][]byte{"day": garden(t, "walk?size=1280x720&rate=2&seed=3", 26), "night": garden(t, "night?size=1280x720&rate=2&seed=5", 26)},
		clips:  map[string][]encode.Picture{},
	}
	frames := walk(t, "walk?size=640x360&rate=8&seed=3", int(clipPreRoll.Seconds())*clipRate, 8*clipRate)
	period := time.Second / clipRate
	s.clips["jpeg"] = cliptest.Cut(t, cliptest.JPEGs(frames, 640, 360, period), clipPreRoll, time.Time{})
	ffmpeg := exec.CommandContext(t.Context(), nodetest.Tool(t, "ffmpeg"), "-v", "error", "-f", "mjpeg", "-framerate", "8", "-i", "-",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "8", "-f", "h264", "-")
	ffmpeg.Stdin = bytes.NewReader(bytes.Join(frames, nil))
	stream, err := ffmpeg.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	s.clips["h264"] = cliptest.Cut(t, cliptest.Stream(t, annexb.H264, stream, period), clipPreRoll, time.Time{})
	if stream, err = os.ReadFile(filepath.Join("..", "..", "..", "capture", "annexb", "testdata", "plain.h265")); err != nil {
		t.Fatal(err)
	}
	s.clips["h265"] = cliptest.Cut(t, cliptest.Stream(t, annexb.H265, stream, period), 0, time.Time{})
	return s
}

// sealClip seals the snapshot of an event that begins at start, and its clip.
func (w *world) sealClip(c *fakeCamera, codec string, id uint64, start time.Time) (snapshot []byte, parts [][]byte) {
	snapshot = w.event(c, id, start, 1, seal.Label{Name: "person", Score: 930, Box: seal.Box{X: 400, Y: 300, W: 120, H: 400}})[0]
	for _, p := range w.scenery.clips[codec] {
		parts = append(parts, w.sealPart(c, id, start, p))
	}
	return snapshot, parts
}

// sealPart seals a part of a clip whose event begins at start.
func (w *world) sealPart(c *fakeCamera, id uint64, start time.Time, p encode.Picture) []byte {
	marks := seal.ClipMarks{PreRoll: p.Clip.PreRoll}
	if p.Last && p.Clip.Ended != encode.EndWhole {
		marks.Ended = p.Clip.Ended.String()
	}
	return w.sealDurable(c, seal.Meta{
		Kind: seal.KindClip, Cause: "motion", Light: c.light, Event: id, Part: p.Part, Last: p.Last, Labels: marks.Labels(),
		Taken: start.Add(p.Taken.Sub(time.Time{}) - clipPreRoll), Media: p.Media, Width: p.Width, Height: p.Height,
	}, p.Data)
}

func (w *world) deliverAll(c *fakeCamera, sealed ...[]byte) {
	for _, b := range sealed {
		w.deliver(c, feed.Media, b)
	}
}

// doClip delivers an event of two minutes ago with its whole clip.
func (w *world) doClip(codec string) func(*fakeCamera) error {
	return func(c *fakeCamera) error {
		snapshot, parts := w.sealClip(c, codec, 2000+c.seq, time.Now().Add(-2*time.Minute))
		w.deliverAll(c, snapshot)
		w.deliverAll(c, parts...)
		return nil
	}
}

// doHurt delivers a clip as a bad network and a bad broker do: part 3 is changed
// on its way, part 4 is dropped, part 2 comes twice, part 7 in front of part 6, and
// the last, part 8, is still on its way.
func (w *world) doHurt(c *fakeCamera) error {
	snapshot, p := w.sealClip(c, "jpeg", 3000, time.Now().Add(-5*time.Minute))
	changed := bytes.Clone(p[2])
	changed[len(changed)-2000] ^= 1
	w.deliverAll(c, snapshot, p[0], p[1], p[1], changed, p[4], p[6], p[5])
	w.late = [][]byte{p[7], p[2], p[3]}
	return nil
}

// doHeal delivers what doHurt left out: first the last part, then the others.
func (w *world) doHeal(c *fakeCamera) error {
	w.deliverAll(c, w.late[0])
	w.late = w.late[1:]
	return nil
}

func (w *world) doHealed(c *fakeCamera) error {
	w.deliverAll(c, w.late...)
	return nil
}

// doStranger delivers two parts that are sealed rightly and do not belong where
// they say they do: one more part 2, and a part 9 behind the last.
func (w *world) doStranger(c *fakeCamera) error {
	parts := w.scenery.clips["jpeg"]
	second, beyond := parts[4], parts[5]
	second.Part, beyond.Part, beyond.Last = 1, 8, false
	start := time.Now().Add(-5 * time.Minute)
	w.deliverAll(c, w.sealPart(c, 3000, start, second), w.sealPart(c, 3000, start, beyond))
	return nil
}
