package scene

// floor is the ground at x, z: the path, the beds along the house, the lawn.
func floor(x, z, sun float32) (rgb, float32) {
	lamp := 0.05 + 0.9*glow(x-doorX-0.4, z-facade+0.2, 1.8)
	// Windows throw a patch of light on the lawn.
	lamp += 0.35 * smooth(1.2, 0.6, abs32(x+1.75)) * smooth(6.5, 8.3, z)
	lamp += 0.35 * smooth(1.2, 0.6, abs32(x-3.05)) * smooth(6.5, 8.3, z)
	shade := 1 - 0.42*sun*smooth(0.42, 0.62, cloudy(1.3*x+3, 1.3*z, 3)+0.35*smooth(2.6, 0.4, dist(x+3.4, 0.6*(z-7.2)))-0.22)
	shade *= 1 - 0.3*smooth(facade-0.5, facade, z)*smooth(wallL-0.5, wallL, x)*smooth(wallR+0.5, wallR, x)
	if d := x - pathX(z); abs32(d) < 0.72 {
		return paving(d, z).times(shade), lamp
	}
	if z > facade-0.75 && z < facade && x > wallL && x < wallR {
		return soil.times((0.7 + 0.6*cloudy(12*x, 12*z, 3)) * shade), lamp
	}
	// Blades are finer than a pixel far away, where only their mean is seen.
	fine := smooth(12, 3, z)
	k := 0.5 + fine*(cloudy(22*x, 9*z, 3)-0.5) + 0.6*(cloudy(1.1*x, 1.1*z, 3)-0.5)
	c := mix(lawnDark, lawnPale, smooth(0.1, 0.95, k)).times(1.02)
	if e := abs32(x-pathX(z)) - 0.72; e < 0.1 {
		c = mix(soil, c, 0.3+7*e) // the lawn's cut edge
	}
	return c.times(shade), lamp
}

// paving is the path at d metres from its middle.
func paving(d, z float32) rgb {
	row := floor32(z / 0.62)
	fx := d/0.72 + 0.5*float32(int(row)&1)
	c := slab.times(0.86 + 0.2*lattice(int32(floor32(fx))+40, int32(row)))
	c = c.times(0.92 + 0.16*cloudy(14*d, 14*z, 3))
	edge := min(min(fract(fx), 1-fract(fx))*0.72, min(fract(z/0.62), 1-fract(z/0.62))*0.62)
	return mix(hex(0x746b58), c, smooth(0.008, 0.03, edge))
}

// shrub is the planting in the beds, an upright picture at distance z.
func shrub(z, dx, dy float32) (rgb, float32, bool) {
	x, y := dx*z, eye+dy*z
	if y < 0 || y > 0.9 || x < wallL || x > wallR || abs32(x-doorX) < 0.95 {
		return rgb{}, 0, false
	}
	top := 0.18 + 0.4*cloudy(1.9*x+5, 0, 2) + 0.16*noise(16*x, 6*y)
	top *= smooth(0.95, 1.4, abs32(x-doorX))
	if y > top {
		return rgb{}, 0, false
	}
	c := mix(leafDark, leafPale, 0.75*cloudy(15*x, 15*y, 3)+0.35*y/max(top, 0.1)-0.15)
	if k := lattice(int32(floor32(11*x)), int32(floor32(11*y))); k > 0.86 && y > 0.4*top {
		r := dist(fract(11*x)-0.5, fract(11*y)-0.5)
		petal := mix(hex(0xd95f7f), hex(0xf1e9f2), smooth(0.92, 0.94, k))
		c = mix(petal.times(1.1-0.5*r), c, smooth(0.34, 0.46, r))
	}
	return c, 0.25 * glow(x-doorX-0.85, y-1.5, 1.3), true
}

// hedge stands behind the garden, left and right of the house.
func hedge(dx, dy float32) (rgb, bool) {
	const z = 13
	x, y := dx*z, eye+dy*z
	top := 2.05 + 0.25*cloudy(1.5*x, 3, 3) + 0.1*noise(9*x, 9*y)
	if y > top {
		return hills(dx, dy)
	}
	k := cloudy(7*x, 7*y, 4)
	c := mix(leafDark, leafPale, 1.5*(k-0.3)).times(0.55 + 0.25*y)
	return c.times(0.92), true
}

func hills(dx, dy float32) (rgb, bool) {
	if dy > 0.05+0.06*cloudy(2.2*dx+9, 1, 3) {
		return rgb{}, false
	}
	return mix(hex(0x7d9aa0), hex(0x9db6bd), smooth(0.02, 0.1, dy)), true
}

// tree stands on the left, behind the house front's line.
func tree(dx, dy float32) (rgb, bool) {
	const z = 11
	x, y := dx*z+6.3, eye+dy*z
	ragged := cloudy(2.6*x+2, 2.6*y, 4) - 0.5
	crown := max(1-dist(x, 1.05*(y-4.4))/2.1, max(1-dist(x+1.2, y-3.7)/1.5, 1-dist(x-1.1, y-3.6)/1.4))
	if crown+0.9*ragged > 0.16 {
		lit := smooth(-1.2, 1.4, 0.6*(y-4.2)-0.5*x)
		k := cloudy(6*x, 6*y, 3)
		return mix(leafDark, leafPale, 0.9*lit+0.9*(k-0.5)).times(0.75 + 0.4*k), true
	}
	half := 0.17 + 0.08*smooth(0.8, 0, y) + 0.03*noise(4*y, 1)
	if y < 3.4 && abs32(x+0.1*noise(y, 3)) < half {
		return bark.times(0.75 + 0.5*cloudy(12*x, 2.5*y, 3) - 0.5*x), true
	}
	return rgb{}, false
}

// glow is the light at x, y of a lamp in the origin, 1 there, and half of it at
// distance r.
func glow(x, y, r float32) float32 { return 1 / (1 + (x*x+y*y)/(r*r)) }

func dist(x, y float32) float32 { return sqrt32(x*x + y*y) }

func abs32(x float32) float32 { return max(x, -x) }
