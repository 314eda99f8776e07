package model

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLabels bounds the file of a model's labels.
const maxLabels = 256 << 10

// ParseLabels reads names of classes, one a line. An empty line, or ???, stands
// for a class that is never told. The same name on several lines makes one thing
// of several classes: write "vehicle" for car and for bus.
func ParseLabels(text []byte) ([]string, error) {
	if len(text) > maxLabels {
		return nil, fmt.Errorf("labels of %d bytes, at most %d", len(text), maxLabels)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("labels that are not UTF-8 text")
	}
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if l == "???" {
			l = ""
		}
		if len(l) > maxName {
			return nil, fmt.Errorf("line %d: a label of %d bytes, at most %d", i+1, len(l), maxName)
		}
		for _, r := range l {
			if !unicode.IsPrint(r) || r == '=' {
				return nil, fmt.Errorf("line %d: a label with the character %q, which no label may have", i+1, r)
			}
		}
		lines[i] = l
	}
	return lines, nil
}

// packedLabels returns the labels that a file brings along: a zip archive at its
// end, with a text file in it, as TensorFlow Lite's metadata tools write it. They
// are a convenience; what cannot be read is as if it were not there.
func packedLabels(file []byte) []string {
	tail := file[max(0, len(file)-4*maxLabels):] // bounds the archive's directory
	r, err := zip.NewReader(bytes.NewReader(tail), int64(len(tail)))
	if err != nil || len(r.File) > 16 {
		return nil
	}
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, ".txt") || f.UncompressedSize64 > maxLabels {
			continue
		}
		in, err := f.Open()
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(in, maxLabels+1))
		if err != nil || in.Close() != nil {
			continue
		}
		if labels, err := ParseLabels(text); err == nil {
			return labels
		}
	}
	return nil
}
