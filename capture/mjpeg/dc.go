package mjpeg

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
)

// DC reads the 1/8 size grey picture of a JPEG. The zero value is ready for
// use; it owns its buffers. One goroutine uses it at a time.
type DC struct {
	pix []uint8
}

// Read returns the means of the 8x8 blocks of brightness of a JPEG, row by row.
// pix is valid until the next Read.
func (d *DC) Read(b []byte) (w, h int, pix []uint8, err error) {
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return 0, 0, nil, err
	}
	bounds := m.Bounds()
	w, h = (bounds.Dx()+7)/8, (bounds.Dy()+7)/8
	d.pix = make([]uint8, w*h)
	for i := range d.pix {
		cell := image.Rect(0, 0, 8, 8).Add(image.Pt(i%w*8, i/w*8)).Intersect(bounds)
		sum, n := 0, 0
		for y := cell.Min.Y; y < cell.Max.Y; y++ {
			for x := cell.Min.X; x < cell.Max.X; x++ {
				sum += int(color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y)
				n++
			}
		}
		d.pix[i] = uint8((sum + n/2) / n)
	}
	return w, h, d.pix, nil
}
