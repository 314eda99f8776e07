// Package ota keeps a camera's software up to date without ever leaving it with
// none that works: a signed statement says what may be installed, two slots hold
// it, and what is new runs on trial until it has proven that it is a camera.
//
// What this package does not do: say what may be installed (ota/tuf does, as a
// [Source]) or know how a machine starts (an [Installer] does).
package ota

import (
	"context"
	"crypto/sha256"
)

// Kind is what a Release replaces.
type Kind string

const (
	Agent  Kind = "agent"  // one binary, sealcamd
	System Kind = "system" // a whole root file system, the agent included
)

// Release is one thing that its maker signed for cameras such as this one.
type Release struct {
	Path    string // of the target in the maker's repository, with "/" between its parts
	Kind    Kind
	Version string // for people, such as "v1.4.0"
	// Number orders the releases of a Kind. One that is not above the number
	// that was confirmed last is refused.
	Number uint64
	Size   int64 // bytes
	SHA256 [sha256.Size]byte
}

// Source says what may be installed on this camera, and brings it.
type Source interface {
	// Check asks what may be installed now: the newest Release that is meant for
	// this camera, by its board, architecture, channel and share of a staged
	// roll-out, or nil for none.
	Check(ctx context.Context) (*Release, error)
	// Fetch brings the file of r, continuing where an earlier call was cut, and
	// returns its path once its length and hash are r's and it is durable. The
	// file is the caller's to remove.
	Fetch(ctx context.Context, r Release) (string, error)
}

// Status is what an Installer knows of its slots.
type Status struct {
	Slot    string // that runs: "a", "b", or "factory" for what was flashed with the image
	Version string // of what runs; empty if it is not known
	// Number is that of the newest Release that was ever confirmed here, 0 for none.
	Number uint64
	// Mend says that the slot of that Release cannot run, so that the same number
	// may be installed once more.
	Mend  bool
	Trial bool   // what runs is on trial
	Fell  string // why the last trial was given up, a sentence; empty if it was not
}

// Installer puts a Release where it can be started. Each of its methods is whole
// or without effect, wherever the power fails.
type Installer interface {
	Status(ctx context.Context) (Status, error)
	// Install writes the file at path, which is r's, to the slot that is not in
	// use. It is durable when Install returns; nothing starts it yet.
	Install(ctx context.Context, r Release, path string) error
	// Try has the next start, and only that one, run what Install wrote.
	Try(ctx context.Context) error
	// Confirm makes what runs on trial the slot of all later starts, and raises Number.
	Confirm(ctx context.Context) error
	// Reject gives up what runs on trial: why is kept for Status. The next start
	// runs the slot that was confirmed before.
	Reject(ctx context.Context, why string) error
}
