package uplink

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/identity"
)

// What a clip costs: 1080p H.264 at 4 Mbit/s through the ring, cut, muxed, sealed
// and spooled, in CPU time for each second of video, and as a ratio to ffmpeg
// copying the same stream into fragmented MP4, with AES-GCM and SHA-256 of the
// same bytes on top. ffmpeg's start is not counted: it is run on a short film too.
func BenchmarkClip(b *testing.B) {
	const seconds = 30
	dir := b.TempDir()
	long, short := filepath.Join(dir, "long.h264"), filepath.Join(dir, "short.h264")
	run(b, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30:duration=5", "-vf", "noise=alls=12:allf=t",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "30", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M", "-pix_fmt", "yuv420p", "-f", "h264", short)
	five, err := os.ReadFile(short)
	if err != nil {
		b.Fatal(err)
	}
	film := bytes.Repeat(five, seconds/5)
	if err := os.WriteFile(long, film, 0o600); err != nil {
		b.Fatal(err)
	}
	frames := unitsOf(b, film)
	u := claimed(b)
	var ours, theirs time.Duration
	for i := 0; b.Loop(); i++ {
		began := cpu(syscall.RUSAGE_SELF)
		sealFilm(b, u, uint64(i+1), frames)
		ours += cpu(syscall.RUSAGE_SELF) - began
		began = cpu(syscall.RUSAGE_CHILDREN)
		for _, f := range []string{long, short} {
			run(b, "ffmpeg", "-y", "-v", "error", "-f", "h264", "-r", "30", "-i", f, "-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof", filepath.Join(dir, "out.mp4"))
			if f == long {
				theirs += cpu(syscall.RUSAGE_CHILDREN) - began
			} else {
				theirs -= cpu(syscall.RUSAGE_CHILDREN) - began // of the start, and 5 s
			}
			began = cpu(syscall.RUSAGE_CHILDREN)
		}
		began = cpu(syscall.RUSAGE_SELF)
		encryptAndHash(b, film[len(five):])
		theirs += cpu(syscall.RUSAGE_SELF) - began
	}
	each := func(d time.Duration, s int) float64 { return d.Seconds() * 1000 / float64(b.N) / float64(s) }
	b.ReportMetric(each(ours, seconds), "ours-cpu-ms/s")
	b.ReportMetric(each(theirs, seconds-5), "theirs-cpu-ms/s")
	b.ReportMetric(each(ours, seconds)/each(theirs, seconds-5), "ratio")
	b.ReportMetric(float64(len(film)*8)/seconds/1e6, "Mbit/s")
}

// claimed returns the uplink of a camera in a household of one viewer. It is not run.
func claimed(b testing.TB) *Uplink {
	b.Helper()
	dir := b.TempDir()
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "mqtts://127.0.0.1:1", time.Now)
	if err != nil {
		b.Fatal(err)
	}
	camera, err := identity.OpenCamera(filepath.Join(dir, "camera"))
	if err != nil {
		b.Fatal(err)
	}
	_, noViewer := h.AddViewer("desk")
	if err := errors.Join(noViewer, h.AddCamera(camera.ID(), "door"), h.Adopt(camera)); err != nil {
		b.Fatal(err)
	}
	u, err := Open(Config{
		Dir: filepath.Join(dir, "spool"), Camera: camera, Broker: camera.Broker(), Budget: 4 << 30,
		Now: time.Now, Mono: func() time.Duration { return time.Hour },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { u.Close() })
	return u
}

func run(tb testing.TB, name string, args ...string) {
	tb.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v: %s: make test-deps installs it", name, err, out)
	}
}

// cpu returns the CPU time of this process, or of its children that have ended.
func cpu(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// unitsOf returns the frames of a stream of 30 a second.
func unitsOf(tb testing.TB, film []byte) (frames []*capture.Frame) {
	tb.Helper()
	s := annexb.NewSplitter(bytes.NewReader(film), annexb.H264, 8<<20)
	for {
		au, err := s.Next()
		if err == io.EOF {
			return frames
		}
		if err != nil {
			tb.Fatal(err)
		}
		n := len(frames)
		frames = append(frames, &capture.Frame{
			Format: capture.Format{Pixel: capture.H264, Width: 1920, Height: 1080}, Data: bytes.Clone(au), Seq: uint64(n), Mono: time.Duration(n) * time.Second / 30,
		})
	}
}

// sealFilm makes one clip of a film, sealed and spooled.
func sealFilm(tb testing.TB, u *Uplink, event uint64, frames []*capture.Frame) {
	tb.Helper()
	ring := encode.NewRing(32<<20, 5*time.Second)
	c := encode.NewCutter(ring, new(encode.JPEG), encode.CutterConfig{Before: 5 * time.Second, After: 5 * time.Second, Longest: time.Hour})
	parts := 0
	take := func() {
		for {
			p, ok, err := c.Next()
			if err != nil {
				tb.Fatal(err)
			}
			if !ok {
				return
			}
			if err := u.Send(p); err != nil {
				tb.Fatal(err)
			}
			parts++
		}
	}
	for i, f := range frames {
		if i == 1 {
			c.Event(event, f.Mono, encode.Moment{Frame: f.Mono, Wall: time.Now()})
			c.Ready(event)
		}
		c.Look(f.Mono, true)
		if err := ring.Push(f); err != nil {
			tb.Fatal(err)
		}
		take()
	}
	c.Close(encode.EndStopped)
	take()
	if parts < len(frames)/31 {
		tb.Fatalf("%d parts of %d frames", parts, len(frames))
	}
}

// encryptAndHash does to the bytes what nobody who protects them can do without.
func encryptAndHash(tb testing.TB, film []byte) {
	tb.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		tb.Fatal(err)
	}
	out := gcm.Seal(nil, make([]byte, gcm.NonceSize()), film, nil)
	if sha256.Sum256(out) == [32]byte{} {
		tb.Fatal("the hash is nothing")
	}
}
