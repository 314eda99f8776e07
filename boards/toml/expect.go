package toml

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// dotted writes a key's path as TOML does, quoting the parts that need it.
func dotted(key []string) string {
	parts := make([]string, len(key))
	for i, p := range key {
		parts[i] = p
		if p == "" || strings.TrimLeft(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			parts[i] = strconv.Quote(p)
		}
	}
	return strings.Join(parts, ".")
}

// expected says in words what the field at key takes, "" when there is none.
func expected(v any, key []string) string {
	t := fieldAt(reflect.TypeOf(v), key)
	if t == nil || len(key) == 0 {
		return ""
	}
	return describe(t)
}

// fieldAt follows key into t through pointers, lists and tables.
func fieldAt(t reflect.Type, key []string) reflect.Type {
	for _, part := range key {
		switch t = inner(t); t.Kind() {
		case reflect.Interface:
			return t
		case reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			if t = field(t, part); t == nil {
				return nil
			}
		default:
			return nil
		}
	}
	return t
}

// field returns the type of a struct's key, nil when it has none. The reader
// takes keys in any case, so this does.
func field(t reflect.Type, key string) reflect.Type {
	for name, f := range keysOf(t) {
		if strings.EqualFold(name, key) {
			return f
		}
	}
	return nil
}

// inner removes pointers and lists: a key path names no element.
func inner(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t
}

// keysOf returns the keys a struct takes, with their types.
func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := make(map[string]reflect.Type)
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "" && inner(f.Type).Kind() == reflect.Struct:
			for k, v := range keysOf(inner(f.Type)) {
				keys[k] = v
			}
		case !f.IsExported():
		case name == "":
			keys[f.Name] = f.Type
		default:
			keys[name] = f.Type
		}
	}
	return keys
}

// describe says what a value of type t is written like.
func describe(t reflect.Type) string {
	t = pointed(t)
	switch t {
	case reflect.TypeFor[Duration]():
		return durationForm
	case reflect.TypeFor[ByteSize]():
		return sizeForm
	}
	if quoted(t) {
		return "text in quotes"
	}
	switch t.Kind() {
	case reflect.String:
		return "text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int8, reflect.Int16, reflect.Int32:
		limit := int64(math.MaxInt64) >> (64 - t.Bits())
		return fmt.Sprintf("a whole number from %d to %d", -limit-1, limit)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits()))
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list in [ ] of " + describe(t.Elem())
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	return ""
}

// knownInstead proposes the key that was probably meant, or lists what there is.
func knownInstead(root reflect.Type, key []string) string {
	if len(key) == 0 {
		return ""
	}
	// The unknown part may be any of the path: find the deepest known table.
	t, at := inner(root), 0
	for at < len(key)-1 {
		next := fieldAt(t, key[at:at+1])
		if next == nil {
			break
		}
		t, at = inner(next), at+1
	}
	if t.Kind() != reflect.Struct {
		return ""
	}
	var names []string
	best, bestCost := "", len(key[at])/2+1
	for name := range keysOf(t) {
		names = append(names, name)
		cost := edits(strings.ToLower(key[at]), name)
		if cost < bestCost || cost == bestCost && best != "" && name < best {
			best, bestCost = name, cost
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return knownList(names)
}
