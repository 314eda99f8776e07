package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// series is how many connections the broker took, over time. Its statistics come
// when the machine has time for them, with the moment when they were true: rates
// are of those moments, so that a busy judge does not see storms that were none.
type series struct {
	points  []point
	base    uint64 // of connections at earlier brokers
	offset  time.Duration
	lastCPU time.Duration // of the broker that runs
	last    sideStats
}

type point struct {
	at       time.Duration // since the broker was ready, on the line of all brokers
	admitted uint64
}

// add takes down statistics that were heard at now, if they are news.
func (s *series) add(now time.Duration, b sideStats) {
	if b.At == 0 || b.At == s.last.At {
		return
	}
	if s.last.At == 0 {
		s.offset = now - b.At
		s.points = append(s.points, point{s.offset, s.base})
	}
	s.last = b
	s.lastCPU = b.CPU
	s.points = append(s.points, point{s.offset + b.At, s.base + b.Admitted})
}

// restart says that this broker is gone.
func (s *series) restart() {
	s.base += s.last.Admitted
	s.last = sideStats{}
}

// rate is that of the newest second.
func (s *series) rate() int {
	n := len(s.points)
	if n < 2 {
		return 0
	}
	return perSecond(s.points[n-2], s.points[n-1])
}

func perSecond(a, b point) int {
	d := b.at - a.at
	if d < 100*time.Millisecond {
		return 0
	}
	return int(float64(b.admitted-a.admitted)/d.Seconds() + 0.5)
}

// rates returns the rate of each second from the point number from on.
func (s *series) rates(from int) (all []int) {
	for i := max(from, 1); i < len(s.points); i++ {
		a, b := s.points[i-1], s.points[i]
		r := perSecond(a, b)
		for range max(1, int((b.at-a.at+time.Second/2)/time.Second)) {
			all = append(all, r)
		}
	}
	return all
}

// bars draws eighths of a row.
const bars = " ▁▂▃▄▅▆▇█"

// chart draws rates as columns, with the bound as the top of the scale, if they
// stay below it. Columns stand for as many seconds as fit into 72.
func chart(rates []int, bound int) string {
	const wide, high = 72, 6
	if len(rates) == 0 {
		return ""
	}
	each := (len(rates) + wide - 1) / wide
	var columns []int
	for c := range slices.Chunk(rates, each) {
		columns = append(columns, slices.Max(c))
	}
	top := max(bound, slices.Max(columns), 1)
	var b strings.Builder
	for row := high - 1; row >= 0; row-- {
		label := ""
		switch row {
		case high - 1:
			label = fmt.Sprint(top)
		case 0:
			label = "0"
		}
		fmt.Fprintf(&b, "%6s |", label)
		for _, c := range columns {
			eighths := c*high*8/top - row*8
			b.WriteRune([]rune(bars)[min(max(eighths, 0), 8)])
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%6s +%s %d s, bound %d a second\n", "", strings.Repeat("-", len(columns)), len(rates), bound)
	return b.String()
}

func sorted[N any](m map[string]N) []string { return slices.Sorted(maps.Keys(m)) }
