package bridge

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Size of a card in pixels, and the room at its sides.
const (
	cardWidth, cardHeight = 960, 540
	cardMargin            = 80
)

// card is drawn where there is no picture to show: in its place, and saying why.
type card struct {
	Refused bool // a picture was refused; else there is none that is fresh
	Title   string
	Text    string
	Detail  string
}

// Colours of a card: calm, and never the only thing that tells.
var (
	cardBack   = color.RGBA{0x1d, 0x23, 0x2b, 0xff}
	cardInk    = color.RGBA{0xf2, 0xf4, 0xf7, 0xff}
	cardFaint  = color.RGBA{0xa3, 0xad, 0xba, 0xff}
	cardAccent = color.RGBA{0xe8, 0xa3, 0x3d, 0xff}
)

// draw returns the card as JPEG, which is what a picture's place expects.
func (c card) draw() []byte {
	img := image.NewRGBA(image.Rect(0, 0, cardWidth, cardHeight))
	draw.Draw(img, img.Bounds(), image.NewUniform(cardBack), image.Point{}, draw.Src)
	shield(img, c.Refused)
	y := 285
	y = c.lines(img, gobold.TTF, 40, cardInk, c.Title, y)
	y = c.lines(img, goregular.TTF, 28, cardInk, c.Text, y+14)
	c.lines(img, goregular.TTF, 22, cardFaint, c.Detail, y+14)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 85}); err != nil {
		panic("bridge: " + err.Error()) // a small picture into memory
	}
	return out.Bytes()
}

// maxLines is how many lines each text of a card may have; labels are as long
// as people make them.
const maxLines = 2

// lines writes text, centred and broken between words, with its first baseline
// at y, and returns the y for what follows.
func (c card) lines(img draw.Image, ttf []byte, size float64, ink color.Color, text string, y int) int {
	face := newFace(ttf, size)
	defer face.Close()
	d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: face}
	for _, line := range wrap(&d, text) {
		d.Dot = fixed.Point26_6{X: (fixed.I(cardWidth) - d.MeasureString(line)) / 2, Y: fixed.I(y)}
		d.DrawString(line)
		y += int(size * 1.3)
	}
	return y
}

// wrap breaks text into lines that fit, at most maxLines.
func wrap(d *font.Drawer, text string) []string {
	const room = cardWidth - 2*cardMargin
	fits := func(s string) bool { return d.MeasureString(s) <= fixed.I(room) }
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		next := strings.TrimSpace(line + " " + word)
		if line != "" && !fits(next) {
			lines = append(lines, line)
			next = word
		}
		for r := []rune(next); !fits(next) && len(r) > 1; r = r[:len(r)-1] {
			next = string(r[:len(r)-1]) + "…"
		}
		line = next
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines[:min(len(lines), maxLines)]
}

func newFace(ttf []byte, size float64) font.Face {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic("bridge: " + err.Error()) // the Go fonts, compiled in
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic("bridge: " + err.Error())
	}
	return face
}

// shield draws the sign of a verdict: with a bar across it where something was
// refused, empty where there is nothing.
func shield(img draw.Image, refused bool) {
	const cx, top, w, h = cardWidth / 2, 90, 56, 130
	outline := func(inset float32, ink color.Color) {
		r := vector.NewRasterizer(cardWidth, cardHeight)
		l, t, rt, b := cx-w+inset, float32(top)+inset, cx+w-inset, float32(top+h)-inset*1.3
		r.MoveTo(cx, t-14+inset/3)
		r.QuadTo(cx+w/2, t+4, rt, t+6)
		r.LineTo(rt, t+h/2-8)
		r.CubeTo(rt, b-26, cx+w/3, b-8, cx, b)
		r.CubeTo(cx-w/3, b-8, l, b-26, l, t+h/2-8)
		r.LineTo(l, t+6)
		r.QuadTo(cx-w/2, t+4, cx, t-14+inset/3)
		r.ClosePath()
		r.Draw(img, img.Bounds(), image.NewUniform(ink), image.Point{})
	}
	ink := cardFaint
	if refused {
		ink = cardAccent
	}
	outline(0, ink)
	outline(8, cardBack)
	if refused {
		bar := image.Rect(cx-30, top+52, cx+30, top+64)
		draw.Draw(img, bar, image.NewUniform(ink), image.Point{}, draw.Over)
	}
}
