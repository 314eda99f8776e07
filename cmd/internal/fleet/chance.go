package fleet

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// numbers returns random numbers for one thing of a run: the same for the same
// seed and names, whatever else happens.
func numbers(seed uint64, name string, i int) *rand.Rand {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, seed)
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), uint64(i)))
}

// lognormal is 1 in the middle, and 0.6 to 1.6 mostly.
func lognormal(rng *rand.Rand) float64 { return math.Exp(rng.NormFloat64() / 2) }
