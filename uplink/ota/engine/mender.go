package engine

import (
	"context"
	"errors"

	"github.com/sealcam/sealcam/uplink/ota"
)

// Mender is a board with Mender's client (mender.io) in standalone mode, without
// its server. A release is a .mender artifact, which the client has start at the
// next boot as soon as it is written; its boot loader goes back after one start
// without a commit.
type Mender struct {
	Runner
	Program string // "mender-update", or "mender" before version 4
	Cmdline string // as SWUpdate has it
}

// nothingToDo is the code of "commit" and "rollback" where no update is in progress.
const nothingToDo = 2

// Booted implements Backend. It returns the root device.
func (m Mender) Booted(context.Context) (string, error) { return bootedRoot(m.Cmdline) }

// Write implements Backend.
func (m Mender) Write(ctx context.Context, _ ota.Release, path string) error {
	_, err := m.run(ctx, installing, m.Program, "install", path)
	return err
}

// Activate implements Backend. Write has done it.
func (m Mender) Activate(context.Context) error { return nil }

// Good implements Backend.
func (m Mender) Good(ctx context.Context) error { return m.finish(ctx, "commit") }

// Bad implements Backend.
func (m Mender) Bad(ctx context.Context) error { return m.finish(ctx, "rollback") }

func (m Mender) finish(ctx context.Context, verb string) error {
	_, err := m.run(ctx, asking, m.Program, verb)
	var f *failure
	if errors.As(err, &f) && f.code == nothingToDo {
		return nil
	}
	return err
}
