package capture

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sealcam/sealcam/capture/mjpeg"
)

// MaxLumaWidth is the width, in pixels, that a Luma never exceeds. At 240x135,
// which is what 1080p gives, a person across the street is still a dozen pixels
// and a whole analysis takes a fraction of a millisecond.
const MaxLumaWidth = 320

// Luma is the small grey picture of a Frame that every decision is made on:
// one byte a pixel, row by row, without padding. Each pixel is the mean of a
// block of the frame's brightness, so most of a sensor's noise is already gone.
// Values are the source's own: who compares lumas compares those of one format.
type Luma struct {
	W, H    int
	Pix     []uint8 // len W*H
	Limited bool    // black is 16 and white 235, as in YUYV and NV12; otherwise 0 and 255, as in JPEG
}

// LumaReader makes a Luma of each Frame. It owns its buffers and allocates only
// when the size of the frames grows. The zero value is ready for use. One
// goroutine uses it at a time.
type LumaReader struct {
	luma   Luma
	dc     mjpeg.DC
	eighth []uint8  // the frame at 1/8 size, raw formats only
	small  []uint8  // eighth reduced once more, wide frames only
	sums   []uint32 // one row of sums while reducing
}

// Read returns f's Luma, which is valid until the next Read. MJPEG is read
// through the DC coefficients alone, without decoding; raw formats by the mean
// of 8x8 blocks, where blocks at the right and lower edge hold fewer pixels.
// The result is reduced by a further whole factor until it is at most
// MaxLumaWidth wide.
//
// The error is always a *BadFrame: this frame cannot be read, the next may be.
func (r *LumaReader) Read(f *Frame) (*Luma, error) {
	var w, h int
	var pix []uint8
	var err error
	switch f.Format.Pixel {
	case MJPEG:
		w, h, pix, err = r.dc.Read(f.Data)
		if err != nil {
			return nil, &BadFrame{Reason: jpegReason(err), Err: err}
		}
	case YUYV, NV12, Grey:
		w, h, pix, err = r.readRaw(f)
		if err != nil {
			return nil, err
		}
	default:
		return nil, &BadFrame{Reason: "unsupported", Err: fmt.Errorf("no luma can be read from %s frames", f.Format.Pixel)}
	}
	r.reduce(w, h, pix)
	r.luma.Limited = f.Format.Limited()
	return &r.luma, nil
}

// readRaw fills r.eighth from the brightness samples of a raw frame.
func (r *LumaReader) readRaw(f *Frame) (w, h int, pix []uint8, err error) {
	step := 1 // bytes from one brightness sample to the next
	if f.Format.Pixel == YUYV {
		step = 2
	}
	fw, fh := f.Format.Width, f.Format.Height
	if fw <= 0 || fh <= 0 || fw > MaxPixels || fh > MaxPixels/fw {
		return 0, 0, nil, &BadFrame{Reason: "header", Err: fmt.Errorf("size %dx%d", fw, fh)}
	}
	row := fw * step
	stride := f.Format.Stride
	if stride == 0 {
		stride = row
		if step == 2 {
			stride += fw % 2 * 2 // colours come for two pixels at a time
		}
	}
	if stride < row {
		return 0, 0, nil, &BadFrame{Reason: "header", Err: fmt.Errorf("stride of %d bytes for rows of %d", stride, row)}
	}
	// The last row may lack its padding. 64 bits: a hostile stride must not wrap on 32-bit machines.
	if need := int64(stride)*int64(fh-1) + int64(row); int64(len(f.Data)) < need {
		return 0, 0, nil, &BadFrame{Reason: "truncated", Err: fmt.Errorf("%d bytes of %d", len(f.Data), need)}
	}
	w, h = (fw+7)/8, (fh+7)/8
	r.eighth = grow(r.eighth, w*h)
	for y := range h {
		rows := min(8, fh-8*y)
		strip := f.Data[8*y*stride:]
		out := r.eighth[y*w : (y+1)*w]
		whole := fw / 8
		if rows < 8 {
			whole = 0
		}
		if step == 1 {
			planarBlocks(out[:whole], strip, stride)
		} else {
			packedBlocks(out[:whole], strip, stride)
		}
		for x := whole; x < w; x++ {
			out[x] = edgeBlock(strip[8*x*step:], stride, step, min(8, fw-8*x), rows)
		}
	}
	return w, h, r.eighth, nil
}

// Four 16-bit lanes in a 64-bit word: eight samples are summed at once, without
// assembly. A lane of a whole block holds at most 16 samples of 255.
const (
	evenBytes = 0x00ff00ff00ff00ff
	addLanes  = 0x0001000100010001
)

// blockMean returns the rounded mean of the 64 samples summed up in s's lanes.
func blockMean(s uint64) uint8 { return uint8((s*addLanes>>48 + 32) >> 6) }

// planarBlocks fills out with the means of whole 8x8 blocks of one byte samples.
func planarBlocks(out []uint8, strip []byte, stride int) {
	for x := range out {
		var s uint64
		for y := range 8 {
			v := binary.LittleEndian.Uint64(strip[y*stride+8*x:])
			s += v&evenBytes + v>>8&evenBytes
		}
		out[x] = blockMean(s)
	}
}

// packedBlocks does the same where every second byte is a brightness sample.
func packedBlocks(out []uint8, strip []byte, stride int) {
	for x := range out {
		var s uint64
		for y := range 8 {
			b := strip[y*stride+16*x:]
			b = b[:16]
			s += binary.LittleEndian.Uint64(b)&evenBytes + binary.LittleEndian.Uint64(b[8:])&evenBytes
		}
		out[x] = blockMean(s)
	}
}

// edgeBlock returns the rounded mean of a block of w x h samples.
func edgeBlock(b []byte, stride, step, w, h int) uint8 {
	sum := 0
	for y := range h {
		for x := range w {
			sum += int(b[y*stride+x*step])
		}
	}
	return uint8((sum + w*h/2) / (w * h))
}

// reduce sets r.luma to pix, shrunk by the smallest whole factor that makes it
// narrow enough. A remainder of columns or rows that fills no block is left out.
func (r *LumaReader) reduce(w, h int, pix []uint8) {
	n := (w + MaxLumaWidth - 1) / MaxLumaWidth
	if n <= 1 {
		r.luma = Luma{W: w, H: h, Pix: pix}
		return
	}
	// A picture of few rows, wide as it may be, keeps at least one.
	sw, sh, rows := w/n, max(1, h/n), min(n, h)
	r.small, r.sums = grow(r.small, sw*sh), grow(r.sums, sw)
	area := uint32(n * rows)
	for y := range sh {
		clear(r.sums)
		for i := range rows {
			src := pix[(y*n+i)*w:]
			for x := range r.sums {
				for _, p := range src[x*n : x*n+n] {
					r.sums[x] += uint32(p)
				}
			}
		}
		out := r.small[y*sw:]
		for x, s := range r.sums {
			out[x] = uint8((s + area/2) / area)
		}
	}
	r.luma = Luma{W: sw, H: sh, Pix: r.small}
}

// grow returns b with length n, reallocated only when it is too small.
func grow[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}

// jpegReason is the reason of mjpeg's error, in the one word that it is counted by.
func jpegReason(err error) string {
	var e mjpeg.Error
	if errors.As(err, &e) {
		return string(e)
	}
	return "header"
}
