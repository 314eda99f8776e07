package exposition

import (
	"slices"
	"strconv"
	"sync"
)

// Histogram counts how often something was how large. It is safe for concurrent
// use.
type Histogram struct {
	bounds []float64

	mu     sync.Mutex
	counts []uint64 // one more than bounds
	sum    float64
}

// NewHistogram returns a Histogram with the upper bounds of its buckets, rising.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[i]++
	h.sum += v
}

// Histogram writes the samples of h; its Family has been begun.
func (e *Text) Histogram(name string, h *Histogram, labels ...string) {
	h.mu.Lock()
	counts, sum := slices.Clone(h.counts), h.sum
	h.mu.Unlock()
	var all uint64
	for i, n := range counts {
		all += n
		le := "+Inf"
		if i < len(h.bounds) {
			le = strconv.FormatFloat(h.bounds[i], 'g', -1, 64)
		}
		e.Sample(name+"_bucket", float64(all), append(slices.Clone(labels), "le", le)...)
	}
	e.Sample(name+"_sum", sum, labels...)
	e.Sample(name+"_count", float64(all), labels...)
}
