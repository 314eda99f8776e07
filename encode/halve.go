package encode

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

const (
	// leastHalved is the width below which no picture is halved: who walks there
	// could not be seen any more.
	leastHalved = 160
	// halvedQuality is for pictures that are small because bytes are few.
	halvedQuality = 60
)

// AppendHalved is Append for a link that cannot carry the whole picture: it is
// halved in width and height as many times as n says, though not below a width at
// which something can be seen. What Masks hide is hidden first. A picture that is
// halved is decoded for it: it costs many times what Append does, and allocates.
func (e *JPEG) AppendHalved(dst []byte, f *capture.Frame, n int) (out []byte, w, h int, err error) {
	whole, w, h, err := e.Append(dst, f)
	for n > 0 && w>>n < leastHalved {
		n--
	}
	if err != nil || n <= 0 {
		return whole, w, h, err
	}
	img, err := jpeg.Decode(bytes.NewReader(whole[len(dst):]))
	if err != nil {
		return dst, 0, 0, &capture.BadFrame{Reason: "header", Err: err}
	}
	raw, err := e.halved(img, n)
	if err != nil {
		return dst, 0, 0, err
	}
	e.encoder.Hide = nil // done
	if out, err = e.encoder.Append(dst, &raw, halvedQuality); err != nil {
		return dst, 0, 0, fmt.Errorf("a smaller picture: %w", err)
	}
	return out, raw.Width, raw.Height, nil
}

// halved returns img with its sides halved n times. Its samples are e's own.
func (e *JPEG) halved(img image.Image, n int) (mjpeg.Raw, error) {
	b := img.Bounds()
	w, h := max(1, b.Dx()>>n), max(1, b.Dy()>>n)
	r := mjpeg.Raw{Width: w, Height: h}
	switch p := img.(type) {
	case *image.Gray:
		r.Y = e.average(0, p.Pix, p.Stride, b.Dx(), b.Dy(), w, h)
	case *image.YCbCr:
		cw, ch := chroma(p)
		r.Y = e.average(0, p.Y, p.YStride, b.Dx(), b.Dy(), w, h)
		r.Cb = e.average(1, p.Cb, p.CStride, cw, ch, (w+1)/2, (h+1)/2)
		r.Cr = e.average(2, p.Cr, p.CStride, cw, ch, (w+1)/2, (h+1)/2)
	default:
		return r, fmt.Errorf("%w: colours that no camera gives (%T)", ErrNoSnapshot, img)
	}
	return r, nil
}

// chroma returns the size of the planes of colour, without their padding.
func chroma(p *image.YCbCr) (w, h int) {
	w, h = p.Rect.Dx(), p.Rect.Dy()
	switch p.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		return (w + 1) / 2, h
	case image.YCbCrSubsampleRatio420:
		return (w + 1) / 2, (h + 1) / 2
	case image.YCbCrSubsampleRatio440:
		return w, (h + 1) / 2
	case image.YCbCrSubsampleRatio411:
		return (w + 3) / 4, h
	case image.YCbCrSubsampleRatio410:
		return (w + 3) / 4, (h + 1) / 2
	}
	return w, h
}

// average shrinks a plane of sw x sh samples to w x h, each the mean of those that
// it stands for.
func (e *JPEG) average(plane int, pix []uint8, stride, sw, sh, w, h int) mjpeg.Plane {
	out := e.small[plane][:0]
	for y := range h {
		top, bottom := y*sh/h, max((y+1)*sh/h, y*sh/h+1)
		for x := range w {
			left, right := x*sw/w, max((x+1)*sw/w, x*sw/w+1)
			sum := 0
			for _, row := range [2]int{top, bottom - 1} { // enough of them not to flicker
				for _, v := range pix[row*stride+left : row*stride+right] {
					sum += int(v)
				}
			}
			out = append(out, uint8(sum/(2*(right-left))))
		}
	}
	e.small[plane] = out
	return mjpeg.Plane{Pix: out, Stride: w, Step: 1}
}
