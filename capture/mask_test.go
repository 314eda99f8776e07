package capture

import (
	"math/rand/v2"
	"testing"
)

// inside says by the even and odd rule whether a point, in thousandths of the
// picture, lies within m. Slow, and by floating point: for tests.
func inside(m Mask, x, y float64) bool {
	in := false
	for i, a := range m {
		b := m[(i+1)%len(m)]
		ax, ay, bx, by := float64(a.X), float64(a.Y), float64(b.X), float64(b.Y)
		if (ay > y) != (by > y) && x < ax+(y-ay)*(bx-ax)/(by-ay) {
			in = !in
		}
	}
	return in
}

// A pixel whose middle lies within a mask is hidden, whatever the polygon and the
// size; a block without a pixel near a mask is not.
func TestCoverHidesAllThatIsMasked(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m := make(Mask, 3+rng.IntN(6))
		for i := range m {
			m[i] = Corner{rng.IntN(1001), rng.IntN(1001)}
		}
		w, h := 1+rng.IntN(300), 1+rng.IntN(200)
		c := Masks{m}.Cover(w, h)
		bw, bh := c.Size()
		hit := make([]bool, bw*bh)
		const fine = 4 // points a pixel
		for y := range h * fine {
			for x := range w * fine {
				if inside(m, (float64(x)+0.5)/fine/float64(w)*1000, (float64(y)+0.5)/fine/float64(h)*1000) {
					at := y/fine/8*bw + x/fine/8
					hit[at] = true
					if !c.Has(x/fine/8, y/fine/8) {
						t.Fatalf("%v on %dx%d: the block at %d,%d is not hidden", m, w, h, x/fine/8, y/fine/8)
					}
				}
			}
		}
		// Too much is hidden only where the polygon's edge grazes a block.
		for y := range bh {
			for x := range bw {
				if c.Has(x, y) && !hit[y*bw+x] && !grazed(m, x, y, w, h) {
					t.Fatalf("%v on %dx%d: the block at %d,%d is hidden for nothing", m, w, h, x, y)
				}
			}
		}
	}
}

// grazed says whether an edge of m comes within half a pixel of the block.
func grazed(m Mask, x, y, w, h int) bool {
	for i, a := range m {
		b := m[(i+1)%len(m)]
		for s := range 4001 {
			f := float64(s) / 4000
			px := (float64(a.X) + f*float64(b.X-a.X)) / 1000 * float64(w)
			py := (float64(a.Y) + f*float64(b.Y-a.Y)) / 1000 * float64(h)
			if px > float64(8*x)-0.5 && px < float64(8*x+8)+0.5 && py > float64(8*y)-0.5 && py < float64(8*y+8)+0.5 {
				return true
			}
		}
	}
	return false
}

// A mask that ends between two blocks takes nothing from the second.
func TestCoverEndsWithTheBlock(t *testing.T) {
	c := Masks{Rectangle(0, 0, 500, 500)}.Cover(160, 160)
	for y := range 20 {
		for x := range 20 {
			if c.Has(x, y) != (x < 10 && y < 10) {
				t.Fatalf("block %d,%d: hidden %v", x, y, c.Has(x, y))
			}
		}
	}
	all := Masks{Rectangle(0, 0, 1000, 1000)}.Cover(1919, 1079)
	bw, bh := all.Size()
	for i := range bw * bh {
		if !all.Has(i%bw, i/bw) {
			t.Fatalf("of a whole picture block %d,%d is not hidden", i%bw, i/bw)
		}
	}
}

func TestMasksValidate(t *testing.T) {
	for name, m := range map[string]Masks{
		"two corners":  {{{0, 0}, {10, 10}}},
		"outside":      {Rectangle(900, 0, 200, 10)},
		"below zero":   {Rectangle(-1, 0, 200, 10)},
		"no area":      {Rectangle(100, 100, 0, 500)},
		"a line":       {{{0, 0}, {500, 500}, {1000, 1000}}},
		"too many":     make(Masks, MaxMasks+1),
		"many corners": {make(Mask, MaxCorners+1)},
	} {
		if m.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (Masks{Rectangle(0, 0, 1000, 1000), {{X: 0, Y: 0}, {X: 500}, {Y: 1}}}).Validate(); err != nil {
		t.Error(err)
	}
}

// The hash is of the text that its comment describes.
func TestMasksHash(t *testing.T) {
	if h := (Masks{}).Hash(); h != nil {
		t.Errorf("no masks: %x", h)
	}
	a, b := Masks{Rectangle(0, 0, 10, 10)}, Masks{Rectangle(0, 0, 10, 11)}
	if len(a.Hash()) != 32 || string(a.Hash()) == string(b.Hash()) || string(a.Hash()) != string(Masks{Rectangle(0, 0, 10, 10)}.Hash()) {
		t.Errorf("%x, %x", a.Hash(), b.Hash())
	}
}
