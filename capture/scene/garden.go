package scene

// The garden: a house front with its door, a path that leads to it, lawn,
// hedge, a tree and the sky, seen at eye height. Lengths are metres: x to the
// right, y up from the ground, z away from the camera. It is drawn once per
// Scene; what moves is drawn over it.

const (
	eye      = 1.6  // height of the camera over the ground
	facade   = 9.0  // distance of the house front
	doorX    = 0.7  // middle of the door
	doorHalf = 0.5  // half its width
	doorTop  = 2.2  //
	eaves    = 2.9  // upper end of the wall
	ridge    = 5.0  // upper end of the roof
	wallL    = -3.3 // left end of the house front
	wallR    = 4.7  // right end
)

var (
	skyHigh   = hex(0x5b93c9)
	skyLow    = hex(0xd3e4ee)
	plaster   = hex(0xe9dfcb)
	brick     = hex(0x9a5b45)
	trim      = hex(0xf4f1e8)
	doorPaint = hex(0x1f5a5e)
	glass     = hex(0x4d6472)
	tiles     = hex(0x9c4f3a)
	slab      = hex(0xb9b2a4)
	lawnDark  = hex(0x4c7434)
	lawnPale  = hex(0x86a84c)
	soil      = hex(0x5a4632)
	leafDark  = hex(0x28481f)
	leafPale  = hex(0x6d9440)
	bark      = hex(0x5c4a3a)
)

// view projects the garden onto a frame.
type view struct {
	cx, cy, f float32
	sun       float32 // 1 by fair weather, 0 under a grey sky
}

func viewOf(w, h int) view {
	return view{cx: float32(w) / 2, cy: 0.44 * float32(h), f: 0.62 * float32(w), sun: 1}
}

// at returns where the point x, y, z is seen, and how many pixels a metre there is.
func (v view) at(x, y, z float32) (px, py, scale float32) {
	s := v.f / z
	return v.cx + x*s, v.cy + (eye-y)*s, s
}

// ground returns the point on the ground seen at px, py, which is below the horizon.
func (v view) ground(px, py float32) (x, z float32) {
	z = eye * v.f / (py - v.cy)
	return (px - v.cx) * z / v.f, z
}

// pathX is the middle of the path at distance z. It swings a little.
func pathX(z float32) float32 { return doorX - 1.5*smooth(facade, 2, z) }

// garden returns the colour seen at px, py by day, and how much of the lamps'
// light (porch and windows, 0..1) falls there.
func (v view) garden(px, py float32) (c rgb, lamp float32) {
	dx, dy := (px-v.cx)/v.f, (v.cy-py)/v.f
	if c, lamp, ok := shrub(facade-0.35, dx, dy); ok {
		return c, lamp
	}
	if x, y := dx*facade, eye+dy*facade; x > wallL && x < wallR && y > 0 && y < eaves+0.08 {
		return front(x, y)
	}
	if c, ok := roof(dx, dy); ok {
		return c, 0
	}
	if dy < 0 && eye/-dy < 13 {
		z := eye / -dy
		return floor(dx*z, z, v.sun)
	}
	if c, ok := tree(dx, dy); ok {
		return c, 0
	}
	if c, ok := hedge(dx, dy); ok {
		return c, 0
	}
	return sky(dx, dy, v.sun), 0
}

func sky(dx, dy, sun float32) rgb {
	c := mix(skyLow, skyHigh, smooth(0, 0.45, dy))
	// Clouds lie on a plane far up, so that they thin out towards the horizon.
	h := max(dy, 0.02)
	k := cloudy(1.1*dx/(h+0.25)+4, 0.9/(h+0.25), 5)
	c = mix(c, hex(0xf7f8f9), 0.85*smooth(0.5, 0.72, k))
	return mix(mix(hex(0x9aa3aa), hex(0xc9ced1), k), c, sun)
}

// front is the house front at x, y: plaster over a brick plinth, a door, two windows.
func front(x, y float32) (rgb, float32) {
	c := plaster.times(0.97 + 0.06*cloudy(9*x, 9*y, 3))
	if y < 0.45 {
		c = bricks(x, y)
	}
	c = c.times(1 - 0.35*smooth(2.25, eaves, y))   // soft shadow of the eaves
	c = c.times(1 - 0.25*smooth(0.25, 0, y))       // and where the wall meets the ground
	c = c.times(1 - 0.10*smooth(1.5, wallR, x))    // the sun stands on the left
	lamp := 0.10 + glow(x-(doorX+0.85), y-1.95, 1) // porch lamp
	if w, wl, ok := window(x+1.75, y-1.5, 0.85); ok {
		return w, wl
	}
	if w, wl, ok := window(x-3.05, y-1.5, 0.9); ok {
		return w, wl
	}
	if d, dl, ok := door(x-doorX, y); ok {
		return d, max(dl, lamp)
	}
	if lx, ly := x-(doorX+0.85), y-1.95; abs32(lx) < 0.09 && abs32(ly) < 0.16 {
		if abs32(ly) > 0.12 || abs32(lx) > 0.075 {
			return hex(0x2b2d2f), 0.1
		}
		return hex(0xc9c2a4), 1 // the porch lamp itself
	}
	// Canopy over the door, and its shadow.
	if abs32(x-doorX) < 0.95 && y > 2.38 && y < 2.52 {
		return hex(0x3b4a50).times(0.85 + 0.25*smooth(2.38, 2.52, y)), lamp
	}
	c = c.times(1 - 0.4*smooth(1.0, 0.8, abs32(x-doorX))*smooth(1.85, 2.38, y)*smooth(2.5, 2.38, y))
	return c, lamp
}

func bricks(x, y float32) rgb {
	row := floor32(y / 0.075)
	fx := x/0.24 + 0.5*float32(int(row)&1)
	c := brick.times(0.82 + 0.36*lattice(int32(floor32(fx)), int32(row)))
	if fract(fx) < 0.06 || fract(y/0.075) < 0.16 {
		c = hex(0xb5a695)
	}
	return c
}

// door is the front door at x (0 in its middle), y.
func door(x, y float32) (rgb, float32, bool) {
	if abs32(x) < doorHalf+0.35 && y < 0.13 {
		return hex(0xa8a195).times(0.85 + 0.3*smooth(0.10, 0.13, y)), 0.35, true // step
	}
	if abs32(x) > doorHalf+0.1 || y > doorTop+0.1 {
		return rgb{}, 0, false
	}
	if abs32(x) > doorHalf || y > doorTop {
		return trim.times(0.95), 0.35, true
	}
	c := doorPaint.times(0.94 + 0.12*noise(60*x, 3*y))
	c = c.times(1 - 0.35*smooth(1.7, doorTop, y))
	switch ax := abs32(x); {
	case y > 1.72 && y < 2.06 && ax < 0.33: // light over the panels
		if ax < 0.012 || y < 1.74 || y > 2.04 || ax > 0.31 {
			return trim.times(0.7), 0.4, true
		}
		return glass.times(0.75 + 0.5*(y-1.72)), 1, true
	case panel(x, y-1.28, 0.29) || panel(x, y-0.55, 0.29):
		c = c.times(1.28)
	case abs32(x) < 0.12 && abs32(y-0.93) < 0.025:
		c = hex(0xc9a95b) // letter box
	}
	if kx, ky := x-0.39, y-1.02; kx*kx+ky*ky < 0.0016 {
		c = hex(0xe3c877) // knob
	}
	return c, 0, true
}

// panel says whether x, y is on the raised edge of a door panel of half height h.
func panel(x, y, h float32) bool {
	d := max(abs32(x)-0.32, abs32(y)-h+0.02)
	return d > -0.025 && d < 0
}

// window is a window of half width hw, with x, y from its middle.
func window(x, y, hw float32) (rgb, float32, bool) {
	const hh = 0.62
	ax, ay := abs32(x), abs32(y)
	if y < -hh-0.08 && y > -hh-0.16 && ax < hw+0.16 {
		return trim.times(0.82), 0.15, true // sill
	}
	if ax > hw+0.08 || ay > hh+0.08 {
		return rgb{}, 0, false
	}
	if ax > hw || ay > hh || ax < 0.025 || abs32(y-0.2) < 0.02 {
		return trim.times(0.9 + 0.1*smooth(-hh, hh, y)), 0.2, true
	}
	c := mix(glass, skyLow, 0.35*smooth(-hh, hh, y)+0.25*smooth(0.5, 0.65, cloudy(2*x+7, 3*y, 3)))
	lamp := float32(0.9)
	if curtain := hw - 0.26 + 0.05*y; ax > curtain {
		c = mix(c, hex(0xd8cdbd), 0.55).times(0.9 + 0.12*noise(26*x, 0.7*y))
		lamp = 0.7
	}
	return c, lamp, true
}

// roof is the tiled roof, which slopes away from the eaves.
func roof(dx, dy float32) (rgb, bool) {
	const near, depth = facade - 0.4, 3.6
	const slope = (ridge - eaves) / depth
	if dy >= slope {
		return rgb{}, false
	}
	z := (near*slope - (eaves - eye)) / (slope - dy)
	x := dx * z
	if z < near || z > near+depth || x < wallL-0.4 || x > wallR+0.4 {
		return chimney(dx, dy)
	}
	if z < near+0.06 {
		return hex(0x6b6f70), true // gutter
	}
	up := (z - near) / 0.28
	fx := x/0.22 + 0.5*float32(int(up)&1)
	c := tiles.times(0.8 + 0.3*lattice(int32(floor32(fx)), int32(up)))
	c = c.times(0.78 + 0.3*smooth(0, 0.5, fract(up)))
	c = c.times(1 - 0.2*smooth(0.2, 0, fract(fx)))
	return c.times(0.9 + 0.2*cloudy(0.7*x, 0.7*z, 2)), true
}

func chimney(dx, dy float32) (rgb, bool) {
	const z = facade + 3
	x, y := dx*z, eye+dy*z
	if x < 2.6 || x > 3.3 || y < ridge-1.2 || y > ridge+0.75 {
		return rgb{}, false
	}
	if y > ridge+0.65 {
		return hex(0x77736b), true
	}
	return bricks(1.4*x, 1.4*y).times(1.05 - 0.3*smooth(2.7, 3.3, x)), true
}
