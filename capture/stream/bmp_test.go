package stream

import (
	"encoding/binary"
	"errors"
	"image"
	"testing"
)

// bmp encodes m with 8, 24 or 32 bits a pixel; with 8, the palette is grey and
// the pixels are the green channel.
func bmp(m *image.RGBA, bits int, upward bool) []byte {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	stride := (w*bits/8 + 3) / 4 * 4
	head := make([]byte, 54)
	copy(head, "BM")
	if bits == 8 {
		for i := range 256 {
			head = append(head, byte(i), byte(i), byte(i), 0)
		}
	}
	binary.LittleEndian.PutUint32(head[10:], uint32(len(head)))
	binary.LittleEndian.PutUint32(head[14:], 40)
	binary.LittleEndian.PutUint32(head[18:], uint32(w))
	binary.LittleEndian.PutUint32(head[22:], uint32(h))
	if !upward {
		binary.LittleEndian.PutUint32(head[22:], uint32(-h))
	}
	binary.LittleEndian.PutUint16(head[26:], 1)
	binary.LittleEndian.PutUint16(head[28:], uint16(bits))
	for i := range h {
		y := i
		if upward {
			y = h - 1 - i
		}
		row := make([]byte, stride)
		for x := range w {
			c := m.RGBAAt(x, y)
			copy(row[x*bits/8:], []byte{c.B, c.G, c.R, 255}[:max(bits/8, 1)])
			if bits == 8 {
				row[x] = c.G
			}
		}
		head = append(head, row...)
	}
	return head
}

func TestBMP(t *testing.T) {
	m := grid(7, 5)
	want, err := decodeBMP(bmp(m, 24, true), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{bmp(m, 24, false), bmp(m, 32, true), bmp(m, 32, false)} {
		got, err := decodeBMP(b, nil)
		if err != nil || string(got.Pix) != string(want.Pix) {
			t.Errorf("%v: %v", err, got)
		}
	}
	if got, err := decodeBMP(bmp(m, 8, true), want); err != nil || got != want || got.GrayAt(3, 2).Y != 20 {
		t.Errorf("palette: %v %v", err, got)
	}
}

func TestBMPRefuses(t *testing.T) {
	good := bmp(grid(7, 5), 24, true)
	patch := func(at int, v uint32) []byte {
		b := append([]byte{}, good...)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "other": append([]byte("PM"), good[2:]...), "width 0": patch(18, 0), "negative width": patch(18, 1<<31),
		"height 0": patch(22, 0), "lowest height": patch(22, 1<<31), "wide": patch(18, 1<<31-1), "compressed": patch(30, 1), "1 bit": patch(26, 1|1<<16), "pixels in the header": patch(10, 2), "pixels behind the end": patch(10, 1<<32-1),
	} {
		if _, err := decodeBMP(b, nil); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
	if _, err := decodeBMP(patch(22, 1<<31-1), nil); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
}

func FuzzBMP(f *testing.F) {
	for _, bits := range []int{8, 24, 32} {
		f.Add(bmp(grid(3, 2), bits, bits == 24))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeBMP(b, nil)
		if err == nil && len(g.Pix) > len(b) {
			t.Fatalf("%d pixels from %d bytes", len(g.Pix), len(b))
		}
	})
}
