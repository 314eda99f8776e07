package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sealcam/sealcam/uplink/ota"
)

// UBoot is a board whose boot script keeps two slots in U-Boot's environment, as
// our own images do:
//
//	sealcam_slot=a|b     runs, unless a trial is due
//	sealcam_trial=a|b    what was installed last; absent when nothing is on trial
//	sealcam_tries=1|0    the trial is due; the script sets 0 before it starts it
//
// A release is an image of a slot's partition, as it is or compressed by gzip.
type UBoot struct {
	Env   string            // file or device of the environment
	Slots map[string]string // partition of "a" and of "b"
	// Running is a file that says which slot runs: "a" or "b".
	Running string
}

// OurImages is where the images of this project have their parts.
func OurImages() UBoot {
	return UBoot{
		Env: "/dev/sealcam/env", Slots: map[string]string{"a": "/dev/sealcam/a", "b": "/dev/sealcam/b"}, Running: "/run/sealcam/slot",
	}
}

// Booted implements Backend.
func (u UBoot) Booted(context.Context) (string, error) {
	b, err := os.ReadFile(u.Running)
	if err != nil {
		return "", err
	}
	slot := string(bytes.TrimSpace(b))
	if u.Slots[slot] == "" {
		return "", fmt.Errorf("%s: expected a or b, found %q", u.Running, clip(b))
	}
	return slot, nil
}

func (u UBoot) other(ctx context.Context) (string, error) {
	slot, err := u.Booted(ctx)
	if slot == "a" {
		return "b", err
	}
	return "a", err
}

// change changes the environment, if f does.
func (u UBoot) change(f func(env map[string]string)) (err error) {
	s, err := os.OpenFile(u.Env, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	env, err := readEnv(s)
	if err != nil {
		return fmt.Errorf("%s: %w", u.Env, err)
	}
	before, err := formatEnv(env)
	if err != nil {
		return err
	}
	f(env)
	if after, err := formatEnv(env); err == nil && bytes.Equal(before, after) {
		return nil
	}
	return writeEnv(s, env)
}

func noTrial(env map[string]string) {
	delete(env, "sealcam_trial")
	delete(env, "sealcam_tries")
}

// Write implements Backend.
func (u UBoot) Write(ctx context.Context, r ota.Release, path string) error {
	slot, err := u.other(ctx)
	if err != nil {
		return err
	}
	if err := u.change(noTrial); err != nil { // nothing starts what is half written
		return err
	}
	return writeImage(ctx, r, path, u.Slots[slot])
}

// Activate implements Backend.
func (u UBoot) Activate(ctx context.Context) error {
	slot, err := u.other(ctx)
	if err != nil {
		return err
	}
	return u.change(func(env map[string]string) { env["sealcam_trial"], env["sealcam_tries"] = slot, "1" })
}

// Good implements Backend.
func (u UBoot) Good(ctx context.Context) error {
	slot, err := u.Booted(ctx)
	if err != nil {
		return err
	}
	return u.change(func(env map[string]string) { env["sealcam_slot"] = slot; noTrial(env) })
}

// Bad implements Backend.
func (u UBoot) Bad(ctx context.Context) error {
	slot, err := u.other(ctx)
	if err != nil {
		return err
	}
	return u.change(func(env map[string]string) { env["sealcam_slot"] = slot; noTrial(env) })
}
