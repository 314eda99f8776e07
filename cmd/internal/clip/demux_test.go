package clip_test

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/annexb"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/encode"
)

// still is a small JPEG file; n makes it another one.
func still(t testing.TB, n int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range img.Pix {
		img.Pix[i] = byte(i * (n + 3))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func stills(t testing.TB, n int) (files [][]byte) {
	for i := range n {
		files = append(files, still(t, i))
	}
	return files
}

func streamed(t testing.TB, name string, codec annexb.Codec) []encode.Picture {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "capture", "annexb", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return cliptest.Cut(t, cliptest.Stream(t, codec, data, 200*time.Millisecond), 0, time.Now())
}

// Every frame of a clip is found where the camera put it, and when.
func TestLookFindsFrames(t *testing.T) {
	files := stills(t, 33)
	n, end := 0, uint64(0)
	for i, p := range cliptest.Cut(t, cliptest.JPEGs(files, 64, 48, 100*time.Millisecond), time.Second, time.Now()) {
		l, err := clip.Look(p.Data)
		if err != nil {
			t.Fatal(err)
		}
		if l.Codec != clip.JPEG || l.Width != 64 || l.Height != 48 || l.Scale != encode.Timescale {
			t.Fatalf("part %d: %+v", i, l)
		}
		if l.Start != end {
			t.Errorf("part %d begins at %d, and the one before ends at %d", i, l.Start, end)
		}
		end = l.End()
		for _, f := range l.Frames {
			if _, err := jpeg.Decode(bytes.NewReader(p.Data[f.Offset : f.Offset+f.Size])); err != nil || f.Length != 9000 || !f.Key {
				t.Errorf("frame %d: %v, %+v", n, err, f)
			}
			n++
		}
	}
	if n != len(files) || end != 33*9000 {
		t.Errorf("%d frames to %d, want %d to %d", n, end, len(files), 33*9000)
	}
}

// Codecs are named as browsers want them.
func TestLookNamesCodecs(t *testing.T) {
	for name, k := range map[string]struct {
		codec annexb.Codec
		want  string
	}{
		"plain.h264":    {annexb.H264, "avc1.64000a"},
		"baseline.h264": {annexb.H264, "avc1.42c00a"},
		"plain.h265":    {annexb.H265, "hev1.1.6.L30"},
	} {
		parts := streamed(t, name, k.codec)
		l, err := clip.Look(parts[0].Data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l.Codec != k.want || !l.Frames[0].Key || len(l.Frames) > 1 && l.Frames[1].Key {
			t.Errorf("%s: %q, frames %+v", name, l.Codec, l.Frames)
		}
	}
}

// A part that is not what cameras write is none, whichever byte of its boxes it is.
func TestLookRefuses(t *testing.T) {
	part := cliptest.Cut(t, cliptest.JPEGs(stills(t, 5), 64, 48, 100*time.Millisecond), 0, time.Now())[0].Data
	find := func(kind string) int { return bytes.Index(part, []byte(kind)) }
	for name, at := range map[string]int{
		"cut short": -1, "flags of tfhd": find("tfhd") + 5, "version of tfdt": find("tfdt") + 4, "flags of trun": find("trun") + 7,
		"frames in trun": find("trun") + 11, "where media is": find("trun") + 15, "size of a frame": find("trun") + 16 + 6, "a smaller frame": find("trun") + 16 + 7,
		"begins after days": find("tfdt") + 9, "ticks a second": find("mdhd") + 4 + 12, "kind of media": find("mp4v"), "object type": find("esds") + bytes.IndexByte(part[find("esds"):], 0x6c),
	} {
		b := bytes.Clone(part)
		if at < 0 {
			b = b[:len(b)-1]
		} else {
			b[at] ^= 0x55
		}
		if l, err := clip.Look(b); !errors.Is(err, clip.ErrPart) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
	copy(part[find("tfdt")+8:], bytes.Repeat([]byte{0xff}, 8)) // so late that its end is early
	if l, err := clip.Look(part); !errors.Is(err, clip.ErrPart) {
		t.Errorf("the end of time: %+v, %v", l, err)
	}
}

// Whatever the bytes: an error, or frames that lie in the part one behind the
// other up to its end, in a time that can be.
func FuzzLook(f *testing.F) {
	f.Add(cliptest.Cut(f, cliptest.JPEGs(stills(f, 3), 64, 48, 100*time.Millisecond), 0, time.Unix(0, 0))[0].Data)
	f.Add(streamed(f, "baseline.h264", annexb.H264)[0].Data)
	f.Add(streamed(f, "plain.h265", annexb.H265)[0].Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := clip.Look(data)
		if err != nil {
			if !errors.Is(err, clip.ErrPart) || l != nil {
				t.Fatalf("%v, %+v", err, l)
			}
			return
		}
		at := l.Frames[0].Offset
		for _, f := range l.Frames {
			if f.Offset != at || f.Size <= 0 || f.Length == 0 {
				t.Fatalf("frame %+v, expected at %d", f, at)
			}
			at += f.Size
		}
		if at != len(data) || l.Head >= l.Frames[0].Offset || l.End() > 24*3600*uint64(l.Scale) || l.Codec == "" || len(l.Codec) > 64 {
			t.Fatalf("%+v of %d bytes", l, len(data))
		}
	})
}
