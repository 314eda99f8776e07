package v4l2

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// How many buffers an encoder gets: one raw frame is written while another is
// compressed. Drivers that need more make more.
const (
	rawBuffers   = 3
	codedBuffers = 4
)

// Encoders returns every node that makes compressed video of raw frames, by number.
// It opens each memory-to-memory device for a moment, which disturbs nobody.
func Encoders() ([]EncoderInfo, error) {
	paths, err := filepath.Glob("/dev/video*")
	if err != nil {
		return nil, err
	}
	byNumber(paths)
	var out []EncoderInfo
	for _, p := range paths {
		// What is none, or cannot be opened, is no encoder for anybody here.
		if m, caps, err := openCodec(p); err == nil {
			if info, ok := describe(p, m, caps); ok {
				out = append(out, info)
			}
			_ = m.close()
		}
	}
	return out, nil
}

// describe says what an open device makes of what; false if it is no encoder.
func describe(path string, dev codec, caps capability) (EncoderInfo, bool) {
	info := EncoderInfo{Path: path, Name: text(caps.Card[:]), Driver: text(caps.Driver[:])}
	for _, c := range dev.formats(coded) {
		info.Makes = append(info.Makes, fourCC(c))
	}
	for _, c := range dev.formats(raw) {
		info.Takes = append(info.Takes, fourCC(c))
	}
	return info, len(info.Makes) > 0 && len(info.Takes) > 0
}

// OpenEncoder opens the encoder at path, "" for the first that does what is wanted.
// The error wraps ErrNoEncoder where there is none, with the reason of each.
func OpenEncoder(path string, want EncoderWant) (*Encoder, error) {
	found, err := Encoders()
	if err != nil {
		return nil, err
	}
	var reasons []string
	for _, makes := range want.makes() {
		for _, info := range found {
			if path != "" && info.Path != path || !slices.Contains(info.Makes, makes) {
				continue
			}
			m, _, err := openCodec(info.Path)
			if err == nil {
				var e *Encoder
				if e, err = setUp(info, m, want, makes, monotonic); err == nil {
					return e, nil
				}
				_ = m.close() // the first error is the one that matters
			}
			reasons = append(reasons, fmt.Sprintf("%s: %v", info, err))
		}
	}
	if len(reasons) == 0 {
		for _, info := range found {
			reasons = append(reasons, fmt.Sprintf("%s makes %s", info, spell(info.Makes)))
		}
	}
	return nil, without(reasons)
}

// setUp brings an open device to the point where it takes frames, in the order that
// the interface wants: what comes out, what goes in, rate, controls, memory.
func setUp(info EncoderInfo, dev codec, want EncoderWant, makes string, clock func() time.Duration) (*Encoder, error) {
	f := want.Frames
	e := &Encoder{
		info: info, dev: dev, clock: clock, patience: encoderPatience, linger: want.linger(), in: f, makes: makes, keyEvery: want.keyEvery(),
		out: capture.Format{Pixel: pixelOf(makes), Width: f.Width, Height: f.Height, Rate: f.Rate},
	}
	switch e.out.Pixel {
	case capture.H264:
		e.code = annexb.H264
	case capture.H265:
		e.code = annexb.H265
	}
	out := codecFormat{code: codeOf(makes), width: f.Width, height: f.Height, pieces: 1}
	// No frame that is worth its bytes is larger.
	out.size[0] = max(256<<10, f.Width*f.Height/2)
	got, err := dev.setFormat(coded, out)
	if err != nil || got.code != out.code || got.pieces != 1 {
		return nil, fmt.Errorf("it does not make %s: %w", makes, orOther(err))
	}
	if err := e.feed(want); err != nil {
		return nil, err
	}
	// A rate and controls are wishes; what matters of them is checked in the stream.
	_ = dev.setRate(want.rate())
	e.tune(want)
	if e.memory[raw], err = dev.allocate(raw, rawBuffers); err == nil {
		e.memory[coded], err = dev.allocate(coded, codedBuffers)
	}
	if err != nil {
		return nil, fmt.Errorf("buffers: %w", err)
	}
	for _, b := range e.memory[raw] {
		for i, need := range needs(e.feeds.code, e.stride, e.height) {
			if need > 0 && (i >= len(b) || int64(len(b[i])) < need) {
				return nil, fmt.Errorf("its buffers are too small for %s frames", f)
			}
		}
	}
	return e, e.start()
}

// orOther is the error of a driver that sets something else and says nothing.
func orOther(err error) error {
	if err == nil {
		return errors.New("the driver sets another format")
	}
	return err
}

// feed finds the raw layout that the device takes, and sets it.
func (e *Encoder) feed(want EncoderWant) error {
	var takes []string
	for _, c := range e.dev.formats(raw) {
		takes = append(takes, fourCC(c))
	}
	f := want.Frames
	err := fmt.Errorf("it takes %s", spell(takes))
	for _, code := range want.feeds(takes) {
		in := codecFormat{code: codeOf(code), width: f.Width, height: f.Height, pieces: pieces(code), full: !f.Limited()}
		var got codecFormat
		if got, err = e.dev.setFormat(raw, in); err != nil {
			continue
		}
		if err = fits(got, in); err != nil {
			continue
		}
		if got.width != in.width || got.height != in.height {
			if err = e.dev.crop(in.width, in.height); err != nil {
				err = fmt.Errorf("it wants frames of %dx%d, without a part that counts: %w", got.width, got.height, err)
				continue
			}
		}
		e.feeds.code, e.height, e.stride = code, got.height, strides(code, got)
		for i, n := range needs(code, e.stride, e.height) {
			if n > math.MaxInt32 {
				return fmt.Errorf("it wants frames of %d bytes", n)
			}
			e.used[i] = int(n)
		}
		return nil
	}
	return err
}

// fits says what is wrong with what the driver made of a raw format.
func fits(got, want codecFormat) error {
	switch {
	case got.code != want.code || got.pieces != want.pieces:
		return orOther(nil)
	case got.width < want.width || got.height < want.height:
		return fmt.Errorf("it takes no frames of %dx%d, but %dx%d", want.width, want.height, got.width, got.height)
	case int64(got.width)*int64(got.height) > capture.MaxPixels || got.width > 2*want.width+64 || got.height > 2*want.height+64:
		return fmt.Errorf("it takes frames of %dx%d only", got.width, got.height)
	}
	return nil
}

// strides completes the lengths of rows that a driver does not say.
func strides(code string, f codecFormat) (n [3]int) {
	row := (f.width + 1) / 2 * 2
	least := [3]int{row, row, row}
	switch code {
	case "YUYV":
		least[0] = 2 * row
	case "YM12":
		least[1], least[2] = row/2, row/2
	}
	for i := range n {
		if n[i] = f.stride[i]; n[i] < least[i] || n[i] > 1<<20 {
			n[i] = least[i]
		}
	}
	return n
}

// tune sets what can be set: no frame that stands on a later one, key frames with
// their parameter sets as often as wanted, a bit rate. Few devices have all of it.
func (e *Encoder) tune(want EncoderWant) {
	gop := int32(want.gop())
	for _, c := range []control{
		{ctrlBFrames, 0}, {ctrlHeaderMode, headerJoined}, {ctrlRepeatHeader, 1}, {ctrlPrependSPS, 1},
		{ctrlGOPSize, gop}, {ctrlH264Period, gop}, {ctrlRateControl, 1}, {ctrlBitrate, int32(want.bitrate())},
	} {
		_ = e.dev.set(c.ID, c.Value)
	}
	// Asking now costs nothing: the first frame is a key frame anyway.
	e.forces = !errors.Is(e.dev.set(ctrlForceKey, 1), unix.EINVAL)
}

// pieces returns how many pieces of memory a frame of a layout lies in.
func pieces(code string) int {
	for _, l := range feedable {
		if l.code == code {
			return l.pieces
		}
	}
	return 1
}

// codeOf is the number of a FourCC.
func codeOf(fourCC string) (code uint32) {
	for i := range min(4, len(fourCC)) {
		code |= uint32(fourCC[i]) << (8 * i)
	}
	return code
}

// spell lists FourCCs, a few of them.
func spell(codes []string) string {
	const some = 8
	if len(codes) > some {
		return fmt.Sprintf("%v and %d more", codes[:some], len(codes)-some)
	}
	return fmt.Sprint(codes)
}
