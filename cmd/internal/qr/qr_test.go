package qr_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/qr"
)

func TestEncode(t *testing.T) {
	for n, max := range map[int]int{100: 6, 320: 11, 600: 15, 758: 15} {
		c, err := qr.Encode(strings.Repeat("A", n))
		if err != nil || (c.Size()-17)/4 > max {
			t.Errorf("%d characters: %v", n, err)
		}
	}
	if _, err := qr.Encode(strings.Repeat("A", 759)); err == nil {
		t.Error("a code that nobody can read")
	}
}

func TestPNG(t *testing.T) {
	c, err := qr.Encode("SEALCAM")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(c.PNG()))
	if err != nil || img.Bounds().Dx() != 8*(c.Size()+8) {
		t.Fatalf("%v, %v", img.Bounds(), err)
	}
	for y := range c.Size() {
		for x := range c.Size() {
			r, _, _, _ := img.At(8*(x+4)+3, 8*(y+4)+3).RGBA()
			if (r == 0) != c.Dark(x, y) {
				t.Fatalf("module %d, %d", x, y)
			}
		}
	}
}

// TestTerminal reads the blocks back.
func TestTerminal(t *testing.T) {
	c, err := qr.Encode("SEALCAM")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Terminal(&b, false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != (c.Size()+8+1)/2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		for j, r := range []rune(line) {
			x, y := j-4, 2*i-4
			upper, lower := r == '█' || r == '▀', r == '█' || r == '▄'
			if upper == c.Dark(x, y) || y+1 < c.Size()+4 && lower == c.Dark(x, y+1) {
				t.Fatalf("module %d, %d: %q", x, y, r)
			}
		}
	}
	var coloured bytes.Buffer
	if err := c.Terminal(&coloured, true); err != nil {
		t.Fatal(err)
	}
	if got := strings.NewReplacer("\x1b[38;2;255;255;255;48;2;0;0;0m", "", "\x1b[0m", "").Replace(coloured.String()); got != b.String() {
		t.Error("colours change the blocks")
	}
}
