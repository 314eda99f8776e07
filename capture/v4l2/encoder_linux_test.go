package v4l2

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
)

// yuyv is a raw frame of n tenths of a second.
func yuyv(n int) *capture.Frame {
	f := noise(rand.New(rand.NewPCG(uint64(n), 0)), capture.YUYV, 64, 48, 0)
	f.Mono, f.Light = time.Duration(n+1)*100*time.Millisecond, capture.LightNight
	f.Format.Rate = 10
	return f
}

func mustSetUp(t testing.TB, c *fakeCodec) *Encoder {
	t.Helper()
	e, err := c.setUp("H264")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (c *fakeCodec) setUp(makes string) (*Encoder, error) {
	if c.Takes == nil {
		c.Takes, c.Makes = []string{"NV12"}, []string{"H264"}
	}
	return setUp(EncoderInfo{Path: "/dev/video11", Name: "fake"}, c, EncoderWant{Frames: yuyv(0).Format}, makes, func() time.Duration { return c.now })
}

// came is what an encoder gave: "5@1.1s", with "k" before a key frame.
type came []string

func (l *came) each(f *capture.Frame) error {
	s := fmt.Sprintf("%d@%v", f.Seq, f.Mono)
	if f.Light != capture.LightNight || f.Format.Pixel != capture.H264 || f.Format.Width != 64 {
		s = "wrong " + s
	}
	if strings.Contains(string(f.Data), "\x00\x00\x01\x67\x01\x00\x00\x01\x68\x02\x00\x00\x01\x65") {
		s = "k" + s
	}
	*l = append(*l, s)
	return nil
}

// Whatever an encoder does that the interface allows, each frame comes out once,
// with its own time, and a loss shows as a gap.
func TestEncoderGivesEachFrameItsTime(t *testing.T) {
	all := came{"k0@100ms", "1@200ms", "2@300ms", "3@400ms", "4@500ms", "5@600ms"}
	for name, c := range map[string]struct {
		dev  fakeCodec
		want came
		bad  int
	}{
		"at once":                 {fakeCodec{}, all, 0},
		"looking ahead":           {fakeCodec{Hold: 2}, all, 0},
		"sets alone":              {fakeCodec{Alone: true}, all, 0},
		"without stamps":          {fakeCodec{NoStamps: true, Hold: 1}, all, 0},
		"without controls":        {fakeCodec{NoControls: true}, all, 0},
		"leaves one in three out": {fakeCodec{Skip: 3}, came{"k0@100ms", "1@200ms", "2@400ms", "3@500ms"}, 0},
		"one is damaged":          {fakeCodec{Damaged: 2}, came{"k0@100ms", "1@200ms", "3@400ms", "4@500ms", "5@600ms"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := mustSetUp(t, &c.dev)
			var got came
			bad := 0
			for n := range 6 {
				err := e.Encode(t.Context(), yuyv(n), got.each)
				if b := (*capture.BadFrame)(nil); errors.As(err, &b) {
					bad++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Drain(t.Context(), got.each); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) || bad != c.bad {
				t.Errorf("%v, %d bad, want %v", got, bad, c.want)
			}
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := e.Encode(t.Context(), yuyv(9), got.each); err != nil || len(e.free) == 0 {
				t.Errorf("behind a flush: %v, %d free", err, len(e.free))
			}
		})
	}
}

// The device is set up in the order that the interface wants, and told what clips need.
func TestEncoderSetUp(t *testing.T) {
	c := &fakeCodec{Takes: []string{"RGB3", "YU12", "NV12"}, Makes: []string{"JPEG", "H264"}, Adjust: func(s side, f codecFormat) codecFormat {
		if s == raw {
			f.height, f.stride = 64, [3]int{96}
		}
		return f
	}}
	e := mustSetUp(t, c)
	want := []string{"format 1", "format 0", "crop", "rate", "buffers 0", "buffers 1", "stream 0 true", "stream 1 true"}
	if !slices.Equal(c.calls, want) || e.How() != "NV12 to H264" {
		t.Errorf("%s by %q, want %q", e.How(), c.calls, want)
	}
	if c.controls[ctrlGOPSize] != 11 || c.controls[ctrlH264Period] != 11 || c.controls[ctrlRepeatHeader] != 1 || c.controls[ctrlBitrate] != 200e3 {
		t.Errorf("controls %v", c.controls)
	}
	if b, ok := c.controls[ctrlBFrames]; !ok || b != 0 {
		t.Error("B-frames are not forbidden")
	}
	f := yuyv(1)
	if err := e.Encode(t.Context(), f, func(*capture.Frame) error { return nil }); err != nil {
		t.Fatal(err)
	}
	// The picture stands in rows of 96 bytes, and colours behind 64 of them.
	m := c.memory[raw][2][0]
	if m[96*47+63] != f.Data[(47*64+63)*2] || m[96*64] != uint8((int(f.Data[1])+int(f.Data[129])+1)/2) {
		t.Error("the picture is not where the driver wants it")
	}
}

// Key frames are asked for once a second, and at once behind a loss.
func TestKeyFramesAreAskedFor(t *testing.T) {
	c := &fakeCodec{Damaged: 15}
	e := mustSetUp(t, c)
	var asked []int
	for n := range 20 {
		delete(c.controls, ctrlForceKey)
		if err := e.Encode(t.Context(), yuyv(n), func(*capture.Frame) error { return nil }); err != nil && n != 15 {
			t.Fatal(err)
		}
		if _, ok := c.controls[ctrlForceKey]; ok {
			asked = append(asked, n)
		}
	}
	if !slices.Equal(asked, []int{0, 10, 16}) {
		t.Errorf("asked at %v", asked)
	}
}

// A driver that does not do is told from one that does.
func TestEncoderRefused(t *testing.T) {
	for want, c := range map[string]*fakeCodec{
		"it takes [RGB3 GREY]":          {Makes: []string{"H264"}, Takes: []string{"RGB3", "GREY"}},
		"it takes no frames of 64x48":   {Adjust: func(s side, f codecFormat) codecFormat { f.width -= 16 * int(1-s); return f }},
		"without a part that counts":    {NoCrop: true, Adjust: func(s side, f codecFormat) codecFormat { f.height += 16; return f }},
		"takes frames of 64x48000 only": {Adjust: func(s side, f codecFormat) codecFormat { f.height *= 1000; return f }},
		"it does not make H264":         {Adjust: func(s side, f codecFormat) codecFormat { f.code++; return f }},
		"sets another format":           {Adjust: func(s side, f codecFormat) codecFormat { f.pieces = 2; return f }},
		"buffers are too small":         {Small: 128*128*2 - 64},
		"starting: no space left":       {Errno: map[string]error{"stream": unix.ENOSPC}},
	} {
		if _, err := c.setUp("H264"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Whatever a driver does, each call ends, and says what is wrong.
func TestEncoderTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		dev  *fakeCodec
		err  error
		text string
	}{
		"gives nothing":          {&fakeCodec{Silent: true}, ErrEncoderStuck, "/dev/video11: the encoder is stuck: "},
		"takes nothing":          {&fakeCodec{Full: true}, ErrEncoderStuck, "nothing has come out for 3s"},
		"looks ahead for ever":   {&fakeCodec{Hold: 1000}, ErrEncoderStuck, ""},
		"unplugged":              {&fakeCodec{Errno: map[string]error{"dequeue": unix.ENODEV}}, ErrEncoderGone, "fetching: the encoder is gone"},
		"unplugged while taking": {&fakeCodec{Errno: map[string]error{"queue": unix.ENODEV}}, ErrEncoderGone, "giving a frame"},
		"fatal":                  {&fakeCodec{Errno: map[string]error{"dequeue": unix.EIO}}, unix.EIO, ""},
		"wait":                   {&fakeCodec{Errno: map[string]error{"wait": unix.ENOMEM}}, unix.ENOMEM, ""},
		"lies":                   {&fakeCodec{Silent: true, Liar: true}, nil, "announces frames and has none"},
		"counts wrong":           {&fakeCodec{Index: 64}, nil, "the driver names buffer 64 of 4"},
	} {
		t.Run(name, func(t *testing.T) {
			e := mustSetUp(t, c.dev)
			var err error
			for n := 0; n < 1000 && err == nil; n++ {
				before := c.dev.now
				err = e.Encode(t.Context(), yuyv(n), func(*capture.Frame) error { return nil })
				if spent := c.dev.now - before; spent > 2*encoderPatience {
					t.Fatalf("a call took %v", spent)
				}
			}
			if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %v, %s", err, c.err, c.text)
			}
			for range 2 {
				if err := e.Close(); err != nil || c.dev.closed != 1 {
					t.Errorf("%v, closed %d times", err, c.dev.closed)
				}
			}
		})
	}
	slow := &fakeCodec{Eats: true}
	e := mustSetUp(t, slow)
	for n := range 5 { // a frame a second: long before there are too many of them
		err := e.Encode(t.Context(), yuyv(n), nil)
		if slow.now += time.Second; errors.Is(err, ErrEncoderStuck) != (n >= 3) {
			t.Errorf("frame %d of a slow camera in an encoder that gives nothing: %v", n, err)
		}
	}
	e = mustSetUp(t, &fakeCodec{Silent: true})
	if err := e.Drain(t.Context(), nil); !errors.Is(err, ErrEncoderStuck) {
		t.Errorf("a drain without end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Drain(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a drain that was given up: %v", err)
	}
	odd := yuyv(0)
	odd.Format.Width = 62
	var bad *capture.BadFrame
	if err := e.Encode(t.Context(), odd, nil); !errors.As(err, &bad) {
		t.Errorf("a frame of another size: %v", err)
	}
	stop := errors.New("enough")
	e = mustSetUp(t, &fakeCodec{})
	if err := e.Encode(t.Context(), yuyv(0), func(*capture.Frame) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of each: %v", err)
	}
}

// prompt is a device that compresses a frame when it is fetched, and does nothing else.
type prompt struct {
	*fakeCodec
	in   slot
	full [2]bool
}

func (p *prompt) queue(s side, b *slot) error {
	if s == raw {
		p.in, p.full = *b, [2]bool{true, true}
	}
	return nil
}

func (p *prompt) dequeue(s side, b *slot) error {
	if !p.full[s] {
		return unix.EAGAIN
	}
	p.full[s] = false
	*b = slot{index: p.in.index, stamp: p.in.stamp}
	if s == coded {
		b.index, b.used[0] = 0, copy(p.memory[coded][0][0], "\x00\x00\x01\x65\x88")
	}
	return nil
}

func (p *prompt) wait(time.Duration) (bool, error) { return p.full[raw] || p.full[coded], nil }

// No frame costs memory.
func TestEncoderAllocatesNothing(t *testing.T) {
	e := mustSetUp(t, &fakeCodec{NoControls: true})
	e.dev = &prompt{fakeCodec: e.dev.(*fakeCodec)}
	f, n := yuyv(0), 0
	each := func(*capture.Frame) error { n++; return nil }
	if got := testing.AllocsPerRun(100, func() {
		f.Mono += 100 * time.Millisecond
		if err := e.Encode(t.Context(), f, each); err != nil {
			t.Fatal(err)
		}
	}); got != 0 || n < 100 {
		t.Errorf("%v allocations a frame, of %d", got, n)
	}
}
