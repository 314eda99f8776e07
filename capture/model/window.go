package model

import (
	"errors"
	"fmt"
)

// window is how an operator slides over a picture: pictures are rows of pixels
// of c channels each.
type window struct {
	inH, inW, inC    int
	outH, outW, outC int
	kh, kw           int // size of the window
	sy, sx           int // stride
	dy, dx           int // dilation
	py, px           int // padding before the first row and column
}

// padding as in the schema.
const same, valid = 0, 1

// newWindow checks that in and out are pictures, and that out is what a window
// of kh x kw makes of in.
func newWindow(in, out *tensor, kh, kw, sy, sx, dy, dx int, padding byte) (window, error) {
	w := window{kh: kh, kw: kw, sy: sy, sx: sx, dy: dy, dx: dx}
	if len(in.shape) != 4 || len(out.shape) != 4 || in.shape[0] != 1 || out.shape[0] != 1 {
		return w, fmt.Errorf("%v to %v: pictures have the shape [1 height width channels]", in.shape, out.shape)
	}
	w.inH, w.inW, w.inC = in.shape[1], in.shape[2], in.shape[3]
	w.outH, w.outW, w.outC = out.shape[1], out.shape[2], out.shape[3]
	for _, n := range []int{kh, kw, sy, sx, dy, dx} {
		if n < 1 || n > 1<<12 {
			return w, fmt.Errorf("window %dx%d, stride %dx%d, dilation %dx%d", kh, kw, sy, sx, dy, dx)
		}
	}
	if padding > valid {
		return w, errors.New("unknown padding")
	}
	var h, wd int
	h, w.py = slide(w.inH, kh, sy, dy, padding)
	wd, w.px = slide(w.inW, kw, sx, dx, padding)
	if h != w.outH || wd != w.outW {
		return w, fmt.Errorf("%v becomes %dx%d, but its output has the shape %v", in.shape, h, wd, out.shape)
	}
	return w, nil
}

// slide returns how often a window of size k fits into n, and the padding in
// front (ComputePaddingHeightWidth in tensorflow/lite/kernels/padding.h).
func slide(n, k, stride, dilation int, padding byte) (out, before int) {
	reach := (k-1)*dilation + 1
	if padding == same {
		out = (n + stride - 1) / stride
		return out, max(0, (out-1)*stride+reach-n) / 2
	}
	return max(0, n-reach+stride) / stride, 0
}

// point says that each output pixel is made of the input pixel at its place.
func (w *window) point() bool {
	return w.kh == 1 && w.kw == 1 && w.sy == 1 && w.sx == 1 && w.py == 0 && w.px == 0
}

// pixels is how many pixels the output has.
func (w *window) pixels() int { return w.outH * w.outW }

// gather copies what the window sees for output pixel i to dst, pad where it
// reaches over the edge.
func gather[T int8 | float32](w *window, dst, in []T, i int, pad T) {
	y, x := i/w.outW*w.sy-w.py, i%w.outW*w.sx-w.px
	row := w.kw * w.inC
	for ky := range w.kh {
		line := dst[ky*row : (ky+1)*row]
		iy := y + ky*w.dy
		if iy < 0 || iy >= w.inH {
			fill(line, pad)
			continue
		}
		from := in[iy*w.inW*w.inC : (iy+1)*w.inW*w.inC]
		if w.dx == 1 && x >= 0 && x+w.kw <= w.inW {
			copy(line, from[x*w.inC:])
			continue
		}
		for kx := range w.kw {
			pixel := line[kx*w.inC : (kx+1)*w.inC]
			if ix := x + kx*w.dx; ix >= 0 && ix < w.inW {
				copy(pixel, from[ix*w.inC:])
			} else {
				fill(pixel, pad)
			}
		}
	}
}

func fill[T any](s []T, v T) {
	for i := range s {
		s[i] = v
	}
}
