package scene

import (
	"math"
	"math/rand/v2"
)

// beam is the light of a car's two headlights on what stands before them.
type beam struct {
	x        float32 // between the two, in pixels
	gap      float32 // from one to the other
	rx, ry   float32 // radii of one patch of light
	strength float32 // what it adds, in units of the well exposed day
}

// shine adds the beam's light to c. The two patches of light are bell curves,
// so that rows and columns can be reckoned apart.
func (b *beam) shine(c, src *canvas) {
	cy := 0.47 * float32(c.h)
	across := make([]int32, c.w)
	for x := range across {
		l, r := (float32(x)-b.x+b.gap/2)/b.rx, (float32(x)-b.x-b.gap/2)/b.rx
		across[x] = int32(256 * (bell(l) + bell(r)))
	}
	for y := range c.h {
		k := int32(256 * b.strength * bell((float32(y)-cy)/b.ry))
		if k == 0 {
			continue
		}
		row, from := c.y[y*c.w:(y+1)*c.w], src.y[y*c.w:]
		for x, g := range across {
			row[x] = uint8(min(int32(row[x])+int32(from[x])*(g*k>>8)>>8, 255))
		}
	}
}

func bell(x float32) float32 { return float32(math.Exp(-float64(x * x))) }

// rain draws the drops that fall through the view while one frame is exposed,
// and where some of them hit the ground.
func rain(c *canvas, rng *rand.Rand) {
	unit := float32(c.h) / 720
	for range 260 {
		near := rng.Float32()
		near *= near
		x, y := rng.Float32()*1.1*float32(c.w), (rng.Float32()*1.2-0.2)*float32(c.h)
		drop(c, x, y, (10+70*near)*unit, (0.6+1.8*near*near)*unit, 0.2+0.3*rng.Float32()*(1-0.5*near))
	}
	v := viewOf(c.w, c.h)
	for range 60 {
		y := v.cy + (0.14+0.86*rng.Float32())*(float32(c.h)-v.cy)
		_, z := v.ground(0, y)
		splash(c, rng.Float32()*float32(c.w), y, 0.05*v.f/z, 0.25*rng.Float32())
	}
}

// drop draws one streak, thin at both ends, slanting a little with the wind.
func drop(c *canvas, x, y, long, wide, alpha float32) {
	const slant = -0.12
	for i := range int(long) {
		k := (float32(i) + 0.5) / long
		py := int(y) + i
		if py < 0 || py >= c.h {
			continue
		}
		a := alpha * 4 * k * (1 - k)
		fx := x + slant*float32(i)
		for px := int(fx - wide); px <= int(fx+wide); px++ {
			cover := min(max(wide/2+0.5-abs32(float32(px)+0.5-fx), 0), 1)
			brighten(c, px, py, a*cover)
		}
	}
}

func splash(c *canvas, x, y, r, alpha float32) {
	for px := int(x - r); px <= int(x+r); px++ {
		d := (float32(px) + 0.5 - x) / max(r, 0.5)
		brighten(c, px, int(y), alpha*(1-d*d))
		brighten(c, px, int(y-r*0.6), 0.6*alpha*d*d*(1.2-abs32(d)))
	}
}

// brighten blends a pixel towards the grey of the sky.
func brighten(c *canvas, x, y int, a float32) {
	if a <= 0 || x < 0 || y < 0 || x >= c.w || y >= c.h {
		return
	}
	p := &c.y[y*c.w+x]
	*p = clamp8(float32(*p) + (215-float32(*p))*a)
}
