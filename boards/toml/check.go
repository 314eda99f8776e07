package toml

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// checker walks a document beside the type it is to be decoded into. It finds
// what the decoder below us lets through, reports without a place, or reports
// in quadratic time: unknown keys (tens of thousands of them cost it half a
// minute), a bare number or boolean where a value in quotes belongs (it is
// handed to UnmarshalText as if it were quoted), and inf or nan, which no
// setting means and every later comparison would mistake. Syntax errors and
// all else are left to the decoder.
type checker struct {
	name    string
	data    []byte
	root    reflect.Type
	unknown []error // at most maxReported
	more    int     // unknown keys beyond those
	value   *Error  // the first bad value
}

func check(name string, data []byte, v any) error {
	c := checker{name: name, data: data, root: reflect.TypeOf(v)}
	var p unstable.Parser
	p.Reset(data)
	var table []string
	skip := false // inside an unknown table: its header was reported
	for p.NextExpression() && c.value == nil {
		expr := p.Expression()
		path, offset := keyPath(expr)
		if expr.Kind != unstable.KeyValue {
			table, skip = path, fieldAt(c.root, path) == nil
			if skip {
				c.addUnknown(path, offset)
			}
		} else if !skip {
			c.keyValue(table, expr)
		}
	}
	if c.more > 0 {
		c.unknown = append(c.unknown, &Error{File: name, Detail: fmt.Sprintf("and %d more unknown keys", c.more)})
	}
	if len(c.unknown) > 0 {
		return errors.Join(c.unknown...)
	}
	if c.value != nil {
		return c.value
	}
	return nil
}

// keyValue checks one "key = value" of a table.
func (c *checker) keyValue(table []string, expr *unstable.Node) {
	path, offset := keyPath(expr)
	key := append(table[:len(table):len(table)], path...)
	t := fieldAt(c.root, key)
	if t == nil {
		c.addUnknown(key, offset)
		return
	}
	c.checkValue(key, t, expr.Value())
}

// checkValue checks a value that goes into t.
func (c *checker) checkValue(key []string, t reflect.Type, value *unstable.Node) {
	t = pointed(t)
	switch value.Kind {
	case unstable.Array:
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			for it := value.Children(); it.Next(); {
				c.checkValue(key, t.Elem(), it.Node())
			}
		}
	case unstable.InlineTable:
		if t.Kind() == reflect.Struct || t.Kind() == reflect.Map {
			for it := value.Children(); it.Next(); {
				c.keyValue(key, it.Node())
			}
		}
	case unstable.Integer, unstable.Float, unstable.Bool:
		found := ""
		if quoted(t) {
			found = nounOf(value.Kind)
		} else if value.Kind == unstable.Float && bytes.ContainsAny(value.Data, "in") {
			found = string(value.Data)
		}
		if found != "" && c.value == nil {
			line, column := place(c.data, int(value.Raw.Offset))
			c.value = &Error{File: c.name, Line: line, Column: column, Key: dotted(key),
				Detail: "expected " + describe(t) + ", found " + found}
		}
	}
}

func (c *checker) addUnknown(key []string, offset int) {
	if len(c.unknown) == maxReported {
		c.more++
		return
	}
	line, column := place(c.data, offset)
	c.unknown = append(c.unknown, &Error{File: c.name, Line: line, Column: column,
		Key: dotted(key), Detail: "unknown key" + knownInstead(c.root, key)})
}

// place turns an offset into line and column, both counted from 1.
func place(data []byte, offset int) (line, column int) {
	before := data[:offset]
	return bytes.Count(before, []byte("\n")) + 1, offset - bytes.LastIndexByte(before, '\n')
}

func nounOf(k unstable.Kind) string {
	switch k {
	case unstable.Integer:
		return "an integer"
	case unstable.Float:
		return "a float"
	}
	return "a boolean"
}

// quoted says whether values of type t are written in quotes only.
func quoted(t reflect.Type) bool {
	return t != reflect.TypeFor[time.Time]() && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
