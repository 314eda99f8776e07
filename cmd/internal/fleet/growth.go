package fleet

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
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
	fmt.Fprintf(w, "\ncost of one camera, of\tmemory there\tin use\tat the broker\tin use\tto connect there\tat the broker\tprocessor a day there\tat the broker\tlost\twrong\t\n")
	for _, r := range all {
		c, b := r.Each[0], r.Each[1]
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t\n", r.Cameras, bytesOf(c.Resident), bytesOf(c.InUse), bytesOf(b.Resident), bytesOf(b.InUse),
			fine(c.Connect), fine(b.Connect), fine(c.CPU), fine(b.CPU), r.Lost, r.Wrong)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "memory of one camera %s as fleets grow\n", map[bool]string{true: "stays or falls", false: "RISES"}[all.Flat()])
	return err
}

// Flat says whether the memory in use for one camera is, on both sides and in every
// fleet, no more than in any smaller one; a twentieth more counts as no more.
func (all Reports) Flat() bool {
	for i, r := range all {
		for side, e := range r.Each {
			for _, before := range all[:i] {
				if least := before.Each[side].InUse; e.InUse > least+least/20 {
					return false
				}
			}
		}
	}
	return true
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
		Flat   *bool   `json:"flat,omitempty"` // Reports.Flat, of fleets that grow
	}{all[len(all)-1], all[:len(all)-1], all.flat()})
}

func (all Reports) flat() *bool {
	if len(all) < 2 {
		return nil
	}
	flat := all.Flat()
	return &flat
}
