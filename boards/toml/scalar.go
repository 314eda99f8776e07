package toml

import (
	"bytes"
	"encoding"
	"reflect"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// checkScalars refuses what the decoder below us lets through or reports
// without a place: a bare number or boolean where a value in quotes belongs
// (it is handed to UnmarshalText as if it were quoted), and inf or nan, which
// no setting means and every later comparison would mistake. It leaves syntax
// errors to the decoder.
func checkScalars(name string, data []byte, v any) error {
	var p unstable.Parser
	p.Reset(data)
	var table []string
	for p.NextExpression() {
		expr := p.Expression()
		path, _ := keyPath(expr)
		if expr.Kind != unstable.KeyValue {
			table = path
			continue
		}
		key := append(table[:len(table):len(table)], path...)
		if e := checkValue(key, fieldAt(reflect.TypeOf(v), key), expr.Value()); e != nil {
			e.File = name
			before := data[:e.Column]
			e.Line, e.Column = bytes.Count(before, []byte("\n"))+1, e.Column-bytes.LastIndexByte(before, '\n')
			return e
		}
	}
	return nil
}

// checkValue checks one value of the type t, which is nil for an unknown key.
// The Column of its error is an offset into the document.
func checkValue(key []string, t reflect.Type, value *unstable.Node) *Error {
	if t == nil {
		return nil
	}
	switch value.Kind {
	case unstable.Array:
		if t = pointed(t); t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return nil
		}
		for it := value.Children(); it.Next(); {
			if e := checkValue(key, t.Elem(), it.Node()); e != nil {
				return e
			}
		}
	case unstable.InlineTable:
		for it := value.Children(); it.Next(); {
			path, _ := keyPath(it.Node())
			if e := checkValue(append(key[:len(key):len(key)], path...), fieldAt(t, path), it.Node().Value()); e != nil {
				return e
			}
		}
	case unstable.Integer, unstable.Float, unstable.Bool:
		found := ""
		if t = pointed(t); quoted(t) {
			found = article(map[unstable.Kind]string{unstable.Integer: "integer", unstable.Float: "float", unstable.Bool: "boolean"}[value.Kind])
		} else if value.Kind == unstable.Float && bytes.ContainsAny(value.Data, "in") {
			found = string(value.Data)
		}
		if found != "" {
			return &Error{Column: int(value.Raw.Offset), Key: dotted(key), Detail: "expected " + describe(t) + ", found " + found}
		}
	}
	return nil
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
