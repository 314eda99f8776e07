//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/sealcam/sealcam/cmd/internal/lab/wire"
)

// Result is what a command said and how it ended.
type Result struct {
	Stdout string
	Stderr string
	Exit   int // 128 + signal when a signal ended it
}

// end is what errors tell of what a command said.
func (r Result) end() string { return tail(r.Stdout, 500) + tail(r.Stderr, 500) }

// tail returns the last n bytes of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// Process is a command that runs, or ran, in a guest.
type Process struct {
	m    *Machine
	id   uint64
	args []string

	mu      sync.Mutex
	out     strings.Builder
	errs    strings.Builder
	exit    int
	err     error
	done    bool
	changed chan struct{} // closed and replaced at every change
}

func newProcess(m *Machine, id uint64, args []string) *Process {
	return &Process{m: m, id: id, args: args, changed: make(chan struct{})}
}

func (p *Process) take(e wire.Event) {
	p.mu.Lock()
	p.out.Write(e.Stdout)
	p.errs.Write(e.Stderr)
	p.notify()
	p.mu.Unlock()
	if e.Done {
		var err error
		if e.Err != "" {
			err = errors.New(e.Err)
		}
		p.end(e.Exit, err)
	}
}

func (p *Process) end(exit int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit, p.err, p.done = exit, err, true
	p.notify()
}

func (p *Process) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Said returns what the command said so far.
func (p *Process) Said() Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Result{Stdout: p.out.String(), Stderr: p.errs.String(), Exit: p.exit}
}

// Until waits until ok is true of what the command said. It fails when the
// command ends before, or ctx does.
func (p *Process) Until(ctx context.Context, ok func(Result) bool) error {
	for {
		p.mu.Lock()
		changed, done, err := p.changed, p.done, p.err
		p.mu.Unlock()
		r := p.Said()
		switch {
		case ok(r):
			return nil
		case done:
			return fmt.Errorf("%v ended (exit code %d, %w)\n%s", p.args, r.Exit, errors.Join(err, errEnded), r.end())
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%v: %w; the last it said:\n%s", p.args, ctx.Err(), r.end())
		}
	}
}

var errEnded = errors.New("before it did what was waited for")

// UntilSaid waits until the command has said text, on either output.
func (p *Process) UntilSaid(ctx context.Context, text string) error {
	err := p.Until(ctx, func(r Result) bool {
		return strings.Contains(r.Stdout, text) || strings.Contains(r.Stderr, text)
	})
	if err != nil {
		return fmt.Errorf("waiting for %q: %w", text, err)
	}
	return nil
}

// Wait waits for the command's end. Its error is that the command could not
// be started, that the guest went down, or that ctx ended.
func (p *Process) Wait(ctx context.Context) (Result, error) {
	for {
		p.mu.Lock()
		changed, done, err := p.changed, p.done, p.err
		p.mu.Unlock()
		if done {
			if err != nil {
				err = fmt.Errorf("%v: %w", p.args, err)
			}
			return p.Said(), err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return p.Said(), fmt.Errorf("%v: %w", p.args, ctx.Err())
		}
	}
}

// Signal sends a signal to the command.
func (p *Process) Signal(s syscall.Signal) error {
	return p.m.tell(wire.Request{ID: p.id, Op: wire.OpSignal, Signal: int(s)})
}
