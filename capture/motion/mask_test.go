package motion

import (
	"math/rand/v2"
	"testing"
)

// randomMask sets each pixel with the given chance, and returns it also as a plain slice.
func randomMask(rng *rand.Rand, w, h int, chance float64) (mask, []bool) {
	var m mask
	m.resize(w, h)
	plain := make([]bool, w*h)
	for i := range plain {
		if rng.Float64() < chance {
			plain[i] = true
			m.fill(i%w, i/w, i%w+1, i/w+1)
		}
	}
	return m, plain
}

func TestDespeckleByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w, h, least := 1+rng.IntN(200), 1+rng.IntN(12), 1+rng.IntN(4)
		m, plain := randomMask(rng, w, h, rng.Float64()*0.6)
		at := func(p []bool, x, y int) bool { return x >= 0 && y >= 0 && x < w && y < h && p[y*w+x] }
		around := func(p []bool, x, y int) (n int) {
			for i := range 9 {
				if at(p, x+i%3-1, y+i/3-1) {
					n++
				}
			}
			return n
		}
		dense := make([]bool, w*h)
		for i, set := range plain {
			dense[i] = set && around(plain, i%w, i/w) >= least
		}
		var out, spare mask
		out.resize(w, h)
		spare.resize(w, h)
		m.despeckle(out, spare, least)
		for i, set := range plain {
			if want := set && around(dense, i%w, i/w) > 0; out.at(i%w, i/w) != want {
				t.Fatalf("%dx%d least %d: pixel %d,%d is %v, want %v", w, h, least, i%w, i/w, !want, want)
			}
		}
	}
}

func TestBlobsAreTheConnectedShapes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		w, h := 1+rng.IntN(150), 1+rng.IntN(20)
		m, plain := randomMask(rng, w, h, 0.05+0.3*rng.Float64())
		var want []blob
		var flood func(x, y int, b *blob)
		flood = func(x, y int, b *blob) {
			if x < 0 || y < 0 || x >= w || y >= h || !plain[y*w+x] {
				return
			}
			plain[y*w+x] = false
			b.add(&blob{x0: x, y0: y, x1: x + 1, y1: y + 1, area: 1, sx: x, sy: y})
			for i := range 9 {
				flood(x+i%3-1, y+i/3-1, b)
			}
		}
		for i := range plain {
			if plain[i] {
				b := blob{x0: w, y0: h, mine: -1}
				flood(i%w, i/w, &b)
				want = append(want, b)
			}
		}
		var found blobs
		found.resize(w, h)
		found.find(m)
		if len(found.list) != min(len(want), maxBlobs) {
			t.Fatalf("%dx%d: %d shapes, want %d", w, h, len(found.list), len(want))
		}
		for i, b := range found.list {
			if b != want[i] {
				t.Fatalf("%dx%d: shape %d is %+v, want %+v", w, h, i, b, want[i])
			}
		}
	}
}

func TestTooManyShapesAreBounded(t *testing.T) {
	var m mask
	m.resize(320, 240)
	for i := range m.bits {
		m.bits[i] = 0x5555555555555555
	}
	var found blobs
	found.resize(320, 240)
	found.find(m)
	found.join()
	if len(found.list) > maxBlobs || len(found.runs) > maxRuns {
		t.Errorf("%d shapes of %d runs", len(found.list), len(found.runs))
	}
}
