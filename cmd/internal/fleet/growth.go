package fleet

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Sizes are the fleets that lead up to one of n cameras, each ten times the one
// before, from 100 on.
func Sizes(n int) (all []int) {
	for size := 100; size < n; size *= 10 {
		all = append(all, size)
	}
	return append(all, n)
}

// Reports are those of fleets that grow. The last is the one that was asked for.
type Reports []*Report

// Passed says whether every fleet has.
func (all Reports) Passed() bool {
	for _, r := range all {
		if !r.Passed() {
			return false
		}
	}
	return len(all) > 0
}

// WriteTable writes the last report for people, and how costs grow up to it.
func (all Reports) WriteTable(out io.Writer) error {
	if len(all) == 0 {
		return nil
	}
	if err := all[len(all)-1].WriteTable(out); err != nil || len(all) == 1 {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\ncost of one camera, of\tmemory there\tin use\tat the broker\tin use\tprocessor a day there\tat the broker\tlost\twrong\t\n")
	for _, r := range all {
		n := int64(r.Cameras)
		day := float64(r.Day) / float64(max(r.Ran, 1)) / float64(n)
		cpu := func(s Side) time.Duration { return time.Duration(float64(s.CPU) * day).Round(10 * time.Microsecond) }
		used := func(m Memory) string { return size(uint64((m.Heap + m.Stacks) / n)) }
		held := func(m Memory) string { return size(uint64(m.Resident / n)) }
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%v\t%v\t%d\t%d\t\n", n, held(r.Idle.Cameras), used(r.Idle.Cameras), held(r.Idle.Broker), used(r.Idle.Broker),
			cpu(r.CameraSide), cpu(r.BrokerSide), r.Lost, r.Wrong)
	}
	return w.Flush()
}

// WriteJSON writes the last report for programs, with the smaller ones in it.
func (all Reports) WriteJSON(w io.Writer) error {
	if len(all) == 0 {
		return nil
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		*Report
		Growth Reports `json:"growth,omitempty"`
	}{all[len(all)-1], all[:len(all)-1]})
}
