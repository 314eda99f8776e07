package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/engine"
	"github.com/sealcam/sealcam/uplink/ota/slot"
)

const updateSynopsis = "sealcamd [-config FILE] update [status | check | confirm | reject]"

const updateHelp = `Shows and judges updates of this camera. To be run as the user that sealcamd runs as.

  status   what runs, what is installed, and how the last trial ended (default)
  check    ask the repository what may be installed here
  confirm  keep what is on trial, without waiting for its proof
  reject   give up what is on trial: the version before runs again
`

// update is the command "update".
func update(ctx context.Context, env *cli.Env, s agent.Settings, args []string) error {
	flags := env.Flags("sealcamd update", updateSynopsis, updateHelp)
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return cli.Usagef("expected: %s", updateSynopsis)
	}
	if flags.Arg(0) == "check" {
		return checkUpdate(ctx, env, s)
	}
	if _, err := os.Stat(filepath.Join(s.State, agent.UpdateDir)); errors.Is(err, fs.ErrNotExist) && s.Update.Engine == "agent" {
		fmt.Fprintf(env.Stdout, "runs  %s, as it was flashed; nothing was ever installed\n", version)
		return nil
	}
	installer, closer, err := agent.OpenInstaller(s, agent.Host{Firmware: version, Number: factory().Number})
	if err != nil {
		return hintUser(s, err)
	}
	defer closer.Close()
	switch flags.Arg(0) {
	case "", "status":
		return printUpdate(ctx, env, installer)
	case "confirm":
		err = installer.Confirm(ctx)
	case "reject":
		err = installer.Reject(ctx, "a person gave it up")
	default:
		return cli.Usagef("expected: %s", updateSynopsis)
	}
	if errors.Is(err, slot.ErrNoTrial) || errors.Is(err, engine.ErrNoTrial) {
		return cli.Hint(err, "sealcamd update status shows what runs")
	}
	if err != nil {
		return hintUser(s, err)
	}
	fmt.Fprintln(env.Stdout, map[string]string{
		"confirm": "confirmed: it is what starts from now on",
		"reject":  "given up: the version before starts, as soon as the running sealcamd has noticed",
	}[flags.Arg(0)])
	return nil
}

// hintUser says who may do this.
func hintUser(s agent.Settings, err error) error {
	return cli.Hint(err, "run this as the user that owns %s, as in: sudo -u sealcam sealcamd update", s.State)
}

// checkUpdate asks the repository, as the running camera does now and then.
func checkUpdate(ctx context.Context, env *cli.Env, s agent.Settings) error {
	if s.Update.URL == "" {
		return cli.Hint(errors.New("the settings name no repository"), "set update.url")
	}
	board, _, err := boards.Choose(s.Board, os.DirFS("/"))
	if err != nil {
		return err
	}
	source, err := agent.OpenSource(s, board.Name, nil, newLog(env.Stderr, s.Log))
	if err != nil {
		return err
	}
	r, err := source.Check(ctx)
	if err != nil {
		return err
	}
	if r == nil {
		fmt.Fprintln(env.Stdout, "nothing is meant for this camera")
		return nil
	}
	fmt.Fprintf(env.Stdout, "%s %s  number %d, %d bytes\n", r.Kind, r.Version, r.Number, r.Size)
	return nil
}

// printUpdate prints what is installed.
func printUpdate(ctx context.Context, env *cli.Env, installer ota.Installer) error {
	store, ok := installer.(*slot.Store)
	if !ok {
		return printSystem(ctx, env, installer)
	}
	v, err := store.View()
	if err != nil {
		return err
	}
	said := func(n slot.Name) string {
		switch {
		case n == v.Trial && v.Started:
			return "on trial"
		case n == v.Trial:
			return "to be tried by the next start"
		case n == v.Confirmed:
			return "confirmed"
		}
		return ""
	}
	line := func(name, what, role string) { fmt.Fprintf(env.Stdout, "%-9s %-28s %s\n", name, what, role) }
	line("flashed", fmt.Sprintf("%s (number %d)", version, factory().Number), said(slot.Factory))
	for _, x := range []struct {
		name slot.Name
		held *slot.Held
	}{{slot.A, v.A}, {slot.B, v.B}} {
		if x.held != nil {
			line("slot "+string(x.name), fmt.Sprintf("%s (number %d)", x.held.Version, x.held.Number), said(x.name))
		}
	}
	for _, words := range []string{v.Fell, v.Damage} {
		if words != "" {
			line("trouble", words, "")
		}
	}
	return nil
}

func printSystem(ctx context.Context, env *cli.Env, installer ota.Installer) error {
	st, err := installer.Status(ctx)
	if err != nil {
		return err
	}
	role := "confirmed"
	if st.Trial {
		role = "on trial"
	}
	fmt.Fprintf(env.Stdout, "slot %-8s %s  %s; newest confirmed number %d\n", st.Slot, st.Version, role, st.Number)
	if st.Fell != "" {
		fmt.Fprintf(env.Stdout, "trouble   %s\n", st.Fell)
	}
	return nil
}
