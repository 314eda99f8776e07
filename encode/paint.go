package encode

import (
	"fmt"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// cover is what masks cover of frames of one size. It is worked out again only when
// the size changes; the masks do not.
type cover struct {
	blocks *mjpeg.Blocks
	w, h   int
}

// of returns the blocks that m covers of frames of w x h pixels.
func (c *cover) of(m capture.Masks, w, h int) *mjpeg.Blocks {
	if c.blocks == nil || w != c.w || h != c.h {
		c.blocks, c.w, c.h = m.Cover(w, h), w, h
	}
	return c.blocks
}

// Painter paints flat grey over what masks cover in raw frames, for encoders that
// know nothing of masks: what such a one has never seen it cannot give away. The
// zero value hides nothing; one goroutine uses it at a time.
type Painter struct {
	Masks capture.Masks // not to be changed after the first frame

	cover cover
}

// Paint writes over f.Data, which must be the caller's own, every block of 8x8 pixels
// that the masks touch. The error wraps ErrUnmasked: nothing of the frame may leave
// the camera then.
func (p *Painter) Paint(f *capture.Frame) error {
	if len(p.Masks) == 0 {
		return nil
	}
	switch f.Format.Pixel {
	case capture.YUYV, capture.NV12, capture.Grey:
	default:
		return fmt.Errorf("%w: %s frames cannot be painted", ErrUnmasked, f.Format.Pixel)
	}
	l, err := layOut(f)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnmasked, err)
	}
	blocks := p.cover.of(p.Masks, l.w, l.h)
	bw, bh := blocks.Size()
	for y := range bh {
		for x := range bw {
			if blocks.Has(x, y) {
				l.paint(f.Data, 8*x, 8*y)
			}
		}
	}
	return nil
}

// middle is the level of painted blocks in every component: no colour, and in
// brightness close to the middle of either range.
const middle = 128

// paint makes the block at x, y flat. Colours of other blocks are not touched: one
// sample of colour is for two pixels beside each other, in NV12 for four, and the
// block's corners are even.
func (l *layout) paint(data []byte, x, y int) {
	w, h := min(8, l.w-x), min(8, l.h-y)
	even := (w + 1) / 2 * 2
	at, n := x, w
	if l.pixel == capture.YUYV {
		at, n = 2*x, 2*even
	}
	for i := range h {
		flatten(data[(y+i)*l.stride+at:][:n])
	}
	if l.pixel != capture.NV12 {
		return
	}
	colour := data[l.h*l.stride:]
	for i := range (h + 1) / 2 {
		flatten(colour[(y/2+i)*l.stride+x:][:even])
	}
}

func flatten(row []byte) {
	for i := range row {
		row[i] = middle
	}
}
