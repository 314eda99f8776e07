// Command sealcam is the owner's tool: it pairs cameras with a household,
// shows verified pictures or refusals, and tries the whole path on a bench.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/boardtool"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	stamp "github.com/sealcam/sealcam/cmd/internal/version"
)

// What the linker writes: see cmd/internal/version.
var (
	version = "unknown"
	commit  string
	date    string
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, cli.OS(), os.Args[1:]))
}

const about = "sealcam: pictures that are verified where they are looked at"

// commands lists every subcommand in the order in which a newcomer meets them.
func commands() []cli.Command {
	return []cli.Command{
		{Name: "bench", Short: "try the whole path on this machine, from lens to verified picture", Run: runBench},
		{Name: "household", Short: "make a household, take cameras in, let viewers look", Run: runHousehold},
		{Name: "pair", Short: "take a camera in by showing it a code", Run: runPair},
		{Name: "watch", Short: "show verified pictures and refusals, one line each", Run: runWatch},
		{Name: "fetch", Short: "get what a camera has recorded between two times", Run: runFetch},
		{Name: "privacy", Short: "close a camera, or open it again", Run: runPrivacy},
		{Name: "settings", Short: "set cameras from afar, signed and taken back if they fail", Run: runSettings},
		{Name: "keep", Short: "keep what cameras seal, for viewers that were away", Run: runKeep},
		{Name: "bridge", Short: "show the cameras in Home Assistant", Run: runBridge},
		{Name: "verify", Short: "check sealed files", Run: runVerify},
		{Name: "export", Short: "write plain media with a proof that needs no key", Run: runExport},
		{Name: "inspect", Short: "say what a file shows to everybody", Run: runInspect},
		{Name: "drill", Short: "try to show people strangers' pictures, millions of times", Run: runDrill},
		{Name: "fleet", Short: "run thousands of cameras at once, and let things go wrong", Run: runFleet},
		{Name: "devices", Short: "list the cameras of this machine, or try one", Run: runDevices},
		{Name: "board", Short: "list and show boards, try their pins", Run: boardtool.New("sealcam", openCamera).Run},
		{Name: "daynight", Short: "decide a recorded trace of day and night again, and draw it", Run: runDaynight},
		{Name: "motion", Short: "show what the motion detector makes of a film", Run: runMotion},
		{Name: "model", Short: "say what a model file takes, and how long it looks", Run: runModel},
		{Name: "view", Short: "serve the page that shows verified pictures", Run: runView},
		{Name: "release", Short: "sign and serve what cameras install", Run: runRelease},
		{Name: "version", Short: "say what this program is: version, build and hash", Run: runVersion},
	}
}

func run(ctx context.Context, env *cli.Env, args []string) int {
	return cli.Report(env, "sealcam", cli.Dispatch(ctx, env, "sealcam", about, commands(), args))
}

func runVersion(_ context.Context, env *cli.Env, args []string) error {
	return stamp.Command(env, "sealcam", stamp.Stamp{Version: version, Commit: commit, Date: date}, args)
}

// openCamera opens a camera for board test.
func openCamera(ctx context.Context, source string) (capture.Camera, error) {
	return agent.Source{Name: source}.Auto().Open(ctx)
}
