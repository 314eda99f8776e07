// Package exposition writes figures in Prometheus' text exposition format 0.0.4.
// Names and units are the caller's to choose by its conventions: base units, _total
// for what only rises, and starts again at 0 with the program.
// Source: prometheus.io/docs/instrumenting/exposition_formats.
//
// What this package does not do: it counts nothing but what a Histogram is told,
// serves nothing, and parses nothing.
package exposition

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MaxKinds bounds how many values a label may have. All come from a fixed set; the
// bound is for the case that one day they do not.
const MaxKinds = 24

// Truth is 1 for true.
func Truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Text is an exposition that is being written. Each family has its samples
// together, and its name once. The zero value is empty.
type Text struct{ bytes.Buffer }

var (
	helpText  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// Legible is s as a label may have it: the format is UTF-8.
func Legible(s string) string { return strings.ToValidUTF8(s, "?") }

// Family begins a family: its name, its kind ("gauge", "counter", "histogram") and
// what it tells.
func (e *Text) Family(name, kind, help string) {
	e.WriteString("# HELP " + name + " " + helpText.Replace(help) + "\n# TYPE " + name + " " + kind + "\n")
}

// Sample writes a value with its labels, name and value in turn; a label without
// a value is left out, which is the same.
func (e *Text) Sample(name string, value float64, labels ...string) {
	e.WriteString(name)
	sep := byte('{')
	for i := 0; i+1 < len(labels); i += 2 {
		if labels[i+1] == "" {
			continue
		}
		e.WriteByte(sep)
		e.WriteString(labels[i] + `="` + labelText.Replace(Legible(labels[i+1])) + `"`)
		sep = ','
	}
	if sep == ',' {
		e.WriteByte('}')
	}
	e.WriteString(" " + strconv.FormatFloat(value, 'f', -1, 64) + "\n")
}

// Gauge writes a family of one value that rises and falls.
func (e *Text) Gauge(name, help string, value float64, labels ...string) {
	e.Family(name, "gauge", help)
	e.Sample(name, value, labels...)
}

// Counter writes a family of one value that only rises.
func (e *Text) Counter(name, help string, value float64) {
	e.Family(name, "counter", help)
	e.Sample(name, value)
}

// Kinds writes what is counted by kind. What is beyond the bound is "other".
func (e *Text) Kinds(name, help, label string, by map[string]uint64) {
	if len(by) == 0 {
		return
	}
	e.Family(name, "counter", help)
	told := make(map[string]uint64, len(by))
	for k, n := range by {
		told[Legible(k)] += n
	}
	var other uint64
	for i, k := range slices.Sorted(maps.Keys(told)) {
		if i >= MaxKinds || k == "" || k == "other" {
			other += told[k]
			continue
		}
		e.Sample(name, float64(told[k]), label, k)
	}
	if other > 0 {
		e.Sample(name, float64(other), label, "other")
	}
}
