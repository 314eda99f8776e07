package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Runner runs a program of the system: never through a shell, for a bounded time,
// and with bounded output. Its zero value is ready.
type Runner struct {
	// Run replaces the running of programs, for tests where no real one can run.
	Run func(ctx context.Context, name string, args ...string) (stdout []byte, code int, err error)
}

const (
	// asking and installing bound how long a program may take.
	asking     = 30 * time.Second
	installing = time.Hour
	// rest is for what a program leaves behind to let go of its output.
	rest = 5 * time.Second
	// most bounds a program's output, in bytes.
	most = 1 << 20
	told = 300
)

// failure is a program that ended with another code than 0.
type failure struct {
	name string
	code int
	said []byte
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s ended with code %d: %q", f.name, f.code, f.said)
}

// run returns what the program printed. That it fails is a *failure.
func (r Runner) run(ctx context.Context, limit time.Duration, name string, args ...string) ([]byte, error) {
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	if r.Run != nil {
		out, code, err := r.Run(ctx, name, args...)
		if err == nil && code != 0 {
			err = &failure{name, code, clip(out)}
		}
		return out, err
	}
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bounded
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = rest
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s took longer than %v: %w", name, limit, ctx.Err())
	case errors.As(err, &exit):
		return out.b, &failure{name, exit.ExitCode(), clip(append(errs.b, out.b...))}
	case err != nil:
		return nil, err
	case out.over:
		return nil, fmt.Errorf("%s printed more than %d bytes", name, most)
	}
	return out.b, nil
}

func clip(b []byte) []byte {
	b = bytes.TrimSpace(b)
	return b[max(0, len(b)-told):]
}

// bounded keeps the first bytes that are written to it.
type bounded struct {
	b    []byte
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	fits := min(len(p), most-len(b.b))
	b.b = append(b.b, p[:fits]...)
	b.over = b.over || fits < len(p)
	return len(p), nil
}
