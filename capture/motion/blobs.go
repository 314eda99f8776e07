package motion

import "math/bits"

// maxBlobs is how many shapes are told apart in one frame, and maxRuns of how many
// stretches of pixels they may consist. A frame with more is weather, and what is
// over the bounds is left out.
const (
	maxBlobs = 64
	maxRuns  = 4096
)

// blob is one shape that stands out, or several close together.
type blob struct {
	x0, y0, x1, y1 int // box; x1 and y1 are excluded
	area           int // pixels that stand out
	sx, sy         int // sums of their coordinates
	mine           int // index of the track that has taken it, or -1
}

func (b *blob) box() Box { return Box{b.x0, b.y0, b.x1 - b.x0, b.y1 - b.y0} }

// add takes o in.
func (b *blob) add(o *blob) {
	b.x0, b.y0 = min(b.x0, o.x0), min(b.y0, o.y0)
	b.x1, b.y1 = max(b.x1, o.x1), max(b.y1, o.y1)
	b.area, b.sx, b.sy = b.area+o.area, b.sx+o.sx, b.sy+o.sy
}

// run is a stretch of set pixels in one row.
type run struct {
	x0, x1, y int32
	root      int32 // index of a run of the same shape, nearer to its first
}

type blobs struct {
	list []blob // at most maxBlobs, the largest if there were more
	runs []run
	of   []int32 // by first run: index in list, plus 1
	near int     // shapes this many pixels apart belong together
}

func (b *blobs) resize(w, h int) {
	b.list = make([]blob, 0, maxBlobs)
	b.runs = make([]run, 0, maxRuns)
	b.of = make([]int32, maxRuns)
	b.near = 1 + h/60
}

// find lists the connected shapes of m, corners connecting.
func (b *blobs) find(m mask) {
	b.collect(m)
	b.list = b.list[:0]
	clear(b.of[:len(b.runs)])
	for i := range b.runs {
		r := &b.runs[i]
		n := int(r.x1 - r.x0)
		part := blob{
			x0: int(r.x0), y0: int(r.y), x1: int(r.x1), y1: int(r.y) + 1, area: n,
			sx: n * int(r.x0+r.x1-1) / 2, sy: n * int(r.y), mine: -1,
		}
		root := b.root(int32(i))
		if at := b.of[root]; at > 0 {
			b.list[at-1].add(&part)
		} else if len(b.list) < maxBlobs {
			b.list = append(b.list, part)
			b.of[root] = int32(len(b.list))
		}
	}
}

// collect finds the runs of m and connects those that touch.
func (b *blobs) collect(m mask) {
	b.runs = b.runs[:0]
	above := 0 // first run of the row above
	for y := range m.h {
		here := len(b.runs)
		b.row(m.row(y), y, m.w)
		j := above
		for i := here; i < len(b.runs); i++ {
			r := &b.runs[i]
			for j < here && b.runs[j].x1 < r.x0 {
				j++
			}
			for k := j; k < here && b.runs[k].x0 <= r.x1; k++ {
				b.connect(int32(i), int32(k))
			}
		}
		above = here
	}
}

// row appends the runs of one row.
func (b *blobs) row(words []uint64, y, w int) {
	for x := 0; x < w; {
		rest := words[x>>6] >> (x & 63)
		if rest == 0 {
			x = (x>>6 + 1) << 6
			continue
		}
		x += bits.TrailingZeros64(rest)
		start := x
		for x < w {
			ones := bits.TrailingZeros64(^(words[x>>6] >> (x & 63)))
			stop := min(x+ones, (x>>6+1)<<6)
			x = stop
			if x&63 != 0 || x >= w || words[x>>6]&1 == 0 {
				break
			}
		}
		if len(b.runs) == maxRuns {
			return
		}
		b.runs = append(b.runs, run{x0: int32(start), x1: int32(min(x, w)), y: int32(y), root: int32(len(b.runs))})
	}
}

func (b *blobs) root(i int32) int32 {
	for b.runs[i].root != i {
		b.runs[i].root = b.runs[b.runs[i].root].root
		i = b.runs[i].root
	}
	return i
}

func (b *blobs) connect(i, j int32) {
	i, j = b.root(i), b.root(j)
	b.runs[max(i, j)].root = min(i, j)
}

// join makes one of shapes that are close together: head and legs are often
// parted by a coat of the background's colour.
func (b *blobs) join() {
	for again := true; again; {
		again = false
		for i := 0; i < len(b.list); i++ {
			for j := len(b.list) - 1; j > i; j-- {
				if !b.close(&b.list[i], &b.list[j]) {
					continue
				}
				b.list[i].add(&b.list[j])
				b.list[j] = b.list[len(b.list)-1]
				b.list = b.list[:len(b.list)-1]
				again = true
			}
		}
	}
}

// close says whether two shapes belong together: bodies are upright, so more
// room is left above one another than side by side.
func (b *blobs) close(p, q *blob) bool {
	return p.x0-b.near < q.x1 && q.x0-b.near < p.x1 && p.y0-2*b.near < q.y1 && q.y0-2*b.near < p.y1
}
