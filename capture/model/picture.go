package model

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// plane is where one kind of sample of a picture lies: rows of them, step bytes
// apart, each for so many pixels as the shifts say.
type plane struct {
	pix          []byte
	stride, step int
	right, down  int // by how much a pixel's place is shifted to find its sample
}

// at returns the sample of the pixel at x, y, which lies within the picture.
func (p *plane) at(x, y int) int32 {
	return int32(p.pix[(y>>p.down)*p.stride+(x>>p.right)*p.step])
}

// Picture is a whole frame, ready to be looked at in parts. It points into what it
// was made of.
type Picture struct {
	W, H      int
	y, cb, cr plane // cb and cr are empty in grey
	narrow    bool  // black is 16, white 235, see capture.Format.Limited
}

var errNoPicture = errors.New("frames of this kind cannot be looked at")

// NewPicture makes a Picture of a frame. Motion JPEG is decoded, which takes memory
// for one frame; raw frames are used where they lie, and must not change as long
// as the Picture is used. The error is a *capture.BadFrame for a frame that is not
// what its format says.
func NewPicture(f *capture.Frame) (*Picture, error) {
	switch f.Format.Pixel {
	case capture.MJPEG:
		return decoded(f.Data)
	case capture.YUYV, capture.NV12, capture.Grey:
		return raw(f)
	}
	return nil, fmt.Errorf("%s: %w", f.Format.Pixel, errNoPicture)
}

// decoded decodes a JPEG frame, completed by the tables that it may lack.
func decoded(frame []byte) (*Picture, error) {
	whole, err := mjpeg.AppendComplete(nil, frame)
	if err != nil {
		return nil, &capture.BadFrame{Reason: "header", Err: err}
	}
	h, err := mjpeg.Scan(whole)
	if err != nil || h.Width*h.Height > capture.MaxPixels {
		return nil, &capture.BadFrame{Reason: "header", Err: err}
	}
	img, err := jpeg.Decode(bytes.NewReader(whole))
	if err != nil {
		return nil, &capture.BadFrame{Reason: "corrupt", Err: err}
	}
	b := img.Bounds()
	p := &Picture{W: b.Dx(), H: b.Dy()}
	switch img := img.(type) {
	case *image.Gray:
		p.y = plane{pix: img.Pix, stride: img.Stride, step: 1}
	case *image.YCbCr:
		right, down, ok := shifts(img.SubsampleRatio)
		if !ok {
			return nil, &capture.BadFrame{Reason: "unsupported", Err: fmt.Errorf("colour of %v", img.SubsampleRatio)}
		}
		p.y = plane{pix: img.Y, stride: img.YStride, step: 1}
		p.cb = plane{img.Cb, img.CStride, 1, right, down}
		p.cr = plane{img.Cr, img.CStride, 1, right, down}
	default:
		return nil, &capture.BadFrame{Reason: "unsupported"}
	}
	return p, nil
}

// shifts says how much coarser colours are than brightness.
func shifts(r image.YCbCrSubsampleRatio) (right, down int, ok bool) {
	switch r {
	case image.YCbCrSubsampleRatio444:
		return 0, 0, true
	case image.YCbCrSubsampleRatio422:
		return 1, 0, true
	case image.YCbCrSubsampleRatio420:
		return 1, 1, true
	case image.YCbCrSubsampleRatio440:
		return 0, 1, true
	case image.YCbCrSubsampleRatio411:
		return 2, 0, true
	case image.YCbCrSubsampleRatio410:
		return 2, 1, true
	}
	return 0, 0, false
}

// raw points at the samples of a frame that is not compressed.
func raw(f *capture.Frame) (*Picture, error) {
	w, h, stride := f.Format.Width, f.Format.Height, f.Format.Stride
	if w < 1 || h < 1 || w > capture.MaxPixels || h > capture.MaxPixels/w {
		return nil, &capture.BadFrame{Reason: "header", Err: fmt.Errorf("size %dx%d", w, h)}
	}
	row, rows := w, int64(h)
	switch f.Format.Pixel {
	case capture.YUYV:
		row = (w + 1) / 2 * 4
	case capture.NV12:
		row, rows = (w+1)/2*2, rows+int64(h+1)/2
	}
	if stride == 0 {
		stride = row
	}
	if need := int64(stride)*(rows-1) + int64(row); stride < row || int64(len(f.Data)) < need {
		return nil, &capture.BadFrame{Reason: "truncated", Err: fmt.Errorf("%d bytes of %d", len(f.Data), need)}
	}
	p := &Picture{W: w, H: h, narrow: f.Format.Limited(), y: plane{pix: f.Data, stride: stride, step: 1}}
	switch f.Format.Pixel {
	case capture.YUYV:
		p.y.step = 2
		p.cb, p.cr = plane{f.Data[1:], stride, 4, 1, 0}, plane{f.Data[3:], stride, 4, 1, 0}
	case capture.NV12:
		c := f.Data[h*stride:]
		p.cb, p.cr = plane{c, stride, 2, 1, 1}, plane{c[1:], stride, 2, 1, 1}
	}
	return p, nil
}

// Area is a part of a picture in fractions of its width and height.
type Area struct{ X, Y, W, H float64 }

// margin is how much of a box's longer side is shown around it: what stands
// behind somebody helps to tell what they are.
const margin = 0.25

// Around returns the part of the picture to look at for something at box: a
// square, as networks are trained on, with a margin, as far as the picture goes,
// and no smaller than least pixels.
func (p *Picture) Around(box Area, least int) Area {
	w, h := box.W*float64(p.W), box.H*float64(p.H)
	side := max(max(w, h)*(1+2*margin), float64(least))
	sw, sh := min(side, float64(p.W)), min(side, float64(p.H))
	x := (box.X+box.W/2)*float64(p.W) - sw/2
	y := (box.Y+box.H/2)*float64(p.H) - sh/2
	x, y = max(0, min(x, float64(p.W)-sw)), max(0, min(y, float64(p.H)-sh))
	return Area{x / float64(p.W), y / float64(p.H), sw / float64(p.W), sh / float64(p.H)}
}

// finest bounds into how many places a side of an output pixel is sampled where
// the picture is made smaller.
const finest = 4

// sampler reads a part of a picture in another size: between four samples where
// it grows, the mean of several such places where it shrinks.
type sampler struct {
	p            *Picture
	x, y         float64 // of the part's corner, in pixels
	stepX, stepY float64 // pixels of the picture for one of the result
	n            int     // places a side
}

func (p *Picture) sampler(part Area, w, h int) sampler {
	s := sampler{p: p, x: part.X * float64(p.W), y: part.Y * float64(p.H)}
	s.stepX, s.stepY = part.W*float64(p.W)/float64(w), part.H*float64(p.H)/float64(h)
	s.n = max(1, min(finest, int(max(s.stepX, s.stepY)+0.5)))
	return s
}

// mean returns one sample of plane c for the result's pixel at x, y.
func (s *sampler) mean(c *plane, x, y int) float32 {
	sum, n := float32(0), float64(s.n)
	for j := range s.n {
		fy := s.y + float64((float64(y)+(float64(j)+0.5)/n)*s.stepY) - 0.5
		for i := range s.n {
			fx := s.x + float64((float64(x)+(float64(i)+0.5)/n)*s.stepX) - 0.5
			sum += s.between(c, fx, fy)
		}
	}
	return sum / float32(s.n*s.n)
}

// between mixes the four samples around a place.
func (s *sampler) between(c *plane, fx, fy float64) float32 {
	fx, fy = max(0, min(fx, float64(s.p.W-1))), max(0, min(fy, float64(s.p.H-1)))
	x, y := int(fx), int(fy)
	px, py := float32(fx-float64(x)), float32(fy-float64(y))
	x1, y1 := min(x+1, s.p.W-1), min(y+1, s.p.H-1)
	top := float32(float32(c.at(x, y))*(1-px)) + float32(float32(c.at(x1, y))*px)
	bottom := float32(float32(c.at(x, y1))*(1-px)) + float32(float32(c.at(x1, y1))*px)
	return float32(top*(1-py)) + float32(bottom*py)
}

// colour returns red, green and blue of the result's pixel at x, y, by the
// full-range matrix of JFIF, limited samples stretched.
func (s *sampler) colour(x, y int) (r, g, b float32) {
	l := s.mean(&s.p.y, x, y)
	if s.p.cb.pix == nil {
		return l, l, l
	}
	cb, cr := s.mean(&s.p.cb, x, y)-128, s.mean(&s.p.cr, x, y)-128
	if s.p.narrow {
		l, cb, cr = float32((l-16)*(255.0/219)), float32(cb*(255.0/224)), float32(cr*(255.0/224))
	}
	hold := func(v float32) float32 { return max(0, min(255, v)) }
	return hold(l + float32(1.402*cr)), hold(l - float32(0.344136*cb) - float32(0.714136*cr)), hold(l + float32(1.772*cb))
}
