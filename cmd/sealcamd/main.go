// Command sealcamd is the agent that is flashed onto a camera.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// What the linker writes: see cmd/internal/version.
var (
	version = "unknown"
	commit  string
	date    string
	number  = "0" // of the release, which orders updates
)

func main() {
	// A crash must not look like settings that are wrong (2, the runtime's own
	// choice), which nobody starts again: it ends by SIGABRT.
	debug.SetTraceback("crash")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := cli.OS()
	os.Exit(cli.Report(env, "sealcamd", run(ctx, env, os.Args[1:])))
}
