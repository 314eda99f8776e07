package exposition

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	var e Text
	e.Gauge("a", "line\nbreak", 0.5, "x", "quo\"te", "none", "")
	e.Kinds("b_total", "By kind.", "kind", map[string]uint64{"y": 2, "x": 1, "": 4, "\xff": 3})
	e.Kinds("none_total", "Nothing.", "kind", nil)
	h := NewHistogram(0.1, 1)
	for _, v := range []float64{0.05, 0.1, 0.5, 7} {
		h.Observe(v)
	}
	e.Family("c", "histogram", "Sizes.")
	e.Histogram("c", h, "of", "z")
	want := `# HELP a line\nbreak
# TYPE a gauge
a{x="quo\"te"} 0.5
# HELP b_total By kind.
# TYPE b_total counter
b_total{kind="?"} 3
b_total{kind="x"} 1
b_total{kind="y"} 2
b_total{kind="other"} 4
# HELP c Sizes.
# TYPE c histogram
c_bucket{of="z",le="0.1"} 2
c_bucket{of="z",le="1"} 3
c_bucket{of="z",le="+Inf"} 4
c_sum{of="z"} 7.65
c_count{of="z"} 4
`
	if got := e.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// However many kinds there are, a scrape stays short and no count is lost.
func TestKindsAreBounded(t *testing.T) {
	by := map[string]uint64{}
	for i := range 3 * MaxKinds {
		by[strings.Repeat("k", i+1)] = 1
	}
	var e Text
	e.Kinds("a_total", "", "kind", by)
	if n := strings.Count(e.String(), "\na_total{"); n != MaxKinds+1 {
		t.Errorf("%d samples", n)
	}
	if !strings.Contains(e.String(), `{kind="other"} 48`) {
		t.Error("the rest is not counted")
	}
}
