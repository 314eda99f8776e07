package v4l2

import (
	"encoding/binary"
	"fmt"

	"github.com/sealcam/sealcam/capture"
)

// samples says where the samples of a raw frame of 4:2:0 or 4:2:2 lie. Colours are
// half as wide as brightness.
type samples struct {
	code      string // FourCC
	y, cb, cr plane  // cb and cr are empty in grey
	tall      bool   // colours are as high as brightness
}

// plane is where those of one component are: x of row y is at y*stride+x*step.
type plane struct {
	pix          []byte
	stride, step int
}

// from returns the samples of a frame, after checking that they are there.
func from(f *capture.Frame) (s samples, err error) {
	w, h, stride := f.Format.Width, f.Format.Height, f.Format.Stride
	row, rows := w, h
	switch f.Format.Pixel {
	case capture.YUYV:
		row, s.code = (w+1)/2*4, "YUYV"
	case capture.NV12:
		row, rows, s.code = (w+1)/2*2, h+(h+1)/2, "NV12"
	case capture.Grey:
	default:
		return s, fmt.Errorf("%s frames are not raw", f.Format.Pixel)
	}
	if stride == 0 {
		stride = row
	}
	if w < 1 || h < 1 || int64(w)*int64(h) > capture.MaxPixels || stride < row {
		return s, &capture.BadFrame{Reason: "header", Err: fmt.Errorf("size %dx%d with rows of %d bytes", w, h, stride)}
	}
	if need := int64(stride)*int64(rows-1) + int64(row); int64(len(f.Data)) < need {
		return s, &capture.BadFrame{Reason: "truncated", Err: fmt.Errorf("%d bytes of %d", len(f.Data), need)}
	}
	s.place([3][]byte{f.Data}, [3]int{stride}, h)
	return s, nil
}

// place sets the planes of s.code within pieces of memory; the first component has
// height rows, and those of a single piece follow each other.
func (s *samples) place(mem [3][]byte, stride [3]int, height int) {
	m, n := mem[0], stride[0]
	s.y = plane{m, n, 1}
	switch s.code {
	case "YUYV":
		s.y.step, s.tall = 2, true
		s.cb, s.cr = plane{m[1:], n, 4}, plane{m[3:], n, 4}
	case "NV12":
		c := m[n*height:]
		s.cb, s.cr = plane{c, n, 2}, plane{c[1:], n, 2}
	case "NM12":
		s.cb, s.cr = plane{mem[1], stride[1], 2}, plane{mem[1][1:], stride[1], 2}
	case "YU12":
		c := m[n*height:]
		s.cb, s.cr = plane{c, n / 2, 1}, plane{c[n/2*((height+1)/2):], n / 2, 1}
	case "YM12":
		s.cb, s.cr = plane{mem[1], stride[1], 1}, plane{mem[2], stride[2], 1}
	}
}

// needs returns how many bytes each piece of memory must have for a frame whose
// first component has height rows of stride bytes, 0 for pieces that there are not.
func needs(code string, stride [3]int, height int) (n [3]int64) {
	half := int64(height+1) / 2
	y := int64(stride[0]) * int64(height)
	switch code {
	case "YUYV":
		return [3]int64{y}
	case "NV12":
		return [3]int64{y + int64(stride[0])*half}
	case "NM12":
		return [3]int64{y, int64(stride[1]) * half}
	case "YU12":
		return [3]int64{y + 2*int64(stride[0]/2)*half}
	}
	return [3]int64{y, int64(stride[1]) * half, int64(stride[2]) * half}
}

// row returns row y from its first sample on.
func (p *plane) row(y int) []byte { return p.pix[y*p.stride:] }

// convert writes a frame of w x h pixels from src to dst. Colours that become half
// as high are means of two rows, and those that become twice as high are doubled;
// a grey frame gets none.
func convert(dst, src *samples, w, h int) {
	cw, ch, packed := (w+1)/2, (h+1)/2, src.code == "YUYV"
	switch {
	case packed && dst.code == "YUYV":
		for y := range h {
			copy(dst.y.row(y)[:4*cw], src.y.row(y))
		}
		return
	case packed:
		for y := range h {
			evens(dst.y.row(y)[:w], src.y.row(y))
		}
	default:
		for y := range h {
			move(dst.y.row(y), src.y.row(y), dst.y.step, 1, w)
		}
	}
	if dst.tall {
		ch = h
	}
	interleaved := dst.code == "NV12" || dst.code == "NM12"
	for y := range ch {
		switch {
		case src.cb.pix == nil:
			fill(dst.cb.row(y), dst.cb.step, cw)
			fill(dst.cr.row(y), dst.cr.step, cw)
		case packed && interleaved:
			oddMeans(dst.cb.row(y)[:2*cw], src.y.row(2*y), src.y.row(min(2*y+1, h-1)))
		case packed:
			below := min(2*y+1, h-1)
			mean(dst.cb.row(y), src.cb.row(2*y), src.cb.row(below), dst.cb.step, src.cb.step, cw)
			mean(dst.cr.row(y), src.cr.row(2*y), src.cr.row(below), dst.cr.step, src.cr.step, cw)
		case interleaved: // as the source is
			copy(dst.cb.row(y)[:2*cw], src.cb.row(y))
		default:
			from := y
			if dst.tall {
				from = y / 2
			}
			move(dst.cb.row(y), src.cb.row(from), dst.cb.step, src.cb.step, cw)
			move(dst.cr.row(y), src.cr.row(from), dst.cr.step, src.cr.step, cw)
		}
	}
}

// noColour is the value of a colour component that gives no colour.
const noColour = 128

func fill(dst []byte, step, n int) {
	for i := range n {
		dst[i*step] = noColour
	}
}

// move copies n samples from places that are from bytes apart to places to bytes apart.
func move(dst, src []byte, to, from, n int) {
	if to == 1 && from == 1 {
		copy(dst[:n], src)
		return
	}
	for i := range n {
		dst[i*to] = src[i*from]
	}
}

// mean does the same with the means of two rows.
func mean(dst, above, below []byte, to, from, n int) {
	for i := range n {
		dst[i*to] = uint8((uint(above[i*from]) + uint(below[i*from]) + 1) / 2)
	}
}

const (
	everySecond = 0x00ff00ff00ff00ff
	everyOne    = 0x0001000100010001
)

// closeUp moves the four bytes at the even places of v together.
func closeUp(v uint64) uint64 {
	v = (v | v>>8) & 0x0000ffff0000ffff
	return (v | v>>16) & 0xffffffff
}

// evens fills dst with every second byte of src, from the first on.
func evens(dst, src []byte) {
	for len(dst) >= 8 && len(src) >= 16 {
		a, b := binary.LittleEndian.Uint64(src)&everySecond, binary.LittleEndian.Uint64(src[8:16])&everySecond
		binary.LittleEndian.PutUint64(dst, closeUp(a)|closeUp(b)<<32)
		dst, src = dst[8:], src[16:]
	}
	for i := range dst {
		dst[i] = src[2*i]
	}
}

// oddMeans fills dst with the means of every second byte of two rows, from the
// second on.
func oddMeans(dst, above, below []byte) {
	for len(dst) >= 8 && len(above) >= 16 && len(below) >= 16 {
		a, b := binary.LittleEndian.Uint64(above)>>8&everySecond, binary.LittleEndian.Uint64(below)>>8&everySecond
		c, d := binary.LittleEndian.Uint64(above[8:16])>>8&everySecond, binary.LittleEndian.Uint64(below[8:16])>>8&everySecond
		m, n := (a+b+everyOne)>>1&everySecond, (c+d+everyOne)>>1&everySecond
		binary.LittleEndian.PutUint64(dst, closeUp(m)|closeUp(n)<<32)
		dst, above, below = dst[8:], above[16:], below[16:]
	}
	for i := range dst {
		dst[i] = uint8((uint(above[2*i+1]) + uint(below[2*i+1]) + 1) / 2)
	}
}
