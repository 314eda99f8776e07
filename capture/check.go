package capture

import (
	"fmt"

	"github.com/sealcam/sealcam/capture/mjpeg"
)

// steady is how many frames in a row must agree on a size other than the one
// that the camera declared before the frames are believed.
const steady = 3

// checker judges the frames of one connection. It is cheap: one pass over the
// markers of a JPEG, one comparison for raw frames.
type checker struct {
	format Format // what frames are held against; its size follows the JPEGs
	other  struct{ w, h, n int }
}

// check returns a *BadFrame for a frame that nobody can use. It trims JPEGs to
// what lies between their start and end markers. doubled reports a good frame
// with another one behind it in the same buffer.
func (c *checker) check(f *Frame) (doubled bool, err error) {
	if len(f.Data) == 0 {
		return false, &BadFrame{Reason: string(mjpeg.ErrEmpty)}
	}
	if f.Format.Pixel == MJPEG {
		return c.checkJPEG(f)
	}
	need, err := f.Format.atLeast()
	if err != nil {
		return false, &BadFrame{Reason: string(mjpeg.ErrHeader), Err: err}
	}
	if len(f.Data) < need {
		return false, &BadFrame{Reason: string(mjpeg.ErrTruncated), Err: fmt.Errorf("%d bytes of %d", len(f.Data), need)}
	}
	return false, nil
}

func (c *checker) checkJPEG(f *Frame) (doubled bool, err error) {
	h, err := mjpeg.Scan(f.Data)
	if err != nil {
		detail := fmt.Errorf("%w: %d bytes, %dx%d", err, len(f.Data), h.Width, h.Height)
		return false, &BadFrame{Reason: string(err.(mjpeg.Error)), Err: detail}
	}
	if !c.believe(h.Width, h.Height) {
		return false, &BadFrame{Reason: "size", Err: fmt.Errorf("%dx%d instead of %dx%d", h.Width, h.Height, c.format.Width, c.format.Height)}
	}
	f.Data = f.Data[h.Start:h.End:h.End]
	f.Format.Width, f.Format.Height = h.Width, h.Height
	return h.Doubled, nil
}

// believe reports whether a JPEG may have this size. Drivers are known to
// declare one size and send another for good, and damaged headers to show one
// once: what is seen several times in a row is true.
func (c *checker) believe(w, h int) bool {
	if w == c.format.Width && h == c.format.Height {
		c.other.n = 0
		return true
	}
	if w != c.other.w || h != c.other.h {
		c.other.w, c.other.h, c.other.n = w, h, 0
	}
	if c.other.n++; c.other.n < steady {
		return false
	}
	c.format.Width, c.format.Height, c.other.n = w, h, 0
	return true
}

// atLeast returns how many bytes a raw frame of this format has at least, 1 for a
// compressed one. It is an error for the format to have no size, more than
// MaxPixels, or rows that overlap.
func (f Format) atLeast() (int, error) {
	if f.Pixel == MJPEG || f.Pixel == H264 || f.Pixel == H265 {
		return 1, nil
	}
	if f.Width < 1 || f.Height < 1 || int64(f.Width)*int64(f.Height) > MaxPixels {
		return 0, fmt.Errorf("%dx%d is no usable size", f.Width, f.Height)
	}
	row := f.Width
	if f.Pixel == YUYV {
		row = (f.Width + 1) / 2 * 4
	}
	stride := f.Stride
	if stride == 0 {
		stride = row
	}
	if stride < row || int64(stride)*int64(f.Height) > 8*MaxPixels {
		return 0, fmt.Errorf("%d bytes a row for %d pixels", stride, f.Width)
	}
	rows := f.Height
	if f.Pixel == NV12 {
		rows += (f.Height + 1) / 2
	}
	// Some drivers leave out the padding of the last row.
	return stride*(rows-1) + row, nil
}
