package cliptest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
	"github.com/sealcam/sealcam/encode"
)

// Cut returns the parts of the clip of event 1, which has all the frames and
// begins with the first of them; the event itself begins later, by preRoll. The
// first frame is of the time taken. The caller owns the parts.
func Cut(t testing.TB, frames []*capture.Frame, preRoll time.Duration, taken time.Time) []encode.Picture {
	t.Helper()
	ring := encode.NewRing(64<<20, time.Hour)
	c := encode.NewCutter(ring, new(encode.JPEG), encode.CutterConfig{Before: time.Hour, After: time.Hour, Longest: time.Hour})
	first := frames[0].Mono
	for _, f := range frames {
		c.Look(f.Mono, true)
		if err := ring.Push(f); err != nil {
			t.Fatal(err)
		}
	}
	at := first + preRoll
	c.Event(1, at, encode.Moment{Frame: at, Mono: time.Hour + at, Wall: taken.Add(preRoll)})
	c.Ready(1)
	c.Close(encode.EndWhole)
	c.Look(frames[len(frames)-1].Mono+time.Hour, false)
	var parts []encode.Picture
	for {
		p, ok, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return parts
		}
		p.Data = bytes.Clone(p.Data)
		parts = append(parts, p)
	}
}

// JPEGs returns frames of JPEG files, period apart.
func JPEGs(files [][]byte, width, height int, period time.Duration) (frames []*capture.Frame) {
	for i, data := range files {
		frames = append(frames, &capture.Frame{
			Format: capture.Format{Pixel: capture.MJPEG, Width: width, Height: height}, Data: data, Seq: uint64(i), Mono: time.Duration(i) * period,
		})
	}
	return frames
}

// Stream returns the frames of an Annex B stream of H.264 or H.265, period apart.
func Stream(t testing.TB, codec annexb.Codec, stream []byte, period time.Duration) (frames []*capture.Frame) {
	t.Helper()
	pixel := capture.H264
	if codec == annexb.H265 {
		pixel = capture.H265
	}
	s := annexb.NewSplitter(bytes.NewReader(stream), codec, 8<<20)
	w, h := 0, 0
	for {
		au, err := s.Next()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		if p := annexb.ParamsOf(codec, au); len(p.SPS) > 0 {
			w, h, _ = annexb.Size(codec, p.SPS[0])
		}
		n := len(frames)
		frames = append(frames, &capture.Frame{
			Format: capture.Format{Pixel: pixel, Width: w, Height: h}, Data: bytes.Clone(au), Seq: uint64(n), Mono: time.Duration(n) * period,
		})
	}
}
