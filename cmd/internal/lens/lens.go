// Package lens finds QR codes in a camera's own frames, so that a person can
// show it something: a Finder looks at single frames, Look at a running camera.
//
// A frame may be of anything, and a stranger may hold up what he likes: the
// work on one frame is bounded, and a fault in the decoder is a frame without a
// code.
//
// # What this package does not do
//
// It does not say what a code means, or whether it may be followed, and keeps
// no frame. It reads one code of a frame, not several, and nothing but QR. It
// is the one package that imports makiuchi-d/gozxing, of which it uses the
// parts that decode; where to look, and in what, it decides itself.
package lens

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// lines is the height to which a frame is reduced first: enough for a code of
// the largest size that fills half of it, and a quarter of the work of 1080p.
const lines = 540

// ErrFormat says that frames of this kind cannot be looked at.
var ErrFormat = errors.New("no codes can be looked for in this kind of frames")

// Finder looks for codes. It keeps its buffers from one frame to the next, and
// is not safe for concurrent use.
type Finder struct {
	jpeg  []byte
	small grey
	soft  grey
	full  grey
}

// Find returns the text of the code in f, or "" if it finds none. The error is
// ErrFormat, or says why this frame could not be read.
func (f *Finder) Find(frame *capture.Frame) (string, error) {
	p, err := f.brightness(frame)
	if err != nil {
		return "", err
	}
	by := max(1, p.h/lines)
	p.reduce(&f.small, by)
	if text := decode(&f.small); text != "" {
		return text, nil
	}
	f.small.soften(&f.soft) // noise, a moiré
	if text := decode(&f.soft); text != "" {
		return text, nil
	}
	if by == 1 {
		return "", nil
	}
	p.reduce(&f.full, by/2) // a small code, far away
	return decode(&f.full), nil
}

// plane is where the brightness samples of a frame lie.
type plane struct {
	pix          []byte
	w, h         int
	stride, step int // bytes from row to row, and from sample to sample
}

// brightness returns the frame's samples. They are valid as long as the frame.
func (f *Finder) brightness(frame *capture.Frame) (plane, error) {
	p := plane{pix: frame.Data, w: frame.Format.Width, h: frame.Format.Height, stride: frame.Format.Stride, step: 1}
	switch frame.Format.Pixel {
	case capture.MJPEG:
		return f.unpack(frame.Data)
	case capture.YUYV:
		p.step = 2
	case capture.NV12, capture.Grey:
	default:
		return p, fmt.Errorf("%w: %s", ErrFormat, frame.Format.Pixel)
	}
	if p.w < 1 || p.h < 1 || p.w > capture.MaxPixels/p.h {
		return p, fmt.Errorf("a frame of %dx%d", p.w, p.h)
	}
	if p.stride == 0 {
		p.stride = (p.w + p.w%2*(p.step-1)) * p.step
	}
	if p.stride < p.w*p.step || int64(p.stride)*int64(p.h-1)+int64(p.w*p.step) > int64(len(p.pix)) {
		return p, fmt.Errorf("%d bytes are not the %dx%d of a frame", len(p.pix), p.w, p.h)
	}
	return p, nil
}

// unpack decodes a JPEG.
func (f *Finder) unpack(data []byte) (plane, error) {
	var err error
	if f.jpeg, err = mjpeg.AppendComplete(f.jpeg[:0], data); err != nil {
		return plane{}, err
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(f.jpeg))
	if err != nil {
		return plane{}, err
	}
	if c.Width < 1 || c.Height < 1 || c.Width > capture.MaxPixels/c.Height {
		return plane{}, fmt.Errorf("a JPEG of %dx%d", c.Width, c.Height)
	}
	img, err := jpeg.Decode(bytes.NewReader(f.jpeg))
	if err != nil {
		return plane{}, err
	}
	switch img := img.(type) {
	case *image.YCbCr:
		return plane{img.Y, c.Width, c.Height, img.YStride, 1}, nil
	case *image.Gray:
		return plane{img.Pix, c.Width, c.Height, img.Stride, 1}, nil
	}
	return plane{}, fmt.Errorf("%w: JPEG as %T", ErrFormat, img)
}

// grey is a small picture: one byte a pixel, no padding.
type grey struct {
	pix  []byte
	w, h int
}

func (g *grey) resize(w, h int) {
	g.w, g.h = w, h
	if cap(g.pix) < w*h {
		g.pix = make([]byte, w*h)
	}
	g.pix = g.pix[:w*h]
}

// reduce makes one pixel of by times by samples, their mean.
func (p plane) reduce(g *grey, by int) {
	g.resize(p.w/by, p.h/by)
	for y := range g.h {
		out := g.pix[y*g.w : (y+1)*g.w]
		for x := range out {
			sum := 0
			for dy := range by {
				at := (y*by+dy)*p.stride + x*by*p.step
				for range by {
					sum += int(p.pix[at])
					at += p.step
				}
			}
			out[x] = byte(sum / (by * by))
		}
	}
}

// soften averages every pixel with its neighbours, the nearest most.
func (g *grey) soften(out *grey) {
	out.resize(g.w, g.h)
	copy(out.pix, g.pix)
	w := g.w
	for y := 1; y < g.h-1; y++ {
		for i := y*w + 1; i < (y+1)*w-1; i++ {
			corners := int(g.pix[i-w-1]) + int(g.pix[i-w+1]) + int(g.pix[i+w-1]) + int(g.pix[i+w+1])
			edges := int(g.pix[i-w]) + int(g.pix[i+w]) + int(g.pix[i-1]) + int(g.pix[i+1])
			out.pix[i] = byte((corners + 2*edges + 4*int(g.pix[i])) / 16)
		}
	}
}
