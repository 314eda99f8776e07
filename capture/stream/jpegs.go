package stream

import (
	"context"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// jpegs is a source of JPEGs one behind the other.
type jpegs struct {
	in    *input
	split *mjpeg.Splitter
	opt   Options
	n     uint64
}

func (j *jpegs) next(ctx context.Context, f *capture.Frame) error {
	j.in.use(ctx)
	data, err := j.split.Next()
	if bad, ok := err.(mjpeg.Error); ok {
		j.n++
		return &capture.BadFrame{Reason: string(bad), Err: bad}
	}
	if err != nil {
		return err
	}
	f.Data = data
	f.Mono = after(j.n, j.opt.Rate)
	j.n++
	return nil
}

func (j *jpegs) rewind() error {
	if err := j.in.rewind(); err != nil {
		return err
	}
	j.n = 0
	j.split = mjpeg.NewSplitter(j.in, j.opt.MaxFrame)
	return nil
}

func (j *jpegs) rate() float64 { return 0 }
func (j *jpegs) close() error  { return j.in.close() }

// after returns when frame n is due at a rate.
func after(n uint64, rate float64) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second))
}
