package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and lists stand in each other. Metadata
// without delegations needs seven.
const maxDepth = 24

// object is a JSON object, whose values are object, []any, string, int64, bool
// or nil.
type object map[string]any

// parseJSON reads one JSON object. It is stricter than encoding/json, so that
// all readers see the same thing in the same bytes: no name stands twice in an
// object, numbers are whole, text is UTF-8, and nothing follows.
func parseJSON(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("text is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Number:
		n, err := strconv.ParseInt(t.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40s is not a whole number of 64 bits", t)
		}
		return n, nil
	case json.Delim:
		if depth == maxDepth {
			return nil, fmt.Errorf("more than %d levels deep", maxDepth)
		}
		if t == '[' {
			return parseList(d, depth+1)
		}
		return parseObject(d, depth+1)
	}
	return token, nil // string, bool, nil
}

func parseList(d *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for d.More() {
		v, err := parseValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func parseObject(d *json.Decoder, depth int) (object, error) {
	o := object{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string) // the decoder takes nothing else here
		if _, twice := o[name]; twice {
			return nil, fmt.Errorf("%.40q stands twice in one object", name)
		}
		if o[name], err = parseValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return o, err
}

// canonical appends v to b in canonical JSON, which is what signatures are made
// over: names in order, no white space, and only the quotation mark and the
// backslash escaped (http://wiki.laptop.org/go/Canonical_JSON).
func canonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(quoted(b, name), ':')
			b = canonical(b, v[name])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = canonical(b, e)
		}
		return append(b, ']')
	case string:
		return quoted(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case bool:
		return strconv.AppendBool(b, v)
	}
	return append(b, "null"...)
}

func quoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// field returns what stands in o under name, which must be there and a T.
func field[T any](o object, name string) (T, error) {
	v, ok := o[name].(T)
	if !ok {
		return v, fmt.Errorf("%q is missing or of the wrong type", name)
	}
	return v, nil
}

// optional is field for what may be missing: then it returns the zero T.
func optional[T any](o object, name string) (T, error) {
	if _, ok := o[name]; !ok {
		var none T
		return none, nil
	}
	return field[T](o, name)
}

// texts returns the list of strings in o under name.
func texts(o object, name string) ([]string, error) {
	list, err := field[[]any](o, name)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%q is not a list of strings", name)
		}
		out[i] = s
	}
	return out, nil
}
