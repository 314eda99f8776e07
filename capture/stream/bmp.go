package stream

import (
	"encoding/binary"
	"errors"
	"image"

	"github.com/sealcam/sealcam/capture"
)

var errBMP = errors.New("not a BMP that is read: 8, 24 or 32 bits, uncompressed")

// decodeBMP decodes an uncompressed BMP of 8 (with palette), 24 or 32 bits a
// pixel to grey, into g if that has the right size.
func decodeBMP(b []byte, g *image.Gray) (*image.Gray, error) {
	if len(b) < 54 || string(b[:2]) != "BM" {
		return nil, errBMP
	}
	u32 := binary.LittleEndian.Uint32
	data, head := int64(u32(b[10:])), int64(u32(b[14:]))
	w, h := int64(int32(u32(b[18:]))), int64(int32(u32(b[22:])))
	bits, compression := int64(binary.LittleEndian.Uint16(b[28:])), u32(b[30:])
	upward := h > 0 // rows are stored from the lowest, unless the height is negative
	if !upward {
		h = -h
	}
	if w < 1 || h < 1 || compression != 0 || bits != 8 && bits != 24 && bits != 32 {
		return nil, errBMP
	}
	if w*h > capture.MaxPixels {
		return nil, errTooLarge
	}
	stride := (w*bits/8 + 3) / 4 * 4
	if data < 54 || data+stride*h > int64(len(b)) {
		return nil, errBMP
	}
	var palette [256]uint8
	if bits == 8 {
		readPalette(b, 14+head, data, &palette)
	}
	g = sized(g, int(w), int(h))
	for y := range h {
		row := b[data+y*stride:][:stride]
		out := y
		if upward {
			out = h - 1 - y
		}
		greyRow(g.Pix[out*int64(g.Stride):][:w], row, int(bits/8), &palette)
	}
	return g, nil
}

// readPalette reads what lies between the headers and the pixels.
func readPalette(b []byte, from, to int64, p *[256]uint8) {
	for i := range int64(256) {
		if at := from + 4*i; at+4 <= to && at+4 <= int64(len(b)) {
			p[i] = grey(b[at:])
		}
	}
}

// greyRow turns one row of 1, 3 or 4 bytes a pixel into grey.
func greyRow(dst []uint8, row []byte, bytes int, p *[256]uint8) {
	for x := range dst {
		if bytes == 1 {
			dst[x] = p[row[x]]
		} else {
			dst[x] = grey(row[x*bytes:])
		}
	}
}

// grey is the brightness of a blue, green, red triple, as image/color has it.
func grey(bgr []byte) uint8 {
	r, g, b := uint32(bgr[2])*0x101, uint32(bgr[1])*0x101, uint32(bgr[0])*0x101
	return uint8((19595*r + 38470*g + 7471*b + 1<<15) >> 24)
}
