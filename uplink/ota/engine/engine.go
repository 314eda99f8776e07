// Package engine installs whole systems, the agent included, through what a board
// has for it: U-Boot with two slots, Raspberry Pi's tryboot, RAUC, SWUpdate or
// Mender. Each is a [Backend]; [System] joins one to what every one of them lacks,
// which is a record of what was confirmed, what is on trial and why it fell.
//
// What this package does not do: it starts no machine again (the settings name a
// command for that), and it cannot make a boot loader fall back: that one has to
// count the starts of a slot that was not confirmed, and how each is told to is
// said where its Backend is.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sealcam/sealcam/uplink/ota"
)

// Backend is what a board has for its updates. Slots have the names that it gives
// them.
type Backend interface {
	// Booted returns the slot that runs.
	Booted(ctx context.Context) (string, error)
	// Write puts the file at path into the slot that does not run.
	Write(ctx context.Context, r ota.Release, path string) error
	// Activate has the next start, and no other, run what was written.
	Activate(ctx context.Context) error
	// Good keeps the slot that runs for all later starts. That it is kept already
	// is no error.
	Good(ctx context.Context) error
	// Bad has the next start run the other slot.
	Bad(ctx context.Context) error
}

// ErrOld refuses a release that is not above what was confirmed last.
var ErrOld = errors.New("its number is not above what was confirmed last")

// ErrOnTrial refuses to write the slot that a trial would fall back to.
var ErrOnTrial = errors.New("what runs is on trial, so no other slot is free")

// ErrNoTrial says that there is nothing to judge.
var ErrNoTrial = errors.New("nothing is on trial")

// ErrNothing says that nothing was installed that could be tried.
var ErrNothing = errors.New("nothing is installed that could be tried")

// System is an ota.Installer for releases of the kind ota.System.
type System struct {
	Backend Backend
	Memory  ota.Memory // outside the slots: both have to see it
	Version string     // of what runs, as the image says
	Boot    string     // what is different after every start, see BootID
}

// BootID returns what the kernel calls this start, "" if it does not.
func BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// record is what lasts. A slot that runs and is not Slot is on trial, whoever has
// started it: so no power cut between two steps makes a trial of none.
type record struct {
	Slot   string `json:"slot"`   // that was confirmed; empty before the first update
	Number uint64 `json:"number"` // of the newest release that was ever confirmed
	Next   *next  `json:"next,omitempty"`
	Fell   string `json:"fell,omitempty"`
}

// next is what was installed and is not confirmed.
type next struct {
	Number  uint64 `json:"number"`
	Version string `json:"version"`
	Tried   string `json:"tried,omitempty"` // the start in which Try was called
}

func (s *System) load(ctx context.Context) (r record, booted string, err error) {
	if booted, err = s.Backend.Booted(ctx); err != nil {
		return r, "", fmt.Errorf("which slot runs: %w", err)
	}
	b, err := s.Memory.Load()
	if err != nil {
		return r, "", err
	}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &r); err != nil {
			return r, "", fmt.Errorf("the record of updates is damaged: %w", err)
		}
	}
	if r.Slot == "" {
		r.Slot = booted
	}
	return r, booted, nil
}

func (s *System) save(r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.Memory.Store(b)
}

// Status implements ota.Installer.
func (s *System) Status(ctx context.Context) (ota.Status, error) {
	r, booted, err := s.load(ctx)
	if err != nil {
		return ota.Status{}, err
	}
	st := ota.Status{Slot: booted, Version: s.Version, Number: r.Number, Trial: booted != r.Slot, Fell: r.Fell}
	if !st.Trial && r.Next != nil && r.Next.Tried != "" && r.Next.Tried != s.Boot {
		st.Fell = r.Next.Version + " was given up: it ended on trial before it had proven itself, or did not start"
	}
	return st, nil
}

// Install implements ota.Installer.
func (s *System) Install(ctx context.Context, rel ota.Release, path string) error {
	r, booted, err := s.load(ctx)
	switch {
	case err != nil:
		return err
	case rel.Kind != ota.System:
		return fmt.Errorf("%s is a release of the kind %q, and this camera is updated as a whole system", rel.Version, rel.Kind)
	case booted != r.Slot:
		return ErrOnTrial
	case rel.Number <= r.Number:
		return fmt.Errorf("%s has number %d: %w (%d)", rel.Version, rel.Number, ErrOld, r.Number)
	}
	r.Next, r.Fell = nil, ""
	if err := s.save(r); err != nil { // which slot is the confirmed one, before another can run
		return err
	}
	if err := s.Backend.Write(ctx, rel, path); err != nil {
		return err
	}
	r.Next = &next{Number: rel.Number, Version: rel.Version}
	return s.save(r)
}

// Try implements ota.Installer.
func (s *System) Try(ctx context.Context) error {
	r, booted, err := s.load(ctx)
	switch {
	case err != nil:
		return err
	case booted != r.Slot:
		return ErrOnTrial
	case r.Next == nil:
		return ErrNothing
	}
	if err := s.Backend.Activate(ctx); err != nil {
		return err
	}
	r.Next.Tried = s.Boot
	return s.save(r)
}

// Confirm implements ota.Installer.
func (s *System) Confirm(ctx context.Context) error {
	r, booted, err := s.load(ctx)
	if err != nil {
		return err
	}
	if booted == r.Slot {
		return ErrNoTrial
	}
	// The boot loader first: if the power goes now, this slot runs again, is on
	// trial by the record, and proves itself again.
	if err := s.Backend.Good(ctx); err != nil {
		return err
	}
	if r.Next != nil {
		r.Number = max(r.Number, r.Next.Number)
	}
	r.Slot, r.Next, r.Fell = booted, nil, ""
	return s.save(r)
}

// Reject implements ota.Installer.
func (s *System) Reject(ctx context.Context, why string) error {
	r, booted, err := s.load(ctx)
	if err != nil {
		return err
	}
	if booted == r.Slot {
		return ErrNoTrial
	}
	r.Fell = "a system was given up: " + why
	if r.Next != nil {
		r.Fell = r.Next.Version + " was given up: " + why
	}
	r.Next = nil
	return errors.Join(s.save(r), s.Backend.Bad(ctx))
}
