package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// patience is how long a read of a pipe goes on before it looks whether it is
// still wanted.
const patience = 250 * time.Millisecond

// input is an open file whose reads end when a context does.
type input struct {
	name string
	f    *os.File
	r    *bufio.Reader // over f, by way of Read
	ctx  context.Context
	live bool // not a plain file: another program writes it while it is read
	fifo bool // a pipe with a name: it may have no writer yet

	written bool // the present writer has written something
}

// openInput opens a file, a FIFO or, as "-", standard input.
func openInput(name string, opt Options) (*input, error) {
	in := &input{name: name, ctx: context.Background()}
	var err error
	if name == "-" {
		in.f = opt.Stdin
		in.live = !is(in.f, fs.FileMode.IsRegular)
		if in.live && runtime.GOOS == "linux" {
			// Standard input is inherited blocking, so a read could not be ended. The
			// same pipe opened once more can be polled, and the inherited one, which
			// other programs share, stays as it is.
			if f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", in.f.Fd()), os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
				in.f = f
			}
		}
	} else {
		// Without O_NONBLOCK, opening a FIFO waits for its writer, and nothing ends that.
		in.f, err = os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		in.live = !is(in.f, fs.FileMode.IsRegular)
		in.fifo = is(in.f, func(m fs.FileMode) bool { return m&fs.ModeNamedPipe != 0 })
	}
	in.r = bufio.NewReaderSize(reader{in}, 64<<10)
	return in, nil
}

func is(f *os.File, kind func(fs.FileMode) bool) bool {
	st, err := f.Stat()
	return err == nil && kind(st.Mode())
}

// use makes ctx the one that ends reads from now on.
func (in *input) use(ctx context.Context) { in.ctx = ctx }

// Read reads through the buffer.
func (in *input) Read(p []byte) (int, error) { return in.r.Read(p) }

func (in *input) peek(n int) ([]byte, error) { return in.r.Peek(n) }

// reader is an input below its buffer.
type reader struct{ in *input }

func (r reader) Read(p []byte) (int, error) {
	in := r.in
	for {
		if err := in.ctx.Err(); err != nil {
			return 0, in.ended(err)
		}
		if in.live {
			// This is the clock of the machine, not of the video: it only bounds how
			// long a cancelled read goes on. Files that know no deadline refuse it.
			_ = in.f.SetReadDeadline(time.Now().Add(patience))
		}
		n, err := in.f.Read(p)
		if n > 0 {
			in.written = true
			return n, nil
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err == io.EOF && in.fifo && !in.written:
			// Nobody has opened the other end yet, and the kernel has no way of
			// waiting for that.
			if err := new(sleeper).sleep(in.ctx, patience/4); err != nil {
				return 0, in.ended(err)
			}
		default:
			return 0, err
		}
	}
}

// ended explains the end of the context to who waits for a pipe.
func (in *input) ended(err error) error {
	if !in.live || in.written {
		return err
	}
	return &capture.SourceError{
		Err: fmt.Errorf("%w: nothing has been written to it: %w", capture.ErrStuck, err),
		Try: "start the program that writes it, such as rpicam-vid -t 0 --codec mjpeg -o " + in.name,
	}
}

// rewind goes back to the start of a file, or on to the next writer of a FIFO.
func (in *input) rewind() error {
	if in.live {
		if !in.fifo {
			return errors.ErrUnsupported
		}
		in.written = false
	} else if _, err := in.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in.r.Reset(reader{in})
	return nil
}

func (in *input) close() error {
	if err := in.f.Close(); !errors.Is(err, fs.ErrClosed) {
		return err
	}
	return nil
}

// sleeper sleeps with one timer, so that a frame costs no allocation.
type sleeper struct{ t *time.Timer }

func (s *sleeper) sleep(ctx context.Context, d time.Duration) error {
	if s.t == nil {
		s.t = time.NewTimer(d)
	} else {
		s.t.Reset(d)
	}
	defer s.t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.t.C:
		return nil
	}
}
