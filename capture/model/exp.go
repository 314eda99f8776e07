package model

import "math"

// exp returns e^x. That of the standard library has a version of its own for some
// processors, which need not agree in the last digit; this one rounds after every
// step, and is the same everywhere.
func exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709:
		return math.Inf(1)
	case x < -745:
		return 0
	}
	k := math.Floor(x/math.Ln2 + 0.5)
	// ln 2 in two parts, the first with so many zeros at its end that k times it is exact.
	const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	r := float64(x-float64(k*high)) - float64(k*low)
	// The series of e^r, |r| <= 0.35, from its last term: 0.35^14/14! < 2^-57.
	sum := 1.0
	for n := 14.0; n > 0; n-- {
		sum = 1 + float64(sum*r)/n
	}
	return math.Ldexp(sum, int(k))
}
