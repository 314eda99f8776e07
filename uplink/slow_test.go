package uplink

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/internal/recording"
)

// slowDisk is a card that takes so many bytes a second, and a while for each sync.
type slowDisk struct {
	recording.FS
	rate float64
}

type slowFile struct {
	recording.File
	rate float64
}

func (d slowDisk) Create(name string) (recording.File, error) {
	f, err := d.FS.Create(name)
	return slowFile{f, d.rate}, err
}

func (f slowFile) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(float64(len(b)) / f.rate * float64(time.Second)))
	return f.File.Write(b)
}

func (f slowFile) Sync() error {
	time.Sleep(200 * time.Millisecond)
	return f.File.Sync()
}

// noise returns a JPEG that takes about 200 kB.
func noise(t *testing.T) []byte {
	t.Helper()
	m, rng := image.NewGray(image.Rect(0, 0, 640, 360)), rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = byte(rng.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 94}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// samples returns how many frames there are in a part.
func samples(part []byte) int {
	return int(binary.BigEndian.Uint32(part[bytes.Index(part, []byte("trun"))+8:]))
}

// A card that is slower than the camera: the camera never waits, the clip of an
// event lacks nothing, and the recording has each frame or says that it lacks some,
// by a number that is left out, and in words.
func TestRecordOnASlowCard(t *testing.T) {
	data := noise(t)
	const seconds, rate = 24, 30
	for name, speed := range map[string]float64{
		"5 MB/s": 5e6, "a tenth of the camera's": float64(len(data)) * rate / 10, "fast enough": 2 * float64(len(data)) * rate,
	} {
		t.Run(name, func(t *testing.T) {
			inHome(t, func(t *testing.T, h *home) {
				h.record = &RecordingConfig{Dir: h.dir, Budget: 1 << 30, Rate: 1 << 24}
				h.open()
				disk := must(recording.Disk(h.dir, "slow"))
				h.do(h.up.recorder.opened().Close())
				store := must(recording.Open(recording.Config{FS: slowDisk{disk, speed}, Budget: 1 << 30}))
				h.up.recorder.store = store
				ring := encode.NewRing(32<<20, 2*time.Second)
				tape := encode.NewRecorder(ring, new(encode.JPEG))
				clips := encode.NewCutter(ring, new(encode.JPEG), encode.CutterConfig{Before: 2 * time.Second, After: 2 * time.Second, Longest: time.Minute})
				wake, done, kept := make(chan struct{}, 1), make(chan struct{}), 0
				take := func() {
					for {
						p, ok, err := tape.Next()
						if h.do(err); !ok {
							return
						}
						kept += samples(p.Data)
						h.do(h.up.Record(p))
					}
				}
				go func() {
					defer close(done)
					for range wake {
						take()
					}
				}()
				began, inClip := time.Now(), 0
				for n := range seconds * rate {
					at := time.Duration(n) * time.Second / rate
					now := encode.Moment{Frame: at, Mono: h.up.config.Mono(), Wall: h.now()}
					if at == 10*time.Second {
						clips.Event(1, at, now)
						clips.Ready(1)
					}
					clips.Look(at, at >= 10*time.Second && at < 13*time.Second)
					tape.Look(now)
					h.do(ring.Push(&capture.Frame{Format: capture.Format{Pixel: capture.MJPEG, Width: 640, Height: 360}, Data: data, Seq: uint64(n), Mono: at}))
					select {
					case wake <- struct{}{}:
					default:
					}
					for p, ok, err := clips.Next(); ok; p, ok, err = clips.Next() {
						h.do(err)
						inClip += samples(p.Data)
					}
					time.Sleep(time.Until(began.Add(at + time.Second/rate)))
				}
				if late := time.Since(began) - seconds*time.Second; late > time.Second {
					t.Errorf("the camera has waited for %v", late)
				}
				tape.Close(encode.EndStopped)
				close(wake)
				<-done
				take()
				count, st := ring.Stats(), h.up.Recording()
				if want := 7*rate + 1; inClip < want || inClip > want+1 || count.Lost != 0 || clips.Stats().Bad != 0 {
					t.Errorf("%d frames in the clip, want %d; %d lost", inClip, want, count.Lost)
				}
				if kept+int(count.Missed) != seconds*rate {
					t.Errorf("%d frames are recorded and %d missed of %d", kept, count.Missed, seconds*rate)
				}
				slow := name != "fast enough"
				if slow != (count.Missed > 0) || slow != (st.Slow > 0) || slow != strings.Contains(st.Trouble, "slower than what the camera gives") || st.Failed+st.Limited > 0 {
					t.Errorf("%d missed, %+v", count.Missed, st)
				}
				// Where frames lack, a number does, and nowhere else.
				c := store.Read(time.Unix(1, 0), h.now().Add(time.Hour), recording.Now{}, false)
				defer c.Close()
				holes, before := uint64(0), recording.Item{}
				for it, ok := c.Next(); ok; it, ok = c.Next() {
					if it.Hole {
						continue
					}
					if gap := it.From.Sub(before.To); before.Part.Seq > 0 && (it.Part.Seq > before.Part.Seq+1) != (gap > 10*time.Millisecond) {
						t.Errorf("parts %d and %d are %v apart", before.Part.Seq, it.Part.Seq, gap)
					}
					if it.Part.Seq > before.Part.Seq+1 {
						holes++
					}
					before = it
				}
				if holes != st.Slow || int(before.Part.Seq) != int(st.Kept+st.Slow) {
					t.Errorf("%d holes, the last part is %d, %+v", holes, before.Part.Seq, st)
				}
				t.Logf("%d bytes a frame: %d frames recorded, %d missed in %d holes", len(data), kept, count.Missed, holes)
			})
		})
	}
}
