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

// tile is a piece of the lattice that noise repeats, small enough to stay in the
// first cache. It never changes.
var tile = func() (t [tileSize * tileSize]float32) {
	for i := range t {
		t[i] = lattice(int32(i%tileSize), int32(i/tileSize))
	}
	return t
}()

const tileSize = 64

// noise is smooth value noise in 0..1 with features about 1 wide.
func noise(x, y float32) float32 {
	ix, iy := int32(x), int32(y)
	if x < float32(ix) {
		ix--
	}
	if y < float32(iy) {
		iy--
	}
	kx, ky := x-float32(ix), y-float32(iy)
	kx, ky = kx*kx*(3-2*kx), ky*ky*(3-2*ky)
	x0, x1 := ix&(tileSize-1), (ix+1)&(tileSize-1)
	y0, y1 := iy&(tileSize-1)*tileSize, (iy+1)&(tileSize-1)*tileSize
	a, c := tile[y0+x0], tile[y1+x0]
	top := a + (tile[y0+x1]-a)*kx
	low := c + (tile[y1+x1]-c)*kx
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
