package encode

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// DefaultQuality is the JPEG quality of snapshots from raw frames. Above it files
// grow faster than anybody can see.
const DefaultQuality = 85

// ErrNoSnapshot is the error for frames of a kind that no snapshot can be made of.
var ErrNoSnapshot = errors.New("no snapshot can be made of such frames")

// ErrUnmasked is the error for frames that the privacy masks cannot be applied
// to. Nothing of them may leave the camera.
var ErrUnmasked = errors.New("the privacy masks cannot be applied")

// JPEG makes snapshots. It keeps its working memory from one to the next. The zero
// value is ready for use; one goroutine uses it at a time.
type JPEG struct {
	Quality int // 1 to 100 for raw frames; 0 means DefaultQuality
	// Masks are hidden in everything that is made. Not to be changed after the
	// first frame.
	Masks capture.Masks

	encoder mjpeg.Encoder
	masker  mjpeg.Masker
	cover   cover
	out     []byte     // of the snapshot before, to be written over
	small   [3][]uint8 // planes of a halved picture
}

// Snapshot returns f as a JPEG that every viewer can show, and its size in pixels.
// The data is the caller's to keep. It is made by Append.
func (e *JPEG) Snapshot(f *capture.Frame) (data []byte, w, h int, err error) {
	if e.out, w, h, err = e.Append(e.out[:0], f); err != nil {
		return nil, 0, 0, err
	}
	return bytes.Clone(e.out), w, h, nil
}

// Append appends f to dst as a JPEG that every viewer can show, and returns its
// size in pixels. Every JPEG that leaves the camera, be it a snapshot, a live
// picture or a frame of a clip, is made here. It allocates nothing once dst and
// its own memory have grown.
//
// A motion JPEG frame is passed on as the camera compressed it, trimmed, and
// completed by Huffman tables if it lacks them. Raw frames are compressed from
// their brightness and colour, stretched to JPEG's range, without a way through RGB. With Masks,
// what they cover is flat grey, and nothing is passed on beside the picture (EXIF,
// thumbnails, comments).
//
// The error is a *capture.BadFrame for a frame that is not what its format says,
// or wraps ErrNoSnapshot or ErrUnmasked. It comes with dst as it was.
func (e *JPEG) Append(dst []byte, f *capture.Frame) (out []byte, w, h int, err error) {
	switch f.Format.Pixel {
	case capture.MJPEG:
		if len(e.Masks) > 0 {
			return e.masked(dst, f.Data)
		}
		return pass(dst, f.Data)
	case capture.YUYV, capture.NV12, capture.Grey:
	default:
		return dst, 0, 0, fmt.Errorf("%w: %s", ErrNoSnapshot, f.Format.Pixel)
	}
	p, err := layOut(f)
	if err != nil {
		return dst, 0, 0, err
	}
	q := e.Quality
	if q == 0 {
		q = DefaultQuality
	}
	raw := p.planes(f.Data)
	if len(e.Masks) > 0 {
		e.encoder.Hide = e.cover.of(e.Masks, p.w, p.h)
	}
	if out, err = e.encoder.Append(dst, &raw, q); err != nil {
		return dst, 0, 0, fmt.Errorf("snapshot of a %s frame: %w", f.Format, err)
	}
	return out, p.w, p.h, nil
}

// pass completes a camera's own JPEG.
func pass(dst, frame []byte) (out []byte, w, h int, err error) {
	hd, err := mjpeg.Scan(frame)
	if err == nil {
		out, err = mjpeg.AppendComplete(dst, frame)
	}
	if err != nil {
		return dst, 0, 0, bad(err)
	}
	return out, hd.Width, hd.Height, nil
}

// masked is pass without what the masks cover.
func (e *JPEG) masked(dst, frame []byte) (out []byte, w, h int, err error) {
	hd, err := mjpeg.Scan(frame)
	if err != nil {
		return dst, 0, 0, bad(err)
	}
	if out, err = e.masker.Append(dst, frame, e.cover.of(e.Masks, hd.Width, hd.Height)); err != nil {
		return dst, 0, 0, fmt.Errorf("%w: %w", ErrUnmasked, bad(err))
	}
	return out, hd.Width, hd.Height, nil
}

// bad is the error for a JPEG that is none, for the reason that err is.
func bad(err error) error {
	reason := "header"
	var e mjpeg.Error
	if errors.As(err, &e) {
		reason = string(e)
	}
	return &capture.BadFrame{Reason: reason, Err: err}
}

// layout is where the samples of a raw frame are.
type layout struct {
	pixel  capture.Pixel
	w, h   int
	stride int  // bytes from row to row, of every plane
	narrow bool // black is 16, white 235
}

// layOut checks that f holds what its format says.
func layOut(f *capture.Frame) (layout, error) {
	p := layout{f.Format.Pixel, f.Format.Width, f.Format.Height, f.Format.Stride, f.Format.Limited()}
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

// planes says where the samples of a frame are. Nothing is moved.
func (p layout) planes(data []byte) mjpeg.Raw {
	r := mjpeg.Raw{Width: p.w, Height: p.h, Limited: p.narrow, Y: mjpeg.Plane{Pix: data, Stride: p.stride, Step: 1}}
	switch p.pixel {
	case capture.NV12:
		colour := data[p.h*p.stride:]
		r.Cb = mjpeg.Plane{Pix: colour, Stride: p.stride, Step: 2}
		r.Cr = mjpeg.Plane{Pix: colour[1:], Stride: p.stride, Step: 2}
	case capture.YUYV:
		r.Y.Step = 2
		r.Cb = mjpeg.Plane{Pix: data[1:], Stride: p.stride, Step: 4}
		r.Cr = mjpeg.Plane{Pix: data[3:], Stride: p.stride, Step: 4}
		r.FullColour = true
	}
	return r
}
