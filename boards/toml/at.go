package toml

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// At gives an error about a setting's meaning its place: the line on which data,
// TOML that Decode accepted, sets key. The key is a dotted path; an element of
// a list of tables is written with its index, as in "camera[1].rate". When key is
// not set in data its nearest table is named, and without one no place.
func At(name string, data []byte, key string, err error) *Error {
	e := &Error{File: name, Key: key, Detail: err.Error(), Err: err}
	for at := key; at != ""; {
		if offset, ok := find(data, at); ok {
			e.Line, e.Column = place(data, offset)
			break
		}
		dot := strings.LastIndexByte(at, '.')
		if dot < 0 {
			break
		}
		at = at[:dot]
	}
	return e
}

// find returns the offset at which data sets key, opens the table key, or first
// sets something in it.
func find(data []byte, key string) (int, bool) {
	var p unstable.Parser
	p.Reset(data)
	counts := make(map[string]int) // elements seen per list of tables
	key = strings.ToLower(key)     // as the reader takes keys in any case
	var table string
	for p.NextExpression() {
		expr := p.Expression()
		path, offset := keyPath(expr)
		switch expr.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = indexed(path, counts)
			if expr.Kind == unstable.ArrayTable {
				list := table
				table = fmt.Sprintf("%s[%d]", list, counts[list])
				counts[list]++
			}
			if within(strings.ToLower(table), key) {
				return offset, true
			}
		case unstable.KeyValue:
			full := dotted(path)
			if table != "" {
				full = table + "." + full
			}
			if full = strings.ToLower(full); within(full, key) {
				return offset, true
			}
			if rest, ok := strings.CutPrefix(key, full+"."); ok && expr.Value().Kind == unstable.InlineTable {
				if offset, ok := findInline(expr.Value(), rest); ok {
					return offset, true
				}
			}
		}
	}
	return 0, false
}

// within says whether key is table, or in it.
func within(key, table string) bool {
	return key == table || strings.HasPrefix(key, table+".")
}

// findInline looks for a key in an inline table.
func findInline(table *unstable.Node, key string) (int, bool) {
	children := table.Children()
	for children.Next() {
		path, offset := keyPath(children.Node())
		if strings.ToLower(dotted(path)) == key {
			return offset, true
		}
	}
	return 0, false
}

// keyPath returns the parts of an expression's key and where it starts.
func keyPath(expr *unstable.Node) (path []string, offset int) {
	it := expr.Key()
	for it.Next() {
		if len(path) == 0 {
			offset = int(it.Node().Raw.Offset)
		}
		path = append(path, string(it.Node().Data))
	}
	return path, offset
}

// indexed writes a table header's path with the index of the current element
// after every list of tables that it passes through.
func indexed(path []string, counts map[string]int) string {
	var full string
	for i := range path {
		if i > 0 {
			full += "."
		}
		full += dotted(path[i : i+1])
		if n := counts[full]; n > 0 && i < len(path)-1 {
			full = fmt.Sprintf("%s[%d]", full, n-1)
		}
	}
	return full
}

// Sets says whether data sets key, a dotted path, or something in a table of that
// name, or opens it.
func Sets(data []byte, key string) bool {
	_, ok := find(data, strings.ToLower(key))
	return ok
}
