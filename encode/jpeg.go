package encode

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// DefaultQuality is the JPEG quality of snapshots from raw frames. Above it files
// grow faster than anybody can see.
const DefaultQuality = 85

// ErrNoSnapshot is the error for frames of a kind that no snapshot can be made of.
var ErrNoSnapshot = errors.New("no snapshot can be made of such frames")

// JPEG makes snapshots. It keeps its working memory from one to the next. The zero
// value is ready for use; one goroutine uses it at a time.
type JPEG struct {
	Quality int // 1 to 100 for raw frames; 0 means DefaultQuality

	ycc    image.YCbCr
	grey   image.Gray
	bright []uint8 // brightness taken out of packed frames
	cb, cr []uint8
	out    bytes.Buffer
}

// Snapshot returns f as a JPEG that every viewer can show, and its size in pixels.
// The data is the caller's to keep.
//
// A motion JPEG frame is passed on as the camera compressed it, trimmed, and
// completed by Huffman tables if it lacks them. Raw frames are compressed from
// their brightness and colour as they are, without a way through RGB.
//
// The error is a *capture.BadFrame for a frame that is not what its format says,
// or wraps ErrNoSnapshot.
func (e *JPEG) Snapshot(f *capture.Frame) (data []byte, w, h int, err error) {
	switch f.Format.Pixel {
	case capture.MJPEG:
		return pass(f.Data)
	case capture.YUYV, capture.NV12, capture.Grey:
	default:
		return nil, 0, 0, fmt.Errorf("%w: %s", ErrNoSnapshot, f.Format.Pixel)
	}
	p, err := layOut(f)
	if err != nil {
		return nil, 0, 0, err
	}
	m := e.planes(f.Data, p)
	defer e.letGo()
	q := e.Quality
	if q == 0 {
		q = DefaultQuality
	}
	e.out.Reset()
	if err := jpeg.Encode(&e.out, m, &jpeg.Options{Quality: q}); err != nil {
		return nil, 0, 0, fmt.Errorf("snapshot of a %s frame: %w", f.Format, err)
	}
	return bytes.Clone(e.out.Bytes()), p.w, p.h, nil
}

// pass completes a camera's own JPEG.
func pass(frame []byte) (data []byte, w, h int, err error) {
	hd, err := mjpeg.Scan(frame)
	if err == nil {
		const tables = 512 // more than the standard tables take
		data, err = mjpeg.AppendComplete(make([]byte, 0, hd.End-hd.Start+tables), frame)
	}
	if err != nil {
		reason := "header"
		var e mjpeg.Error
		if errors.As(err, &e) {
			reason = string(e)
		}
		return nil, 0, 0, &capture.BadFrame{Reason: reason, Err: err}
	}
	return data, hd.Width, hd.Height, nil
}

// layout is where the samples of a raw frame are.
type layout struct {
	pixel  capture.Pixel
	w, h   int
	stride int // bytes from row to row, of every plane
}

// layOut checks that f holds what its format says.
func layOut(f *capture.Frame) (layout, error) {
	p := layout{f.Format.Pixel, f.Format.Width, f.Format.Height, f.Format.Stride}
	const most = 1<<16 - 1 // of JPEG
	if p.w < 1 || p.h < 1 || p.w > most || p.h > most || int64(p.w)*int64(p.h) > capture.MaxPixels {
		return p, &capture.BadFrame{Reason: "header", Err: fmt.Errorf("size %dx%d", p.w, p.h)}
	}
	row := p.w
	switch p.pixel {
	case capture.YUYV:
		row = (p.w + 1) / 2 * 4 // colours come for two pixels at a time
	case capture.NV12:
		row = (p.w + 1) / 2 * 2
	}
	if p.stride == 0 {
		p.stride = row
	}
	rows := int64(p.h)
	if p.pixel == capture.NV12 {
		rows += int64(p.h+1) / 2
	}
	if p.stride < row {
		return p, &capture.BadFrame{Reason: "header", Err: fmt.Errorf("stride of %d bytes for rows of %d", p.stride, row)}
	}
	// The last row may lack its padding.
	if need := int64(p.stride)*(rows-1) + int64(row); int64(len(f.Data)) < need {
		return p, &capture.BadFrame{Reason: "truncated", Err: fmt.Errorf("%d bytes of %d", len(f.Data), need)}
	}
	return p, nil
}

// planes returns the samples as image/jpeg takes them. What need not be moved stays
// where it is in data.
func (e *JPEG) planes(data []byte, p layout) image.Image {
	rect := image.Rect(0, 0, p.w, p.h)
	half := (p.w + 1) / 2
	switch p.pixel {
	case capture.Grey:
		e.grey = image.Gray{Pix: data, Stride: p.stride, Rect: rect}
		return &e.grey
	case capture.NV12:
		rows := (p.h + 1) / 2
		e.cb, e.cr = room(e.cb, half*rows), room(e.cr, half*rows)
		for y := range rows {
			split(e.cb[y*half:][:half], e.cr[y*half:][:half], data[(p.h+y)*p.stride:], 0, 2)
		}
		e.ycc = image.YCbCr{Y: data, Cb: e.cb, Cr: e.cr, YStride: p.stride, CStride: half, SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: rect}
		return &e.ycc
	}
	e.cb, e.cr, e.bright = room(e.cb, half*p.h), room(e.cr, half*p.h), room(e.bright, 2*half*p.h)
	for y := range p.h {
		row := data[y*p.stride:]
		bright := e.bright[2*half*y:][:2*half]
		for x := range bright {
			bright[x] = row[2*x]
		}
		split(e.cb[y*half:][:half], e.cr[y*half:][:half], row, 1, 4)
	}
	e.ycc = image.YCbCr{Y: e.bright, Cb: e.cb, Cr: e.cr, YStride: 2 * half, CStride: half, SubsampleRatio: image.YCbCrSubsampleRatio422, Rect: rect}
	return &e.ycc
}

// split takes the colour samples of a row apart: the first cb stands at offset, cr
// half a step behind it, and the next pair step bytes on.
func split(cb, cr []uint8, row []byte, offset, step int) {
	for x := range cb {
		cb[x], cr[x] = row[offset+x*step], row[offset+x*step+step/2]
	}
}

// letGo forgets the frame, whose memory is the camera's.
func (e *JPEG) letGo() { e.ycc, e.grey = image.YCbCr{}, image.Gray{} }

// room returns b with length n, reallocated only when it is too small.
func room(b []uint8, n int) []uint8 {
	if cap(b) < n {
		return make([]uint8, n)
	}
	return b[:n]
}
