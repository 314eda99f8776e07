package toml

import (
	"bytes"
	"errors"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Bounds of how much of a newer file is passed over: keys, and how often it is read
// for that. Several unknown keys are found at a time, values that make no sense one.
const (
	maxPassed = 128
	maxRounds = 24
)

// DecodeNewer reads data that was written for a newer program: what this one does
// not know, or cannot make sense of, is passed over as if it did not stand there, and
// returned as passed, in the order in which it was found. fresh returns the value to
// decode into, with its defaults; check says what is wrong with what was decoded, as
// At does. A list element or a table that makes no sense without what was passed over is
// passed over as a whole. The error is what nothing can be passed over for: data that
// is no TOML, or too much.
func DecodeNewer[T any](name string, data []byte, fresh func() T, check func(T, []byte) error) (v T, passed []*Error, err error) {
	data = bytes.Clone(data)
	for round := 1; ; round++ {
		v = fresh()
		if err = Decode(name, data, &v); err == nil {
			err = check(v, data)
		}
		if err == nil {
			return v, passed, nil
		}
		before := len(passed)
		for _, e := range places(err) {
			if len(passed) < maxPassed && e.Key != "" && blank(data, e.Line) {
				passed = append(passed, e)
			}
		}
		if len(passed) == before || round == maxRounds {
			return v, passed, err
		}
	}
}

// places returns the errors with a place that err holds.
func places(err error) (all []*Error) {
	var one *Error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			all = append(all, places(e)...)
		}
	} else if errors.As(err, &one) && one.Line > 0 {
		all = append(all, one)
	}
	return all
}

// blank takes out of data the expression that stands on a line, a table with all
// that is in it, and leaves empty lines so that others keep their places. It reports
// whether there was something.
func blank(data []byte, line int) bool {
	var at int // where the line begins
	for range line - 1 {
		at += bytes.IndexByte(data[at:], '\n') + 1
	}
	from, to, table, found := 0, len(data), false, false
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		expr := p.Expression()
		_, offset := keyPath(expr)
		start := bytes.LastIndexByte(data[:offset], '\n') + 1 // an expression has its lines for itself
		header := expr.Kind != unstable.KeyValue
		if start <= at {
			from, table, found = start, header, true
		} else if header || !table {
			to = start
			break
		}
	}
	if !found {
		return false
	}
	gone := false
	for i, b := range data[from:to] {
		if b != '\n' && b != '\r' {
			gone = gone || b != ' '
			data[from+i] = ' '
		}
	}
	return gone
}
