package uplink

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/internal/recording"
)

// 1080p H.264 at 4 Mbit/s is recorded, sealed and stored without losing a frame,
// in a small part of the time that it takes; what that costs is logged.
func TestRecordFilm(t *testing.T) {
	const seconds = 20
	dir := t.TempDir()
	file := filepath.Join(dir, "film.h264")
	run(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30:duration=2", "-vf", "noise=alls=12:allf=t",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "30", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M", "-pix_fmt", "yuv420p", "-f", "h264", file)
	two, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	frames := unitsOf(t, bytes.Repeat(two, seconds/2))
	u := claimed(t)
	now := time.Hour
	u.config.Mono = func() time.Duration { return now }
	u.config.Recording = &RecordingConfig{Dir: dir, Budget: MinRecording, Rate: 1 << 20}
	u.openRecording()
	ring := encode.NewRing(32<<20, 5*time.Second)
	r := encode.NewRecorder(ring, new(encode.JPEG))
	began := cpu(syscall.RUSAGE_SELF)
	take := func() {
		for {
			p, ok, err := r.Next()
			if err == nil && ok {
				err = u.Record(p)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return
			}
		}
	}
	for _, f := range frames {
		now = time.Hour + f.Mono
		r.Look(encode.Moment{Frame: f.Mono, Mono: now, Wall: u.config.Now()})
		if err := ring.Push(&capture.Frame{Format: f.Format, Data: f.Data, Seq: f.Seq, Mono: f.Mono}); err != nil {
			t.Fatal(err)
		}
		take()
	}
	r.Close(encode.EndStopped)
	take()
	spent := cpu(syscall.RUSAGE_SELF) - began
	st := u.Recording()
	if s := ring.Stats(); s.Missed != 0 || s.Skipped != 0 || r.Bad() != 0 || st.Kept != seconds || st.Failed+st.Limited != 0 {
		t.Errorf("%+v, %d left out, %+v", s, r.Bad(), st)
	}
	c := u.recorder.opened().Read(time.Unix(1, 0), u.config.Now().Add(time.Hour), recording.Now{}, true)
	defer c.Close()
	parts := 0
	for it, ok := c.Next(); ok; it, ok = c.Next() {
		if !it.Hole {
			parts++
		}
	}
	if parts != seconds || len(frames) != seconds*30 {
		t.Errorf("%d parts of %d frames", parts, len(frames))
	}
	t.Logf("%.1f Mbit/s: %.2f %% of one processor, %.3f bytes written for each of the stream, %d syncs a minute",
		float64(len(two))*8/2e6, 100*spent.Seconds()/seconds, float64(st.Bytes)/float64(len(two)*seconds/2), st.Syncs*60/seconds)
}
