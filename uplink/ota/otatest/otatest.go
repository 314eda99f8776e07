// Package otatest holds a Source and an Installer for tests of what uses them.
//
// What this package does not do: it verifies nothing and starts nothing.
package otatest

import (
	"context"
	"errors"

	"github.com/sealcam/sealcam/uplink/ota"
)

// Source is an ota.Source that says and brings what its fields hold.
type Source struct {
	Release *ota.Release
	Path    string // of the file
	Err     error  // of Check and Fetch
	Asked   func() // called by Check; may be nil
	Checks  int    // calls of Check
}

// Check implements ota.Source.
func (s *Source) Check(context.Context) (*ota.Release, error) {
	s.Checks++
	if s.Asked != nil {
		s.Asked()
	}
	return s.Release, s.Err
}

// Fetch implements ota.Source.
func (s *Source) Fetch(context.Context, ota.Release) (string, error) { return s.Path, s.Err }

// Installer is an ota.Installer in memory.
type Installer struct {
	Now      ota.Status // as it is
	Installs int        // calls of Install

	installed, due, tried *ota.Release
}

// Start is a start of the camera: it tries what is due, and a trial that had no
// verdict falls.
func (i *Installer) Start() {
	if i.tried != nil {
		i.Now.Fell, i.Now.Trial, i.tried = "no verdict", false, nil
	}
	if i.due != nil {
		i.Now.Trial, i.Now.Fell, i.tried, i.due = true, "", i.due, nil
	}
}

// Forget is a power cut that takes what Try has done.
func (i *Installer) Forget() { i.due = nil }

// Status implements ota.Installer.
func (i *Installer) Status(context.Context) (ota.Status, error) { return i.Now, nil }

// Install implements ota.Installer.
func (i *Installer) Install(_ context.Context, r ota.Release, _ string) error {
	i.Installs++
	i.installed = &r
	return nil
}

// Try implements ota.Installer.
func (i *Installer) Try(context.Context) error {
	i.due = i.installed
	return nil
}

var errNoTrial = errors.New("nothing is on trial")

// Confirm implements ota.Installer.
func (i *Installer) Confirm(context.Context) error {
	if i.tried == nil {
		return errNoTrial
	}
	i.Now.Number, i.Now.Trial, i.Now.Mend, i.tried = i.tried.Number, false, false, nil
	return nil
}

// Reject implements ota.Installer.
func (i *Installer) Reject(_ context.Context, why string) error {
	if i.tried == nil {
		return errNoTrial
	}
	i.Now.Fell, i.Now.Trial, i.tried = why, false, nil
	return nil
}
