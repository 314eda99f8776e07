package mjpeg

// Blocks is a set of blocks of 8x8 pixels of a frame, those that reach over its
// right or lower edge included.
type Blocks struct {
	w, h int // of the frame, in blocks
	in   []bool
}

// NewBlocks returns the empty set for frames of width x height pixels, which
// must be positive.
func NewBlocks(width, height int) *Blocks {
	b := &Blocks{w: (width + 7) / 8, h: (height + 7) / 8}
	b.in = make([]bool, b.w*b.h)
	return b
}

// Size returns how many blocks stand beside and above each other in the frame.
func (b *Blocks) Size() (w, h int) { return b.w, b.h }

// Add puts the block in column x of row y into the set.
func (b *Blocks) Add(x, y int) { b.in[y*b.w+x] = true }

// Has says whether the block in column x of row y is in the set.
func (b *Blocks) Has(x, y int) bool { return b.in[y*b.w+x] }

// Any says whether one of the w x h blocks from x, y is in the set. Those beyond
// the frame are not.
func (b *Blocks) Any(x, y, w, h int) bool {
	for y1 := min(y+h, b.h); y < y1; y++ {
		for _, in := range b.in[y*b.w+min(x, b.w) : y*b.w+min(x+w, b.w)] {
			if in {
				return true
			}
		}
	}
	return false
}

// fits says whether the set is for frames of width x height pixels.
func (b *Blocks) fits(width, height int) bool { return b.w == (width+7)/8 && b.h == (height+7)/8 }
