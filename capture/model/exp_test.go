package model

import (
	"math"
	"testing"
)

func TestExp(t *testing.T) {
	for x := -740.0; x < 709; x += 0.37 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 4e-16*want+1e-322 {
			t.Fatalf("exp(%g) = %g, want %g", x, got, want)
		}
	}
	if exp(math.Inf(1)) != math.Inf(1) || exp(math.Inf(-1)) != 0 || exp(math.NaN()) == exp(math.NaN()) || exp(0) != 1 {
		t.Error("at the edges")
	}
}
