package scene

import (
	"bytes"
	"image"
	"image/jpeg"

	"github.com/sealcam/sealcam/capture"
)

// packer lays a canvas out as a camera would. It owns its buffer, which the
// next frame overwrites.
type packer struct {
	pixel capture.Pixel
	raw   []byte
	jpeg  bytes.Buffer
}

// stride is the length of a row of the first plane, in bytes; 0 for JPEG.
func (p *packer) stride(w int) int {
	switch p.pixel {
	case capture.YUYV:
		return 2 * w
	case capture.MJPEG:
		return 0
	}
	return w
}

func (p *packer) pack(c *canvas) ([]byte, error) {
	p.raw = p.raw[:0]
	switch p.pixel {
	case capture.Grey:
		p.raw = append(p.raw, c.y...)
	case capture.NV12:
		p.raw = append(p.raw, c.y...)
		for i, cb := range c.cb {
			p.raw = append(p.raw, cb, c.cr[i])
		}
	case capture.YUYV:
		for y := range c.h {
			row, half := c.y[y*c.w:(y+1)*c.w], y/2*(c.w/2)
			for x := 0; x < c.w; x += 2 {
				p.raw = append(p.raw, row[x], c.cb[half+x/2], row[x+1], c.cr[half+x/2])
			}
		}
	default:
		p.jpeg.Reset()
		err := jpeg.Encode(&p.jpeg, &image.YCbCr{
			Y: c.y, Cb: c.cb, Cr: c.cr, YStride: c.w, CStride: c.w / 2,
			SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: c.bounds(),
		}, &jpeg.Options{Quality: 80})
		return p.jpeg.Bytes(), err
	}
	return p.raw, nil
}
