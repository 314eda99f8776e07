package tuf

import (
	"context"
	"io"
	"time"
)

// pace ends a transfer that arrives too slowly: within every span there must
// come as many bytes as are due. Whoever sends one byte a minute holds a camera
// on an old version for years otherwise.
type pace struct {
	span  time.Duration
	due   int64
	got   int64
	until time.Time
	timer *time.Timer
	end   context.CancelCauseFunc
}

// newPace returns a context that ends with ErrSlow when the transfer called what
// does not keep up, and what must be stopped at its end.
func newPace(ctx context.Context, what string, l Limits) (context.Context, *pace) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pace{span: l.Span, due: l.Due, until: time.Now().Add(l.Span), end: cancel}
	p.timer = time.AfterFunc(p.span, func() { cancel(refuse(what, ErrSlow, "less than %d bytes in %s", l.Due, l.Span)) })
	return ctx, p
}

// took counts n bytes that have arrived.
func (p *pace) took(n int) {
	if p.got += int64(n); p.got >= p.due {
		p.got = 0
		p.until = time.Now().Add(p.span)
		p.timer.Reset(p.span)
	}
}

// rest stops the time while we ourselves let the sender wait, until the returned
// function is called.
func (p *pace) rest() func() {
	p.timer.Stop()
	left := time.Until(p.until)
	return func() {
		p.until = time.Now().Add(left)
		p.timer.Reset(left)
	}
}

func (p *pace) stop() {
	p.timer.Stop()
	p.end(nil)
}

// readAll reads a metadata file of at most max bytes.
func readAll(ctx context.Context, r Remote, name, what string, max int64, l Limits) ([]byte, error) {
	ctx, p := newPace(ctx, what, l)
	defer p.stop()
	c, err := r.Open(ctx, name, 0, "")
	if err != nil {
		return nil, because(ctx, err)
	}
	defer c.Close()
	if c.Size > max {
		return nil, refuse(what, ErrTooLarge, "%d bytes, of at most %d", c.Size, max)
	}
	b, err := io.ReadAll(io.LimitReader(counted{c, p}, max+1))
	if err != nil {
		return nil, because(ctx, &Error{What: what, Reason: ErrUnreachable, Err: err})
	}
	if int64(len(b)) > max {
		return nil, refuse(what, ErrTooLarge, "more than %d bytes", max)
	}
	return b, nil
}

type counted struct {
	io.Reader
	pace *pace
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.pace.took(n)
	return n, err
}

// because returns why ctx was ended, if it was, and else err.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
