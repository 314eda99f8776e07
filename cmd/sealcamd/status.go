package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/local"
)

// status says how the camera is that runs here.
func status(ctx context.Context, env *cli.Env, s agent.Settings, args []string) error {
	flags := env.Flags("status", "sealcamd status [-json]", "Says how the camera is that runs here: its health, uplink, storage and software.")
	asJSON := flags.Bool("json", false, "as JSON, for programs")
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return cli.Usagef("expected: sealcamd status [-json]")
	}
	r, err := local.Ask(ctx, local.Sockets(s.State))
	switch {
	case errors.Is(err, local.ErrNobody):
		return cli.Hint(err, "no sealcamd runs with these settings; start it, or name its settings with -config")
	case errors.Is(err, fs.ErrPermission):
		return cli.Hint(err, "the camera's own user and group may ask, and root")
	case err != nil:
		return err
	}
	if *asJSON {
		e := json.NewEncoder(env.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	local.Print(env, r)
	return nil
}
