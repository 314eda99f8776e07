package v4l2

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Errors by which an encoder tells why it cannot be used.
var (
	ErrNoEncoder    = errors.New("no video encoder") // or none that does what is asked for
	ErrEncoderStuck = errors.New("the encoder is stuck")
	ErrEncoderGone  = errors.New("the encoder is gone")
)

// EncoderInfo is a node that compresses video.
type EncoderInfo struct {
	Path   string // "/dev/video11"
	Name   string // the driver's own, "bcm2835-codec-encode"
	Driver string
	Makes  []string // FourCCs of what it makes, "H264"
	Takes  []string // FourCCs of the raw frames that it takes, "NV12"
}

// String returns "bcm2835-codec-encode (/dev/video11)".
func (i EncoderInfo) String() string { return i.Name + " (" + i.Path + ")" }

// Does says what it is good for here: "compresses NV12 YU12 to H264, for clips of raw
// cameras".
func (i EncoderInfo) Does() string {
	if feeds, makes := (&EncoderWant{}).feeds(i.Takes), common((&EncoderWant{}).makes(), i.Makes); len(feeds) > 0 && len(makes) > 0 {
		return fmt.Sprintf("compresses %s to %s, for clips of raw cameras", strings.Join(feeds, " "), strings.Join(makes, " "))
	}
	return fmt.Sprintf("compresses to %s, which sealcam does not use", strings.Join(i.Makes, " "))
}

// common returns those of a that are in b.
func common(a, b []string) (out []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// EncoderWant is what is asked of an encoder.
type EncoderWant struct {
	Frames capture.Format // to be compressed: YUYV, NV12 or grey, with its size; a rate of 0 counts as 15
	// Makes is the FourCC of what is to come out; "" is H264, or HEVC where there is
	// none.
	Makes string
	// Feeds is the FourCC of the raw layout that the encoder is given; "" is the one
	// that takes the least work.
	Feeds    string
	Bitrate  int           // bits per second; 0 goes by size and rate
	KeyEvery time.Duration // from key frame to key frame at most, as far as the encoder can; 0 is a second
}

// The raw layouts that frames can be turned into, by FourCC, with the number of
// pieces of memory that a frame of it lies in.
var feedable = []struct {
	code   string
	pieces int
}{{"NV12", 1}, {"NM12", 2}, {"YU12", 1}, {"YM12", 3}, {"YUYV", 1}}

// feeds returns the layouts that an encoder may be given frames of w in, the best
// first: the frames' own, then those that need the least work.
func (w *EncoderWant) feeds(takes []string) []string {
	var out []string
	for _, l := range feedable {
		if !slices.Contains(takes, l.code) || w.Feeds != "" && l.code != w.Feeds {
			continue
		}
		if p := pixelOf(l.code); p != 0 && p == w.Frames.Pixel {
			out = slices.Insert(out, 0, l.code)
		} else {
			out = append(out, l.code)
		}
	}
	return out
}

// makes returns what may come out, best first.
func (w *EncoderWant) makes() []string {
	if w.Makes != "" {
		return []string{w.Makes}
	}
	return []string{"H264", "HEVC"}
}

// usualEncodeRate is taken for frames whose rate nobody knows.
const usualEncodeRate = 15

func (w *EncoderWant) rate() float64 {
	if w.Frames.Rate > 0 {
		return w.Frames.Rate
	}
	return usualEncodeRate
}

// linger is how long Encode waits for what comes of a frame, so that most come out
// of the call that they went into, and the next frame is not kept waiting.
func (w *EncoderWant) linger() time.Duration {
	return min(time.Duration(float64(time.Second)/w.rate()/2), 50*time.Millisecond)
}

func (w *EncoderWant) keyEvery() time.Duration {
	if w.KeyEvery > 0 {
		return w.KeyEvery
	}
	return time.Second
}

// gop returns how many frames there may be from key frame to key frame. It is a
// little more than the time holds, so that a part of a clip, which ends at the
// first key frame behind its second, does not have to wait for the one after.
func (w *EncoderWant) gop() int {
	return max(1, int(math.Ceil(1.05*w.rate()*w.keyEvery().Seconds())))
}

// bitrate returns bits per second: 4 Mbit/s for 1080p30, and in proportion.
func (w *EncoderWant) bitrate() int {
	if w.Bitrate > 0 {
		return w.Bitrate
	}
	const bitsPerPixel = 0.065
	return int(min(max(bitsPerPixel*float64(w.Frames.Width)*float64(w.Frames.Height)*w.rate(), 200e3), 12e6))
}

// without is the error of encoders that were looked at and do not do, one reason each.
func without(reasons []string) error {
	if len(reasons) == 0 {
		return ErrNoEncoder
	}
	return &noEncoder{strings.Join(reasons, "; ")}
}

type noEncoder struct{ why string }

func (e *noEncoder) Error() string { return ErrNoEncoder.Error() + " that does: " + e.why }
func (e *noEncoder) Unwrap() error { return ErrNoEncoder }
