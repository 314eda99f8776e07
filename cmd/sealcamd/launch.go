package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sealcam/sealcam/boards/toml"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/slot"
)

// factory is what this binary is when it was flashed.
func factory() slot.Running {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		n = 0
	}
	return slot.Running{Slot: slot.Factory, Version: version, Number: n}
}

// launch replaces this process by the slot that shall run, with its arguments and
// its environment as they are: the process keeps its number, which a service
// manager has told it to. It returns if this binary is what shall run, or nothing
// else can. It is the first thing that a start does, with as little of the
// settings as it needs: an update may know more of them than what was flashed.
func launch(env *cli.Env, config string) {
	dir := filepath.Join(stateOf(config), agent.UpdateDir)
	if _, err := os.Stat(dir); slot.FromEnv(os.Getenv) != nil || os.IsNotExist(err) {
		return
	}
	say := func(format string, a ...any) { fmt.Fprintf(env.Stderr, "sealcamd: update: "+format+"\n", a...) }
	store, err := slot.Open(dir, factory(), nil)
	if err != nil {
		say("what was flashed runs, for no slot can: %v", err)
		return
	}
	defer store.Close()
	for range 2 { // what was confirmed, if the trial cannot even begin
		c := store.Launch()
		for _, note := range c.Notes {
			say("%s", note)
		}
		if c.Path == "" {
			return
		}
		err := execute(c)
		say("slot %s cannot be started, %s of number %d: %v", c.Slot, c.Version, c.Number, err)
		if !c.Trial || store.Reject(context.Background(), fmt.Sprintf("it cannot be started: %v", err)) != nil {
			return
		}
	}
}

func execute(c slot.Choice) error {
	err := syscall.Exec(c.Path, os.Args, append(os.Environ(), c.Env()))
	return &fs.PathError{Op: "exec", Path: c.Path, Err: err}
}

// judged has a process end so that it is started again, where another version is to
// run. A version on trial that ends with an error has shown that it is none, and its
// own code might tell a supervisor not to start anything any more.
func judged(config string, err error) error {
	running := slot.FromEnv(os.Getenv)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	if running != nil && running.Trial && !errors.Is(err, ota.ErrRestart) {
		store, bad := slot.Open(filepath.Join(stateOf(config), agent.UpdateDir), slot.Running{}, running)
		if bad == nil {
			bad = errors.Join(store.Reject(context.Background(), err.Error()), store.Close())
		}
		if bad != nil {
			err = fmt.Errorf("%w (and the verdict is not on record: %v)", err, bad)
		}
		return cli.Exit(err, cli.ExitRestart)
	}
	if errors.Is(err, ota.ErrRestart) {
		return cli.Exit(err, cli.ExitRestart)
	}
	return err
}

// stateOf returns the state directory that the settings at path name, whatever
// else is or is not right with them.
func stateOf(path string) string {
	all := map[string]any{}
	if _, err := toml.DecodeFile(path, &all); err == nil {
		for key, value := range all {
			if dir, ok := value.(string); ok && strings.EqualFold(key, "state") && filepath.IsAbs(dir) {
				return dir
			}
		}
	}
	return agent.Defaults().State
}
