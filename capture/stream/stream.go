// Package stream reads Frames from video that is not a device: motion JPEG from
// AVI files and as JPEGs one behind the other, H.264 and H.265 as byte streams
// with start codes (annex B), from a file, a FIFO or standard input, and
// directories of single pictures. It is how recordings are played through
// sealcam, and how cameras without a plain V4L2 node come in:
//
//	rpicam-vid -t 0 --codec mjpeg -o - | sealcamd -source -
//	rpicam-vid -t 0 --codec h264 --inline -o - | sealcamd -source -
//
// What this package does not do: it decodes and converts no video (its errors name
// the ffmpeg command that does), puts no B-frames in order, reads no sound, no network address and no AVI index:
// an AVI is read from front to end, so one that was cut off by a power failure,
// and one larger than 4 GB (OpenDML), read like any other.
//
// Files come from strangers: every size in them is bounded by what was really
// read and by Options.MaxFrame.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// usualRate is taken for sources that do not say how fast they are.
const usualRate = 25

// usualMax is the usual Options.MaxFrame: no MJPEG camera sends half as much.
const usualMax = 32 << 20

// Options says how a source is played.
type Options struct {
	// Loop begins again at the end of a file or directory, and waits for the
	// next writer of a FIFO. Standard input that is a pipe ends all the same.
	Loop bool

	// Pace hands frames out when they are due, as a camera does, and leaves out
	// those that are overdue. Without it they come as fast as they are read. A
	// pipe has a pace of its own: there, Pace makes Frame.Mono the time of
	// arrival instead of a count.
	Pace bool

	Rate     float64 // frames per second of sources that do not say; 0 is 25
	MaxFrame int     // bytes a frame may have; 0 is 32 MiB

	Stdin *os.File                                         // what "-" is; nil is os.Stdin
	Now   func() time.Time                                 // nil is time.Now
	Sleep func(ctx context.Context, d time.Duration) error // returns ctx's error early; nil is a timer
}

// source gives the frames of one pass through a file.
type source interface {
	// next fills f; f.Mono counts from the start of the pass. io.EOF ends it.
	next(ctx context.Context, f *capture.Frame) error
	// rewind begins the next pass, or fails with errors.ErrUnsupported.
	rewind() error
	// rate returns frames per second, 0 when the source does not say.
	rate() float64
	close() error
}

// maxLead is how many bad frames Open passes over to find a good one.
const maxLead = 64

// Open opens the source that name names: an AVI, motion JPEG, H.264 or H.265 file,
// a directory, a FIFO, or "-" for standard input. What a file is, it finds out from
// its first bytes. Open waits for the first good frame, which tells the format;
// the error is a *capture.SourceError or, when that never came, ctx's.
func Open(ctx context.Context, name string, opt Options) (capture.Camera, error) {
	opt = opt.withDefaults()
	src, live, err := open(ctx, name, opt)
	if err != nil {
		return nil, failed(name, err)
	}
	c := &camera{src: src, opt: opt, live: live && opt.Pace}
	if err := c.lead(ctx); err != nil {
		// The first error is the one that matters.
		_ = src.close()
		return nil, failed(name, err)
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if !(o.Rate > 0 && o.Rate <= maxRate) {
		o.Rate = usualRate
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = usualMax
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = new(sleeper).sleep
	}
	return o
}

// open finds out what name is. live reports a source that another program writes
// while it is read.
func open(ctx context.Context, name string, opt Options) (src source, live bool, err error) {
	if st, err := os.Stat(name); err == nil && st.IsDir() && name != "-" {
		d, err := openDir(name, opt)
		return d, false, err
	}
	in, err := openInput(name, opt)
	if err != nil {
		return nil, false, err
	}
	in.use(ctx)
	if src, err = sniff(in, opt); err != nil {
		_ = in.close()
		return nil, false, err
	}
	return src, in.live, nil
}

// sniff tells from the first bytes which kind of source in is.
func sniff(in *input, opt Options) (source, error) {
	head, err := in.peek(12) // of all kinds the longest mark
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(head) == 0 {
		return nil, &capture.SourceError{Err: fmt.Errorf("%w: it is empty", capture.ErrNoFormat)}
	}
	if len(head) == 12 && string(head[:4]) == "RIFF" && string(head[8:]) == "AVI " {
		return openAVI(in, opt)
	}
	if at := string(head[:min(4, len(head))]); at == "\x00\x00\x00\x01" || strings.HasPrefix(at, "\x00\x00\x01") {
		if c := codecOf(head); c != 0 {
			return openUnits(in, c, opt), nil
		}
	}
	if what := foreign(head); what != "" {
		return nil, notMJPEG(in.name, what)
	}
	return &jpegs{in: in, split: mjpeg.NewSplitter(in, opt.MaxFrame), opt: opt}, nil
}

// foreign names other kinds of video by their first bytes, "" if unknown.
func foreign(head []byte) string {
	at := func(i int, s string) bool { return len(head) >= i+len(s) && string(head[i:i+len(s)]) == s }
	switch {
	case at(4, "ftyp"):
		return "MP4"
	case at(0, "\x1a\x45\xdf\xa3"):
		return "Matroska or WebM"
	case at(0, "\x00\x00\x00\x01"), at(0, "\x00\x00\x01"):
		return "MPEG"
	case at(0, "GIF8"):
		return "GIF"
	case at(0, "\x89PNG"):
		return "PNG"
	case at(0, "OggS"):
		return "Ogg"
	case at(0, "FLV"):
		return "FLV"
	}
	return ""
}

// notMJPEG is the error of video that must be converted first.
func notMJPEG(name, what string) error {
	return &capture.SourceError{
		Err: fmt.Errorf("%w: it is %s, and motion JPEG, H.264 and H.265 are read, the latter as bare streams", capture.ErrNoFormat, what),
		Try: "ffmpeg -i " + name + " -c:v mjpeg -q:v 3 -an out.avi, and take out.avi",
	}
}

// failed puts the source's name into err.
func failed(name string, err error) error {
	var se *capture.SourceError
	switch {
	case errors.As(err, &se):
		se.Source = name
		return se
	case errors.Is(err, fs.ErrNotExist):
		return &capture.SourceError{Source: name, Err: fmt.Errorf("%w: %w", capture.ErrNoDevice, fs.ErrNotExist), Try: "check the name; a source is a device, a file, a directory, - or scene:walk"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", name, err)
	}
	return &capture.SourceError{Source: name, Err: err}
}
