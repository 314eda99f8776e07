package model_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/model"
	mt "github.com/sealcam/sealcam/capture/model/modeltest"
)

// judge writes a classifier of three classes that sees red, green and blue: the
// mean of each channel of a 4 x 4 picture, through a softmax.
func judge(t *testing.T, kind int) *model.Model {
	t.Helper()
	f := mt.New(1)
	in, q := mt.Q(1.0/255, -128), mt.Q(1.0/255, -128)
	switch kind {
	case mt.Uint8:
		in, q = mt.Q(1.0/255, 0), mt.Q(1.0/255, 0)
	case mt.Float32:
		in, q = mt.Quant{}, mt.Quant{}
	}
	x := f.Input(kind, []int{1, 4, 4, 3}, in)
	x = f.Op(mt.Mean, map[int]any{0: false}, kind, []int{1, 3}, q, x, f.Ints(1, 2))
	m, err := model.New(f.Bytes(f.Op(mt.Softmax, map[int]any{0: float32(5)}, kind, []int{1, 3}, q, x)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// halves draws a picture whose left half has one colour and the right another,
// as every kind of frame, raw ones in either range.
func halves(t *testing.T, left, right color.RGBA) map[string]*capture.Frame {
	t.Helper()
	const w, h = 64, 48
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	yuyv, nv12, limited := make([]byte, w*h*2), make([]byte, w*h*3/2), make([]byte, w*h*3/2)
	for y := range h {
		for x := range w {
			c := left
			if x >= w/2 {
				c = right
			}
			img.SetRGBA(x, y, c)
			l, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
			nv12[y*w+x] = l
			nv12[w*h+y/2*w+x/2*2], nv12[w*h+y/2*w+x/2*2+1] = cb, cr
			yuyv[(y*w+x)*2] = l
			yuyv[(y*w+x/2*2)*2+1], yuyv[(y*w+x/2*2)*2+3] = cb, cr
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	for i, v := range nv12 {
		if limited[i] = byte(16.5 + float64(v)*219/255); i >= w*h {
			limited[i] = byte(128.5 + (float64(v)-128)*224/255)
		}
	}
	format := func(p capture.Pixel) capture.Format {
		return capture.Format{Pixel: p, Width: w, Height: h, FullRange: p != capture.MJPEG}
	}
	return map[string]*capture.Frame{
		"mjpeg":                 {Format: format(capture.MJPEG), Data: b.Bytes()},
		"nv12":                  {Format: format(capture.NV12), Data: nv12},
		"yuyv":                  {Format: format(capture.YUYV), Data: yuyv},
		"nv12 in limited range": {Format: capture.Format{Pixel: capture.NV12, Width: w, Height: h}, Data: limited},
	}
}

// The part that is looked at is the part that is seen, in its colours, from every
// kind of frame and in every type of network.
func TestLookSeesThePart(t *testing.T) {
	for name, f := range halves(t, color.RGBA{220, 30, 30, 255}, color.RGBA{20, 40, 230, 255}) {
		p, err := model.NewPicture(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []int{mt.Float32, mt.Int8, mt.Uint8} {
			m := judge(t, kind)
			for want, box := range map[int]model.Area{0: {X: 0.05, Y: 0.3, W: 0.1, H: 0.2}, 2: {X: 0.8, Y: 0.5, W: 0.1, H: 0.2}} {
				found, err := m.Look(t.Context(), p, p.Around(box, 4), model.Range{Black: 0, White: 1}, 0.5)
				if err != nil || len(found) != 1 || found[0].Class != want {
					t.Errorf("%s, type %d: class %d expected, found %+v, %v", name, kind, want, found, err)
				}
			}
		}
	}
}

func TestAround(t *testing.T) {
	p, err := model.NewPicture(&capture.Frame{Format: capture.Format{Pixel: capture.Grey, Width: 100, Height: 50}, Data: make([]byte, 5000)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		box, want model.Area
		least     int
	}{
		{model.Area{X: 0.4, Y: 0.3, W: 0.2, H: 0.4}, model.Area{X: 0.35, Y: 0.2, W: 0.3, H: 0.6}, 4}, // square of 30 pixels
		{model.Area{X: 0, Y: 0, W: 0.1, H: 0.2}, model.Area{X: 0, Y: 0, W: 0.15, H: 0.3}, 4},         // moved into the picture
		{model.Area{X: 0.5, Y: 0.5, W: 0, H: 0}, model.Area{X: 0.4, Y: 0.3, W: 0.2, H: 0.4}, 20},     // no smaller than asked
		{model.Area{X: 0, Y: 0, W: 1, H: 1}, model.Area{X: 0, Y: 0, W: 1, H: 1}, 4},
	} {
		got := p.Around(c.box, c.least)
		if math.Abs(got.X-c.want.X)+math.Abs(got.Y-c.want.Y)+math.Abs(got.W-c.want.W)+math.Abs(got.H-c.want.H) > 1e-9 {
			t.Errorf("%+v: %+v, want %+v", c.box, got, c.want)
		}
	}
}

// Frames that are not what they say are refused, and none is read past its end.
func TestBadPictures(t *testing.T) {
	var bad *capture.BadFrame
	for _, f := range []capture.Frame{
		{Format: capture.Format{Pixel: capture.MJPEG}, Data: []byte{0xff, 0xd8, 0xff}},
		{Format: capture.Format{Pixel: capture.NV12, Width: 64, Height: 48}, Data: make([]byte, 64*48)},
		{Format: capture.Format{Pixel: capture.YUYV, Width: 64, Height: 48, Stride: 64}, Data: make([]byte, 64*48*2)},
		{Format: capture.Format{Pixel: capture.Grey, Width: -1, Height: 48}, Data: make([]byte, 64*48*2)},
		{Format: capture.Format{Pixel: capture.Grey, Width: 1 << 24, Height: 1 << 24}, Data: make([]byte, 64)},
	} {
		if _, err := model.NewPicture(&f); !errors.As(err, &bad) {
			t.Errorf("%v: %v", f.Format, err)
		}
	}
	if _, err := model.NewPicture(&capture.Frame{Format: capture.Format{Pixel: capture.H264}, Data: make([]byte, 64)}); err == nil {
		t.Error("H.264 is taken for a picture")
	}
}

// ssd writes a detector that finds one thing of class 1 in the middle of whatever
// it is shown, half as wide and a quarter as high, and something less sure.
func ssd(t *testing.T) *model.Model {
	t.Helper()
	f := mt.New(1)
	x := f.Input(mt.Float32, []int{1, 2, 2, 3}, mt.Quant{})
	// What is shown becomes 4 numbers for each of 3 anchors, times 0.
	x = f.Op(mt.Reshape, nil, mt.Float32, []int{1, 3, 4}, mt.Quant{}, x, f.Ints(1, 3, 4))
	boxes := f.Op(mt.Mul, map[int]any{0: byte(0)}, mt.Float32, []int{1, 3, 4}, mt.Quant{}, x, f.Reals([]int{4}, make([]float32, 4)))
	scores := f.Reals([]int{1, 3, 3}, []float32{0, 0.1, 0.9, 0, 0.3, 0.2, 0, 0.7, 0.1})
	anchors := f.Reals([]int{3, 4}, []float32{0.5, 0.5, 0.25, 0.5, 0.1, 0.1, 0.1, 0.1, 2, 2, 0.5, 0.5})
	m, err := model.New(f.Bytes(f.Detection(map[string]any{
		"max_detections": 3, "max_classes_per_detection": 1, "num_classes": 2, "nms_score_threshold": float32(0.01), "nms_iou_threshold": float32(0.5),
		"y_scale": float32(10), "x_scale": float32(10), "h_scale": float32(5), "w_scale": float32(5),
	}, boxes, scores, anchors)...))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What a detector finds in a part is told in places of the whole picture; what is
// not sure enough, or lies beside the part, is not told.
func TestDetectorsPlacesAreThoseOfThePicture(t *testing.T) {
	p, err := model.NewPicture(&capture.Frame{Format: capture.Format{Pixel: capture.Grey, Width: 64, Height: 64}, Data: make([]byte, 64*64)})
	if err != nil {
		t.Fatal(err)
	}
	m := ssd(t)
	if i := m.Info(); !i.Detector || i.Classes != 2 {
		t.Errorf("%+v", i)
	}
	found, err := m.Look(t.Context(), p, model.Area{X: 0.5, Y: 0.25, W: 0.4, H: 0.4}, model.Range{}, 0.4)
	if err != nil || len(found) != 1 {
		t.Fatalf("found %+v, %v", found, err)
	}
	want := model.Area{X: 0.5 + 0.25*0.4, Y: 0.25 + 0.375*0.4, W: 0.2, H: 0.1}
	b := found[0].Box
	if d := math.Abs(b.X-want.X) + math.Abs(b.Y-want.Y) + math.Abs(b.W-want.W) + math.Abs(b.H-want.H); d > 1e-6 || found[0].Class != 1 || math.Abs(found[0].Score-0.9) > 1e-6 {
		t.Errorf("%+v, want class 1 at %+v", found[0], want)
	}
}

// FuzzPicture looks at frames that are not what they say.
func FuzzPicture(f *testing.F) {
	f.Add(uint8(capture.NV12), 5, 3, 0, make([]byte, 30), 0.1, 0.2, 0.3, 0.4)
	f.Add(uint8(capture.YUYV), 5, 3, 16, make([]byte, 48), 0.0, 0.0, 1.0, 1.0)
	f.Add(uint8(capture.Grey), 4, 4, 4, make([]byte, 16), 0.9, 0.9, 0.5, 0.5)
	m, err := model.New(mt.Says(0, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pixel uint8, w, h, stride int, data []byte, x, y, bw, bh float64) {
		p, err := model.NewPicture(&capture.Frame{Format: capture.Format{Pixel: capture.Pixel(pixel), Width: w, Height: h, Stride: stride}, Data: data})
		if err != nil {
			return
		}
		part := p.Around(model.Area{X: x, Y: y, W: bw, H: bh}, 8)
		if _, err := m.Look(t.Context(), p, part, model.Range{}, 0); err != nil {
			t.Fatal(err)
		}
	})
}

// A network that takes reals only to make integers of them says by these what
// reals it wants: 0 to 255 here.
func TestRangeOfQuantizedInput(t *testing.T) {
	f := mt.New(1)
	q := mt.Q(1, -128)
	x := f.Input(mt.Float32, []int{1, 4, 4, 3}, mt.Quant{})
	x = f.Op(mt.Quantize, map[int]any{}, mt.Int8, []int{1, 4, 4, 3}, q, x)
	x = f.Op(mt.Mean, map[int]any{0: false}, mt.Int8, []int{1, 3}, q, x, f.Ints(1, 2))
	m, err := model.New(f.Bytes(f.Op(mt.Softmax, map[int]any{0: float32(1)}, mt.Int8, []int{1, 3}, mt.Q(1.0/256, -128), x)))
	if err != nil {
		t.Fatal(err)
	}
	pale := color.RGBA{120, 120, 150, 255} // of -1 to 1 nothing would be left of the difference
	for name, frame := range halves(t, pale, pale) {
		p, err := model.NewPicture(frame)
		if err != nil {
			t.Fatal(err)
		}
		found, err := m.Look(t.Context(), p, model.Area{W: 1, H: 1}, model.Range{}, 0.9)
		if err != nil || len(found) != 1 || found[0].Class != 2 {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}
