package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/fleet"
)

const fleetText = `
Runs thousands of cameras on this machine: each with its own keys, seals, spool and
connection over MQTT and TLS, as on a board, and without a lens. Their events follow
the hours of a day; networks are cut, the broker is killed and started again, clocks
are wrong, who stands between swaps messages, and some viewers read from a keeper
that lies, all by the seed. In the end what was sealed is compared with what arrived.

Exit code 0 means that nothing was lost, or left where nobody asks for it, and
nothing was shown under a camera or household that did not take it; 1 that it was
not so.

With --broker they publish to a broker that runs already, whose access rules let a
camera write below its own name; no faults befall that, nobody watches, and the
cameras take back in the end what it keeps of them. A camera comes back within
--spread; set it to their number over the connections a second that are to be.

With --growth smaller fleets run first (100, 1000, ...), and a table says what a
camera costs in each.
`

// runFleet is "sealcam fleet".
func runFleet(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("fleet", "sealcam fleet [--cameras N] [--for DURATION] [--seed N] [--faults LIST] [--growth] [--report FILE]", fleetText)
	var c fleet.Config
	fs.IntVar(&c.Cameras, "cameras", fleet.DefaultCameras, "how `many` cameras")
	fs.IntVar(&c.PerHome, "per-home", fleet.DefaultPerHome, "how `many` cameras a household has")
	fs.DurationVar(&c.For, "for", fleet.DefaultFor, "how long, once all cameras are there")
	fs.DurationVar(&c.Day, "day", 0, "how long a day takes (default as long as all)")
	fs.Float64Var(&c.Events, "events", fleet.DefaultEvents, "how `many` events a camera has in a day")
	fs.IntVar(&c.Size, "size", fleet.DefaultSize, "typical `bytes` of a picture")
	fs.Uint64Var(&c.Seed, "seed", 1, "`number` from which everything follows that happens by chance")
	fs.DurationVar(&c.Spread, "spread", fleet.DefaultSpread, "over what time cameras come back that lost their broker together")
	fs.IntVar(&c.Handshakes, "handshakes", fleet.DefaultHandshakes, "how `many` connections a second the broker takes")
	fs.IntVar(&c.Watched, "watched", 0, "how `many` households have a viewer that opens everything (default 5)")
	fs.StringVar(&c.Broker, "broker", "", "`URL` of a broker that runs already (mqtts://HOST:8883, or several with commas), in place of one on this machine; the cameras' side is measured, and what the broker acknowledges")
	fs.StringVar(&c.Household, "household", "", "with --broker: `directory` of the household whose authority the broker trusts; the cameras get certificates of it, good for this run's keys")
	fs.IntVar(&c.Nodes, "nats", 0, "let the cameras publish to a cluster of so `many` nats-servers on this machine, in place of a broker")
	faults := fs.String("faults", strings.Join(fleet.FaultNames(), ","), "what goes wrong, a `list` with commas; none for nothing")
	dir := fs.String("dir", "", "`directory` for keys and spools, which is emptied (default a temporary one, in memory where there is /dev/shm)")
	growth := fs.Bool("growth", false, "run fleets of 100, 1000, ... first")
	file := fs.String("report", "", "`file` to write the report to, as JSON")
	part := fs.String("part", "", "run a `part` of a fleet: for the command itself")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return cli.Usagef("%q: sealcam fleet takes flags only", fs.Arg(0))
	}
	if *part != "" {
		return fleet.Part(*part, os.Stdin, env.Stdout, env.Stderr)
	}
	c.Faults = []string{}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case c.Broker != "" && !given["faults"]:
		c.Faults = nil // those of the cameras' side
	case *faults != "" && *faults != "none":
		c.Faults = strings.Split(*faults, ",")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.Command = func(part string) *exec.Cmd { return exec.Command(self, "fleet", "--part", part) }
	c.Out, c.Tell = env.Stderr, fleetTeller(env)
	all, err := liveFleets(ctx, c, *dir, *growth)
	if err != nil {
		return err
	}
	return tellFleet(env, all, *file)
}

// liveFleets runs one fleet, or several that grow.
func liveFleets(ctx context.Context, c fleet.Config, dir string, growth bool) (all fleet.Reports, err error) {
	sizes := []int{c.Cameras}
	if growth {
		sizes = fleet.Sizes(c.Cameras)
	}
	for _, n := range sizes {
		c.Cameras = n
		r, err := liveFleet(ctx, c, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// liveFleet runs one fleet in a directory of its own.
func liveFleet(ctx context.Context, c fleet.Config, dir string) (r *fleet.Report, err error) {
	if dir == "" {
		if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
			dir = "/dev/shm"
		}
	}
	if c.Dir, err = os.MkdirTemp(dir, "sealcam-fleet-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(c.Dir)
	if err := c.WithDefaults().Validate(); err != nil {
		return nil, cli.Usagef("%v", err)
	}
	return fleet.Run(ctx, c)
}

// tellFleet prints reports and writes them to a file, if there is to be one.
func tellFleet(env *cli.Env, all fleet.Reports, file string) error {
	if env.Live {
		fmt.Fprint(env.Stdout, "\r\x1b[K")
	}
	if err := all.WriteTable(env.Stdout); err != nil {
		return err
	}
	if file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		if err := all.WriteJSON(f); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if all.Passed() {
		fmt.Fprintln(env.Stdout, env.Paint(cli.Good, "passed"))
		return nil
	}
	fmt.Fprintln(env.Stdout, env.Paint(cli.Bad, "failed"))
	return &cli.Silent{Code: cli.ExitFailed}
}

// fleetTeller keeps one line of a terminal up to date, or writes one every ten
// seconds where there is none.
func fleetTeller(env *cli.Env) func(fleet.Progress) {
	var told time.Time
	return func(p fleet.Progress) {
		every, begin, end := 500*time.Millisecond, "\r\x1b[K", ""
		if !env.Live {
			every, begin, end = 10*time.Second, "", "\n"
		}
		now := time.Now()
		if now.Sub(told) < every {
			return
		}
		told = now
		fmt.Fprint(env.Stdout, begin, p, end)
	}
}
