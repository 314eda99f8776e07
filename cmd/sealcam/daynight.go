package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// runDaynight is "sealcam daynight".
func runDaynight(ctx context.Context, env *cli.Env, args []string) error {
	return cli.Dispatch(ctx, env, "sealcam daynight", "Day and night: what the controller saw and decided", []cli.Command{
		{Name: "replay", Short: "decide a recorded trace again, and draw it", Run: runReplay},
	}, args)
}

const replayText = `
Decides again what a camera decided: reads a trace that sealcamd recorded
([light] trace = true), prints every decision with its time and reason, and says
whether today's program decides the same. Exit code 1 means that it does not.
TRACE is a file, or "-" for standard input.
`

// runReplay is "sealcam daynight replay".
func runReplay(_ context.Context, env *cli.Env, args []string) error {
	flags := env.Flags("daynight replay", "sealcam daynight replay [--plot FILE.svg] TRACE", replayText)
	plot := flags.String("plot", "", "draw what was seen and decided into this `file`, an SVG")
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return cli.Usagef("one TRACE was expected, found %d", flags.NArg())
	}
	if *plot != "" && filepath.Ext(*plot) != ".svg" {
		return cli.Usagef("--plot %s: the drawing is an SVG, expected a name that ends in .svg", *plot)
	}
	in := env.Stdin
	if name := flags.Arg(0); name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	r := replay{out: bufio.NewWriter(env.Stdout)}
	err := r.run(in)
	if ferr := r.out.Flush(); err == nil {
		err = ferr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	if *plot != "" {
		if err := writePlot(*plot, &r.chart); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "drawn: %s\n", *plot)
	}
	if r.different > 0 {
		return &cli.Silent{Code: cli.ExitFailed}
	}
	return nil
}

// replay is one trace that is decided again.
type replay struct {
	out       *bufio.Writer
	chart     chart
	last      daynight.Action
	steps     int
	from, to  time.Duration
	started   bool
	different int
	first     daynight.Replayed // that is decided differently
	moves     int
}

func (r *replay) run(trace io.Reader) error {
	cfg, err := daynight.Replay(trace, r.step)
	if err != nil {
		return err
	}
	r.chart.dark = cfg.Dark
	if r.steps == 0 {
		return errors.New("a trace without steps")
	}
	fmt.Fprintf(r.out, "\n%d steps over %v, %d moves of the filter\n", r.steps, (r.to - r.from).Round(time.Second), r.moves)
	if r.different == 0 {
		fmt.Fprintln(r.out, "decided as recorded, every step")
		return nil
	}
	f := r.first
	fmt.Fprintf(r.out, "%d steps are decided differently now, the first on line %d, at %s:\n", r.different, f.Line, r.clock(f.Input))
	fmt.Fprintf(r.out, "  recorded  %s\n  now       %s\n", words(f.Recorded), words(f.Now))
	fmt.Fprintln(r.out, "From there on the pictures belong to another past, and say less.")
	return nil
}

func (r *replay) step(s daynight.Replayed) error {
	if !r.started {
		r.from, r.started = s.Input.At, true
	}
	r.steps, r.to = r.steps+1, s.Input.At
	if !s.Same() {
		if r.different == 0 {
			r.first = s
		}
		r.different++
	}
	if s.Now.Light != r.last.Light || s.Now.Reason != r.last.Reason {
		fmt.Fprintf(r.out, "%s  %s\n", r.clock(s.Input), words(s.Now))
	}
	if r.last.Filter != 0 && s.Now.Filter != r.last.Filter {
		r.moves++
	}
	r.last = s.Now
	r.chart.add(s)
	return nil
}

// clock is the time of day if the camera knew it, and the time since the trace's
// beginning.
func (r *replay) clock(in daynight.Input) string {
	since := in.At - r.from
	text := fmt.Sprintf("%3d:%02d:%04.1f", int(since.Hours()), int(since.Minutes())%60, (since % time.Minute).Seconds())
	if in.Clock >= 0 {
		text += fmt.Sprintf(" (%02d:%02d)", int(in.Clock.Hours()), int(in.Clock.Minutes())%60)
	}
	return text
}

func words(a daynight.Action) string {
	lamp := "off"
	if a.Lamp > 0 {
		lamp = fmt.Sprintf("%.0f %%", 100*a.Lamp)
	}
	return fmt.Sprintf("%-9s  filter %-5s  lamp %-5s  %s", a.Light, a.Filter, lamp, a.Reason)
}
