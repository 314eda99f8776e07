package scene

import (
	"fmt"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// packer lays a canvas out as a camera would, YUYV and NV12 in limited range. It owns its buffer, which the
// next frame overwrites.
type packer struct {
	pixel   capture.Pixel
	quality [2]int // lowest and highest
	data    []byte
	encoder mjpeg.Encoder
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

// narrow and narrowColour bring a sample into the range of raw video: black 16,
// white 235, colours 16 to 240. In Q16.
func narrow(v uint8) uint8       { return uint8((uint32(v)*56284 + 16<<16 + 1<<15) >> 16) }
func narrowColour(v uint8) uint8 { return uint8((uint32(v)*57569 + 1019764 + 1<<15) >> 16) }

// pack lays out the n-th frame.
func (p *packer) pack(c *canvas, n uint64) ([]byte, error) {
	p.data = p.data[:0]
	switch p.pixel {
	case capture.Grey:
		p.data = append(p.data, c.y...)
	case capture.NV12:
		for _, v := range c.y {
			p.data = append(p.data, narrow(v))
		}
		for i, cb := range c.cb {
			p.data = append(p.data, narrowColour(cb), narrowColour(c.cr[i]))
		}
	case capture.YUYV:
		for y := range c.h {
			row, half := c.y[y*c.w:(y+1)*c.w], y/2*(c.w/2)
			for x := 0; x < c.w; x += 2 {
				p.data = append(p.data, narrow(row[x]), narrowColour(c.cb[half+x/2]), narrow(row[x+1]), narrowColour(c.cr[half+x/2]))
			}
		}
	default:
		raw := mjpeg.Raw{
			Width: c.w, Height: c.h, Y: mjpeg.Plane{Pix: c.y, Stride: c.w, Step: 1},
			Cb: mjpeg.Plane{Pix: c.cb, Stride: c.w / 2, Step: 1}, Cr: mjpeg.Plane{Pix: c.cr, Stride: c.w / 2, Step: 1},
		}
		var err error
		if p.data, err = p.encoder.Append(p.data, &raw, p.quality[0]+int(n*7)%(p.quality[1]-p.quality[0]+1)); err != nil {
			return nil, fmt.Errorf("scene: %w", err)
		}
	}
	return p.data, nil
}
