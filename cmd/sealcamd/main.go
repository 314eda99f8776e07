// Command sealcamd is the agent that is flashed onto a camera.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// version is set by the build.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := cli.OS()
	os.Exit(cli.Report(env, "sealcamd", run(ctx, env, os.Args[1:])))
}
