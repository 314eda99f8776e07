package main

import (
	"context"
	"log/slog"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/bench"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

const benchText = `
Runs the whole path on this machine: a camera, a film or a drawn scene, sealed
by the agent, through a broker with TLS, to a page that shows verified pictures
or refusals. Beside it runs a neighbour's camera, so that the page's drawer can
turn the relay hostile and swap their pictures.

Source is a device (/dev/video0), a motion JPEG AVI, a file or FIFO of JPEGs, of
H.264 or of H.265, a directory of pictures, "-" for standard input, or scene:walk, scene:dusk,
scene:rain, scene:headlights, scene:lamp; "auto" is the first camera here, and a
scene where there is none.
`

// runBench is "sealcam bench".
func runBench(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("bench", "sealcam bench [--source NAME] [--for TIME] [--listen ADDR] [--report FILE] [--save DIR] [--view]", benchText)
	source := fs.String("source", "auto", "where frames come from")
	once := fs.Bool("once", false, "end with the film instead of starting it again")
	span := fs.Duration("for", 0, "how long to run; until interrupted if 0")
	listen := fs.String("listen", "127.0.0.1:8480", "`address` of the page, on this machine")
	report := fs.String("report", "", "`file` to write the measured figures to, as JSON")
	save := fs.String("save", "", "`directory` to keep verified pictures, clips and their proofs in")
	view := fs.Bool("view", false, "watch live view all the time, and tell how fast it is")
	debug := fs.Bool("debug", false, "tell what every part does on standard error")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return cli.Usagef("%q: sealcam bench takes flags only", fs.Arg(0))
	case *span < 0:
		return cli.Usagef("--for %v: expected a time such as 30s", *span)
	}
	level := slog.LevelWarn
	if *debug {
		level = slog.LevelDebug
	}
	return bench.Run(ctx, env, bench.Config{
		Source: agent.Source{Name: *source, Once: *once}, For: *span, Listen: *listen, Report: *report, Save: *save, View: *view,
		Log: slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: level})),
	})
}
