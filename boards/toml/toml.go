// Package toml reads settings files strictly: what is not understood is refused
// with file, line, column, the key's path, and what was expected there.
//
// Beside plain Go fields it knows two values that settings are full of:
// Duration ("5s") and ByteSize ("512 MiB"). Both are written in quotes with
// their unit, so that no bare number can be read in the wrong one.
//
// What this package does not do: it knows no setting by name, fills in no
// default (decode into a struct that already holds them), checks no meaning
// (the package that owns a Config validates it, At then finds the line), and
// writes no TOML.
package toml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	gotoml "github.com/pelletier/go-toml/v2"
)

// MaxSize bounds a settings file, in bytes. The shipped one, every key
// commented, needs a tenth of it.
const MaxSize = 256 << 10

// maxReported bounds how many unknown keys one error lists.
const maxReported = 8

// Error says what is wrong in one place of a file.
type Error struct {
	File   string // as the caller named it
	Line   int    // counted from 1; 0 when the trouble has no place
	Column int    // counted from 1, in bytes
	Key    string // dotted path of the key; empty for syntax errors outside of any
	Detail string // what is wrong and what was expected
	Err    error  // the cause, may be nil
}

// Error returns one line: file:line:column: key: detail.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Detail)
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Decode reads data, at most MaxSize bytes of TOML, into v, a pointer to a
// struct. Fields that data does not name keep their value. The name stands in
// errors only. The error is an *Error, or several joined (one line each) when
// data holds several unknown keys; after an error v is partly filled and must
// not be used.
func Decode(name string, data []byte, v any) error {
	if len(data) > MaxSize {
		return &Error{File: name, Detail: fmt.Sprintf("too large: at most %d KiB of settings were expected", MaxSize>>10)}
	}
	if err := check(name, data, v); err != nil {
		return err
	}
	err := gotoml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(v)
	if err == nil {
		return nil
	}
	var bad *gotoml.DecodeError
	if errors.As(err, &bad) {
		return badValue(name, data, bad, v)
	}
	return &Error{File: name, Detail: strings.TrimPrefix(err.Error(), "toml: "), Err: err}
}

// DecodeFile reads the file at path, never more than MaxSize bytes of it, and
// decodes it into v as Decode does. It returns the bytes too, for At.
func DecodeFile(path string, v any) ([]byte, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return data, Decode(path, data, v)
}

// ReadFile returns what is in the file at path, never more than MaxSize bytes and
// one, which Decode then refuses.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}

// badValue turns a syntax error, a value of the wrong type, or one that its
// field refused into an error that says what was expected.
func badValue(name string, data []byte, bad *gotoml.DecodeError, v any) error {
	line, column := bad.Position()
	e := &Error{File: name, Line: line, Column: column, Key: dotted(bad.Key()), Err: bad}
	detail := strings.TrimPrefix(bad.Error(), "toml: ")
	e.Detail = detail
	want := expected(v, bad.Key())
	if want == "" {
		return e
	}
	if rest, ok := strings.CutPrefix(detail, "cannot decode TOML "); ok {
		found, _, _ := strings.Cut(rest, " into ")
		e.Detail = fmt.Sprintf("expected %s, found %s", want, article(found))
	} else if strings.Contains(detail, "cannot be stored in") || strings.Contains(detail, "cannot store") {
		e.Detail = fmt.Sprintf("expected %s, found %s", want, excerpt(data, line, column))
	}
	return e
}

// excerpt quotes the value that starts at a place, shortened.
func excerpt(data []byte, line, column int) string {
	for ; line > 1; line-- {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return "another value"
		}
		data = data[i+1:]
	}
	if column < 1 || column > len(data) {
		return "another value"
	}
	text, _, _ := bytes.Cut(data[column-1:], []byte("\n"))
	text, _, _ = bytes.Cut(text, []byte("#"))
	text = bytes.TrimSpace(text)
	if len(text) > 40 {
		text = append(text[:40:40], "..."...)
	}
	return string(text)
}

func article(noun string) string {
	if strings.ContainsAny(noun[:min(1, len(noun))], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}
