package encode

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// ffmpeg runs ffmpeg or ffprobe and returns what it prints, and what it complains of.
func ffmpeg(t testing.TB, name string, args ...string) (out, complaints string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: make test-deps installs it", err)
	}
	cmd := exec.Command(path, append([]string{"-v", "warning", "-hide_banner"}, args...)...)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, &e)
	}
	return o.String(), e.String()
}

// filmed holds the films that ffmpeg has made, by its arguments: encoding is most of
// what these tests cost.
var filmed sync.Map // string to []byte

// film makes an Annex B stream by ffmpeg and returns its frames, at a rate.
func film(t testing.TB, codec annexb.Codec, size string, rate, seconds int, args ...string) []*capture.Frame {
	t.Helper()
	lib, pixel := "libx264", capture.H264
	params := []string{"-f", "h264", "-x264-params", "log-level=error"}
	if codec == annexb.H265 {
		lib, pixel, params = "libx265", capture.H265, []string{"-f", "hevc", "-x265-params", "log-level=error:bframes=0:repeat-headers=1"}
	}
	all := append([]string{"-y", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=%d:duration=%d", size, rate, seconds), "-pix_fmt", "yuv420p", "-c:v", lib, "-preset", "ultrafast", "-bf", "0", "-g", fmt.Sprint(rate)}, params...)
	all = append(all, args...)
	stream, ok := filmed.Load(strings.Join(all, " "))
	if !ok {
		file := filepath.Join(t.TempDir(), "film")
		ffmpeg(t, "ffmpeg", append(all, file)...)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stream, _ = filmed.LoadOrStore(strings.Join(all, " "), b)
	}
	s := annexb.NewSplitter(bytes.NewReader(stream.([]byte)), codec, 8<<20)
	var w, h int
	var out []*capture.Frame
	for {
		au, err := s.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if p := annexb.ParamsOf(codec, au); len(p.SPS) > 0 {
			w, h, _ = annexb.Size(codec, p.SPS[0])
		}
		n := len(out)
		out = append(out, &capture.Frame{
			Format: capture.Format{Pixel: pixel, Width: w, Height: h}, Data: bytes.Clone(au), Seq: uint64(n), Mono: time.Duration(n) * time.Second / time.Duration(rate),
		})
	}
}

// once takes the parameter sets out of all frames but the first.
func once(film []*capture.Frame) []*capture.Frame {
	for _, f := range film[1:] {
		var out []byte
		for s := annexb.Scan(f.Data); ; {
			u, ok := s.Next()
			if !ok {
				break
			}
			if r, _ := annexb.RoleOf(annexb.H264, u); r != annexb.SPS && r != annexb.PPS {
				out = append(append(out, 0, 0, 0, 1), u...)
			}
		}
		f.Data = out
	}
	return film
}

// without returns an access unit less its n-th slice.
func without(t testing.TB, au []byte, n int) (out []byte) {
	t.Helper()
	slices := 0
	for s := annexb.Scan(au); ; {
		u, ok := s.Next()
		if !ok {
			break
		}
		if r, _ := annexb.RoleOf(annexb.H264, u); r == annexb.Slice || r == annexb.KeySlice {
			if slices++; slices == n+1 {
				continue
			}
		}
		out = append(append(out, 0, 0, 0, 1), u...)
	}
	if slices != 3 {
		t.Fatalf("%d slices in a frame, want 3", slices)
	}
	return out
}

// joined is a clip: its first part and what stands behind the head of the others.
func joined(parts []Picture) []byte {
	out := bytes.Clone(parts[0].Data)
	for _, p := range parts[1:] {
		out = append(out, p.Data[bytes.Index(p.Data, []byte("moof"))-4:]...)
	}
	return out
}

// plays reads an MP4 as strangers do: ffprobe counts its packets and frames, and
// neither it nor a decoder has anything to complain of. It returns the time of
// each frame shown.
func plays(t testing.TB, mp4 []byte, codec string, frames int) (shown []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(file, mp4, 0o600); err != nil {
		t.Fatal(err)
	}
	out, complaints := ffmpeg(t, "ffprobe", "-select_streams", "v", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets:frame=pts", "-of", "csv", file)
	if complaints != "" {
		t.Errorf("ffprobe complains: %s", complaints)
	}
	stream := ""
	for line := range strings.Lines(out) {
		section, rest, _ := strings.Cut(strings.TrimSpace(line), ",")
		switch section {
		case "stream":
			stream = rest
		case "frame":
			pts, _, _ := strings.Cut(rest, ",")
			shown = append(shown, pts)
		}
	}
	if want := fmt.Sprintf("%s,%d", codec, frames); stream != want {
		t.Errorf("ffprobe finds %q, want %q", stream, want)
	}
	if len(shown) != frames {
		t.Errorf("%d frames are shown, want %d", len(shown), frames)
	}
	return shown
}

// run cuts the clip of an event from second 6 to 8 out of a film.
func (c *cuts) run(film []*capture.Frame) {
	c.t.Helper()
	for _, f := range film {
		if f.Mono >= 6*time.Second && c.c.Stats().Clips == 0 {
			c.event(1, f.Mono)
		}
		c.frame(f, f.Mono < 8*time.Second)
	}
	c.c.Close(EndStopped)
	c.take()
}

// Clips of each kind of camera play: each part alone, and all of them together,
// from a key frame, with all frames.
func TestClipsPlay(t *testing.T) {
	for _, k := range []struct {
		name, codec string
		film        []*capture.Frame
		frames      int
	}{
		{"MJPEG", "mjpeg", jpegs(t, 150, 100*time.Millisecond), 121},
		{"H.264", "h264", film(t, annexb.H264, "322x182", 10, 15), 121},
		{"H.264, parameter sets once", "h264", once(film(t, annexb.H264, "322x182", 10, 15)), 121},
		{"H.265", "hevc", film(t, annexb.H265, "322x182", 10, 15), 121},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := ofFive(t)
			c.run(k.film)
			if len(c.parts) != 13 {
				t.Fatalf("%d parts, want 13", len(c.parts))
			}
			plays(t, joined(c.parts), k.codec, k.frames)
			for _, i := range []int{0, 4, 12} {
				frames := 10
				if i == 12 {
					frames = 1
				}
				plays(t, c.parts[i].Data, k.codec, frames)
			}
		})
	}
}

// Frames that come when they like are shown when they came.
func TestVariableRate(t *testing.T) {
	c := ofFive(t)
	frames := jpegs(t, 100, 0)
	at := time.Duration(0)
	for i, f := range frames {
		f.Mono = at
		at += time.Duration(30+i*i%250) * time.Millisecond
	}
	c.run(frames)
	shown := plays(t, joined(c.parts), "mjpeg", func() (n int) {
		for _, p := range c.parts {
			n += len(times(t, p.Data).at)
		}
		return n
	}())
	n := 0
	for _, p := range c.parts {
		for _, tick := range times(t, p.Data).at {
			if shown[n] != fmt.Sprint(tick) {
				t.Fatalf("frame %d is shown at %s, want %d", n, shown[n], tick)
			}
			n++
		}
	}
}

// What cameras get wrong with H.264 costs the clip no more than the frames that
// nobody could decode.
func TestBadStreams(t *testing.T) {
	good := film(t, annexb.H264, "322x182", 10, 15)
	bare := once(film(t, annexb.H264, "322x182", 10, 15))
	t.Run("starts in mid-GOP", func(t *testing.T) {
		c := ofFive(t)
		c.run(good[13:]) // the first key frame is 20, and there the clip begins
		if c.parts[0].Taken != c.wall.Add(2*time.Second) || c.parts[0].Clip.PreRoll != 4*time.Second || c.ring.Stats().Skipped != 7 {
			t.Errorf("begins at %v with %v, %d frames skipped", c.parts[0].Taken, c.parts[0].Clip, c.ring.Stats().Skipped)
		}
		plays(t, joined(c.parts), "h264", 111)
	})
	t.Run("no parameter sets", func(t *testing.T) {
		c := ofFive(t)
		c.run(bare[1:])
		if len(c.parts) != 0 || c.ring.Stats().Skipped != 149 {
			t.Errorf("%d parts of what nobody can decode, %d frames skipped", len(c.parts), c.ring.Stats().Skipped)
		}
		if bare := c.ring.Stats().Bare; bare != 14800*time.Millisecond {
			t.Errorf("parameter sets are said to lack for %v", bare)
		}
		late := *good[0]
		late.Seq, late.Mono = 150, 15*time.Second
		push(t, c.ring, &late)
		if st := c.ring.Stats(); st.Bare != 0 || st.Frames != 1 {
			t.Errorf("parameter sets have come: %+v", st)
		}
	})
	t.Run("lost frames", func(t *testing.T) {
		c := ofFive(t)
		c.run(append(append([]*capture.Frame{}, good[:45]...), good[47:]...)) // 45 and 46 are lost, 47 to 49 stand on them
		if c.ring.Stats().Skipped != 3 {
			t.Errorf("%d frames skipped, want 3", c.ring.Stats().Skipped)
		}
		plays(t, joined(c.parts), "h264", 116)
	})
	for name, slice := range map[string]int{"first slice lost": 0, "second slice lost": 1} {
		t.Run(name, func(t *testing.T) { // kept: a decoder covers the hole, and goes on
			c := ofFive(t)
			sliced := film(t, annexb.H264, "322x182", 10, 15, "-slices", "3")
			for _, n := range []int{45, 50} { // one of the two is a key frame
				sliced[n].Data = without(t, sliced[n].Data, slice)
			}
			c.run(sliced)
			if st := c.ring.Stats(); st.Skipped != 0 || c.c.Stats().Bad != 0 {
				t.Errorf("%+v, %d left out", st, c.c.Stats().Bad)
			}
			file := filepath.Join(t.TempDir(), "clip.mp4")
			if err := os.WriteFile(file, joined(c.parts), 0o600); err != nil {
				t.Fatal(err)
			}
			out, complaints := ffmpeg(t, "ffprobe", "-v", "info", "-show_entries", "frame=pts", "-of", "csv=p=0", file)
			if shown := len(strings.Fields(out)); shown != 121 || !strings.Contains(complaints, "concealing") {
				t.Errorf("%d frames are shown, and a decoder says %q", shown, complaints)
			}
		})
	}
	t.Run("another size", func(t *testing.T) {
		c := ofFive(t)
		other := film(t, annexb.H264, "242x136", 10, 15)
		c.run(append(append([]*capture.Frame{}, good[:75]...), other[75:]...))
		last := c.parts[len(c.parts)-1]
		if !last.Last || last.Clip.Ended != EndFormat {
			t.Errorf("the last part: last %v, ended %v", last.Last, last.Clip.Ended)
		}
		plays(t, joined(c.parts), "h264", 65)
	})
	t.Run("B-frames", func(t *testing.T) {
		r := NewRing(1<<20, time.Second)
		refused := 0
		for _, f := range film(t, annexb.H264, "322x182", 10, 3, "-bf", "2") {
			if r.Push(f) != nil {
				refused++
			}
		}
		if refused == 0 {
			t.Error("frames in another order than they are shown in were taken")
		}
	})
	t.Run("no second key frame", func(t *testing.T) {
		c := newCuts(t, CutterConfig{Before: time.Second, After: time.Second, Longest: 10 * time.Minute})
		c.run(good[:1])
		f := *good[1]
		f.Data = append(bytes.Clone(f.Data), bytes.Repeat([]byte{0x55}, 100<<10)...)
		for i := 1; i < 100; i++ {
			if i == 2 {
				c.event(1, f.Mono)
			}
			g := f
			g.Seq, g.Mono = uint64(i), time.Duration(i)*100*time.Millisecond
			c.frame(&g, true)
		}
		if len(c.parts) != 1 || !c.parts[0].Last || c.parts[0].Clip.Ended != EndNoKey || len(c.parts[0].Data) > partHard+64<<10 {
			t.Fatalf("%d parts", len(c.parts))
		}
	})
}
