// Package qr draws codes for a lens: on a terminal, and as PNG.
//
// What this package does not do: it reads no codes (cmd/internal/lens), and
// does not know what is in them. It is the one package that imports rsc.io/qr.
package qr

import (
	"fmt"
	"io"
	"strings"

	"rsc.io/qr"
	"rsc.io/qr/coding"
)

// quiet is how many light modules stand around a code (ISO/IEC 18004, 5.3.8).
const quiet = 4

// MaxVersion is the largest code that a 640x480 camera reads from a telephone.
const MaxVersion coding.Version = 15

// Code is a drawn code.
type Code struct {
	code    *qr.Code
	penalty int
}

// Encode draws text, of capitals, digits and the signs of QR's alphanumeric
// mode, which makes the smallest codes. It takes error correction of level M,
// which forgives 15 %, and level L, which forgives 7 %, where only that keeps
// the modules large enough to be read.
func Encode(text string) (*Code, error) {
	if err := coding.Alpha(text).Check(); err != nil {
		return nil, err
	}
	for _, level := range []coding.Level{coding.M, coding.L} {
		for v := coding.Version(coding.MinVersion); v <= MaxVersion; v++ {
			if coding.Alpha(text).Bits(v) <= v.DataBytes(level)*8 {
				return draw(text, v, level)
			}
		}
	}
	return nil, fmt.Errorf("%d characters are too many for a code that a camera can read", len(text))
}

// draw tries every mask, and keeps the one that is easiest to read. rsc.io/qr
// on its own takes the first.
func draw(text string, v coding.Version, level coding.Level) (*Code, error) {
	var best *Code
	for mask := range coding.Mask(8) {
		plan, err := coding.NewPlan(v, level, mask)
		if err != nil {
			return nil, err
		}
		c, err := plan.Encode(coding.Alpha(text))
		if err != nil {
			return nil, err
		}
		next := &Code{code: &qr.Code{Bitmap: c.Bitmap, Size: c.Size, Stride: c.Stride, Scale: 8}}
		if next.penalty = penalty(next); best == nil || next.penalty < best.penalty {
			best = next
		}
	}
	return best, nil
}

// Modules returns all modules row by row, without the margin: '1' for dark, '0'
// for light.
func (c *Code) Modules() string {
	b := make([]byte, 0, c.Size()*c.Size())
	for y := range c.Size() {
		for x := range c.Size() {
			m := byte('0')
			if c.Dark(x, y) {
				m = '1'
			}
			b = append(b, m)
		}
	}
	return string(b)
}

// Size returns how many modules a side has, without the light margin.
func (c *Code) Size() int { return c.code.Size }

// Dark reports whether the module at x, y is dark. Outside it is not.
func (c *Code) Dark(x, y int) bool { return c.code.Black(x, y) }

// PNG returns the code as a picture with its margin, 8 pixels to a module.
func (c *Code) PNG() []byte { return c.code.PNG() }

// Terminal draws the code with half blocks, two modules to a character, its
// margin included. It is dark on light whatever the terminal's colours are,
// where the terminal knows colours; without, it takes a dark background for
// granted.
func (c *Code) Terminal(w io.Writer, colour bool) error {
	before, after := "", "\n"
	if colour {
		before, after = "\x1b[38;2;255;255;255;48;2;0;0;0m", "\x1b[0m\n"
	}
	var b strings.Builder
	for y := -quiet; y < c.Size()+quiet; y += 2 {
		b.WriteString(before)
		for x := -quiet; x < c.Size()+quiet; x++ {
			// A block is ink in the foreground's colour, which is the light one.
			upper, lower := !c.Dark(x, y), !c.Dark(x, y+1) && y+1 < c.Size()+quiet
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString(after)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
