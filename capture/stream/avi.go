package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// maxRate bounds what a file may call its rate, in frames per second.
const maxRate = 1000

// avi is a source that reads an AVI file from front to end, chunk by chunk. It
// goes into every list and trusts none of their lengths, which a recorder that
// lost its power never wrote; and it needs no index.
type avi struct {
	in   *input
	opt  Options
	head aviHeader
	n    uint64 // frames of this pass, left-out ones included
	buf  []byte
	left *mjpeg.Splitter // after damage: the rest is searched for JPEGs
}

// chunk is the start of a RIFF chunk.
type chunk struct {
	id   [4]byte
	size uint32
}

// list reports whether the chunk holds others.
func (c chunk) list() bool { return string(c.id[:]) == "LIST" || string(c.id[:]) == "RIFF" }

// plausible reports whether the id is one that a program wrote.
func (c chunk) plausible() bool {
	for _, b := range c.id {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	return true
}

// openAVI reads the headers, up to where the frames begin.
func openAVI(in *input, opt Options) (*avi, error) {
	a := &avi{in: in, opt: opt}
	if err := a.readHeaders(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *avi) next(ctx context.Context, f *capture.Frame) error {
	a.in.use(ctx)
	if a.left != nil {
		return a.nextLeft(f)
	}
	for {
		c, err := a.chunk()
		switch {
		case err == io.ErrUnexpectedEOF:
			return io.EOF // a few bytes behind the last chunk
		case err != nil:
			return err
		case !c.plausible():
			a.left = mjpeg.NewSplitter(a.in, a.opt.MaxFrame)
			return a.bad("container", errors.New("a chunk without a name; searching on for frames"))
		case c.list():
			err = a.enter(c)
		case !a.head.isVideo(c.id):
			err = a.skip(c.size)
		case c.size == 0: // the frame before stays
			a.n++
		default:
			return a.frame(c.size, f)
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// frame reads a chunk of video.
func (a *avi) frame(size uint32, f *capture.Frame) error {
	if int64(size) > int64(a.opt.MaxFrame) {
		if err := a.skip(size); err != nil {
			return err
		}
		return a.bad("too-large", fmt.Errorf("%d bytes, and at most %d are read", size, a.opt.MaxFrame))
	}
	err := a.fill(int(size))
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return a.bad("truncated", fmt.Errorf("%d bytes of %d, then the file ends", len(a.buf), size))
	}
	if err != nil {
		return err
	}
	if size%2 == 1 { // chunks begin at even offsets; the last one's padding may lack
		if _, err := a.in.r.Discard(1); err != nil && err != io.EOF {
			return err
		}
	}
	f.Data = a.buf
	f.Mono = after(a.n, a.pace())
	a.n++
	return nil
}

// nextLeft reads on as if the file were JPEGs one behind the other.
func (a *avi) nextLeft(f *capture.Frame) error {
	data, err := a.left.Next()
	if bad, ok := err.(mjpeg.Error); ok {
		return a.bad(string(bad), bad)
	}
	if err != nil {
		return err
	}
	f.Data, f.Mono = data, after(a.n, a.pace())
	a.n++
	return nil
}

// bad is the error of a frame that is lost; it keeps its place in time.
func (a *avi) bad(reason string, why error) error {
	a.n++
	return &capture.BadFrame{Reason: reason, Err: why}
}

// fill reads n bytes into buf, which grows with what has really been read: a
// length in the file alone makes nobody allocate.
func (a *avi) fill(n int) error {
	a.buf = a.buf[:0]
	for len(a.buf) < n {
		have := len(a.buf)
		step := min(n-have, max(64<<10, have))
		a.buf = slices.Grow(a.buf, step)[:have+step]
		m, err := io.ReadFull(a.in.r, a.buf[have:])
		a.buf = a.buf[:have+m]
		if err != nil {
			return err
		}
	}
	return nil
}

// chunk reads the start of the next chunk.
func (a *avi) chunk() (chunk, error) {
	b, err := a.in.r.Peek(8)
	if err != nil {
		if err == io.EOF && len(b) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return chunk{}, err
	}
	c := chunk{id: [4]byte(b[:4]), size: binary.LittleEndian.Uint32(b[4:])}
	_, err = a.in.r.Discard(8)
	return c, err
}

// enter goes into a list that may hold frames or headers, and passes over others.
func (a *avi) enter(c chunk) error {
	b, err := a.in.r.Peek(4)
	if err != nil {
		return err
	}
	kind := string(b)
	if _, err := a.in.r.Discard(4); err != nil {
		return err
	}
	switch kind {
	case "AVI ", "AVIX", "movi", "rec ", "hdrl", "strl":
		return nil
	}
	return a.skip(max(c.size, 4) - 4)
}

// skip passes over a chunk's n bytes and their padding. Discard reads, so it
// stops at the end of the file, whatever n is, and when ctx ends.
func (a *avi) skip(n uint32) error {
	total := int64(n) + int64(n%2)
	for total > 0 {
		m, err := a.in.r.Discard(int(min(total, 1<<20)))
		if err != nil {
			return err
		}
		total -= int64(m)
	}
	return nil
}

func (a *avi) rewind() error {
	if err := a.in.rewind(); err != nil {
		return err
	}
	a.n, a.left = 0, nil
	return a.readHeaders()
}

func (a *avi) rate() float64 { return a.head.rate }
func (a *avi) close() error  { return a.in.close() }

// pace is the rate that frames are timed by.
func (a *avi) pace() float64 {
	if a.head.rate > 0 {
		return a.head.rate
	}
	return a.opt.Rate
}
