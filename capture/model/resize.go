package model

import (
	"fmt"
	"math"
)

// resizing is one of the two ways to another size.
type resizing struct {
	inH, inW, outH, outW, c int
	corners                 bool // the corners of both pictures lie on each other
	centres                 bool // pixels are squares, not points
}

func newResizing(b *builder, n *node, corners, centres bool) (resizing, error) {
	if err := n.wants(2, 1); err != nil {
		return resizing{}, err
	}
	in, out := n.in[0], n.out[0]
	size, err := ints(n.in[1])
	if err != nil {
		return resizing{}, err
	}
	if len(in.shape) != 4 || len(out.shape) != 4 || in.shape[0] != 1 || out.shape[0] != 1 || in.shape[3] != out.shape[3] ||
		len(size) != 2 || size[0] != out.shape[1] || size[1] != out.shape[2] || max(in.shape[1], in.shape[2]) > 1<<14 || max(size[0], size[1]) > 1<<14 {
		return resizing{}, fmt.Errorf("%v to %v by %v", in.shape, out.shape, size)
	}
	if err := sameKind(in, out); err != nil {
		return resizing{}, err
	}
	if err := alike(in, out); err != nil {
		return resizing{}, err
	}
	return resizing{in.shape[1], in.shape[2], out.shape[1], out.shape[2], in.shape[3], corners, centres}, b.load(in)
}

// makeResizeNearest follows reference/resize_nearest_neighbor.h.
func makeResizeNearest(b *builder, n *node) (step, error) {
	r, err := newResizing(b, n, n.opts.u8(0) != 0, n.opts.u8(1) != 0)
	if err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	if err := b.take(8 * int64(r.outH+r.outW)); err != nil {
		return step{}, err
	}
	rows, columns := r.nearest(r.inH, r.outH), r.nearest(r.inW, r.outW)
	return step{work: int64(out.n), run: func() {
		if out.kind == Float32 {
			nearest(&r, out.f, in.f, rows, columns)
		} else {
			nearest(&r, out.q, in.q, rows, columns)
		}
	}}, nil
}

// nearest returns which of in places each of out is taken from.
func (r *resizing) nearest(in, out int) []int {
	scale, offset := float32(in)/float32(out), float32(0)
	if r.corners && out > 1 {
		scale = float32(in-1) / float32(out-1)
	}
	if r.centres {
		offset = 0.5
	}
	from := make([]int, out)
	for i := range from {
		at := float64(float32((float32(i) + offset) * scale))
		if r.corners {
			at = math.Round(at)
		}
		from[i] = max(0, min(in-1, int(math.Floor(at))))
	}
	return from
}

func nearest[T int8 | float32](r *resizing, out, in []T, rows, columns []int) {
	for _, y := range rows {
		line := in[y*r.inW*r.c : (y+1)*r.inW*r.c]
		for _, x := range columns {
			copy(out[:r.c], line[x*r.c:])
			out = out[r.c:]
		}
	}
}

// between says of which two places something is made, and how much of the second.
type between struct {
	low, high int
	part      float32
}

// makeResizeBilinear follows reference/resize_bilinear.h, and calculates with
// 32-bit reals for integers too.
func makeResizeBilinear(b *builder, n *node) (step, error) {
	r, err := newResizing(b, n, n.opts.u8(2) != 0, n.opts.u8(3) != 0)
	if err != nil {
		return step{}, err
	}
	in, out := n.in[0], n.out[0]
	if err := b.take(64 * int64(r.outH+r.outW)); err != nil {
		return step{}, err
	}
	s := step{work: 8 * int64(out.n)}
	rows, columns := r.between(r.inH, r.outH), r.between(r.inW, r.outW)
	s.run = func() {
		if out.kind == Float32 {
			bilinear(&r, out.f, in.f, rows, columns, func(v float32) float32 { return v })
		} else {
			bilinear(&r, out.q, in.q, rows, columns, func(v float32) int8 { return int8(math.Floor(float64(v + 0.5))) })
		}
	}
	return s, nil
}

func (r *resizing) between(in, out int) []between {
	scale := float32(in) / float32(out)
	if r.corners && out > 1 {
		scale = float32(in-1) / float32(out-1)
	}
	list := make([]between, out)
	for i := range list {
		at := float32(i) * scale
		if r.centres {
			at = float32((float32(i)+0.5)*scale) - 0.5
		}
		floor := math.Floor(float64(at))
		b := &list[i]
		b.low, b.high = max(0, int(floor)), min(in-1, int(floor)+1)
		b.low = min(b.low, in-1)
		b.part = at - float32(b.low)
	}
	return list
}

func bilinear[T int8 | float32](r *resizing, out, in []T, rows, columns []between, round func(float32) T) {
	for _, y := range rows {
		top, bottom := in[y.low*r.inW*r.c:][:r.inW*r.c], in[y.high*r.inW*r.c:][:r.inW*r.c]
		for _, x := range columns {
			for k := range r.c {
				a, b := float32(top[x.low*r.c+k]), float32(top[x.high*r.c+k])
				c, d := float32(bottom[x.low*r.c+k]), float32(bottom[x.high*r.c+k])
				out[k] = round(float32(a*(1-y.part)*(1-x.part)) + float32(c*y.part*(1-x.part)) +
					float32(b*(1-y.part)*x.part) + float32(d*y.part*x.part))
			}
			out = out[r.c:]
		}
	}
}
