package scene

import "math"

// rgb is a colour in gamma-coded sRGB, each part 0..1 and a little beyond while
// light is still being added up.
type rgb struct{ r, g, b float32 }

func (c rgb) times(k float32) rgb { return rgb{c.r * k, c.g * k, c.b * k} }
func (c rgb) plus(d rgb) rgb      { return rgb{c.r + d.r, c.g + d.g, c.b + d.b} }

// mix returns a at k = 0 and b at k = 1.
func mix(a, b rgb, k float32) rgb {
	return rgb{a.r + (b.r-a.r)*k, a.g + (b.g-a.g)*k, a.b + (b.b-a.b)*k}
}

// hex reads a colour as it is written in drawing programs: 0xRRGGBB.
func hex(v uint32) rgb {
	return rgb{float32(v>>16&255) / 255, float32(v>>8&255) / 255, float32(v&255) / 255}
}

// ycc returns c as JPEG's full-range brightness and colour differences.
func (c rgb) ycc() (y, cb, cr uint8) {
	r, g, b := 255*c.r, 255*c.g, 255*c.b
	return clamp8(0.299*r + 0.587*g + 0.114*b),
		clamp8(128 - 0.168736*r - 0.331264*g + 0.5*b),
		clamp8(128 + 0.5*r - 0.418688*g - 0.081312*b)
}

func clamp8(v float32) uint8 { return uint8(min(max(v+0.5, 0), 255)) }

// smooth rises from 0 at a to 1 at b without corners; a may be above b.
func smooth(a, b, x float32) float32 {
	k := min(max((x-a)/(b-a), 0), 1)
	return k * k * (3 - 2*k)
}

func floor32(x float32) float32 { return float32(math.Floor(float64(x))) }
func fract(x float32) float32   { return x - floor32(x) }
func sqrt32(x float32) float32  { return float32(math.Sqrt(float64(x))) }

// lattice gives each whole point of the plane its own value in 0..1.
func lattice(x, y int32) float32 {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return float32((h^h>>15)>>8) / (1 << 24)
}

// noise is smooth value noise in 0..1 with features about 1 wide.
func noise(x, y float32) float32 {
	fx, fy := floor32(x), floor32(y)
	kx, ky := x-fx, y-fy
	kx, ky = kx*kx*(3-2*kx), ky*ky*(3-2*ky)
	ix, iy := int32(fx), int32(fy)
	top := lattice(ix, iy) + (lattice(ix+1, iy)-lattice(ix, iy))*kx
	low := lattice(ix, iy+1) + (lattice(ix+1, iy+1)-lattice(ix, iy+1))*kx
	return top + (low-top)*ky
}

// cloudy is noise of n octaves in 0..1, each half as wide and half as strong.
func cloudy(x, y float32, n int) float32 {
	var sum, weight float32
	k := float32(1)
	for range n {
		sum += k * noise(x, y)
		weight += k
		x, y, k = 2.03*x+17.1, 2.03*y-9.2, k/2
	}
	return sum / weight
}
