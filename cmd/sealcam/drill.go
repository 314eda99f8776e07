package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/drill"
)

const drillText = `
Tries to show people strangers' pictures. True cameras of several households seal
36 hours of pictures and clips; a hostile relay and a hostile cache stand between
them and many viewers. They swap, replay, delay, change, forge and mix what was
sealed, drop, double, reorder and cut clips, and let everybody reconnect at once.
Then viewers that were away read what they missed from a keeper that lies.
What each viewer shows is compared with what the cameras sealed, of which the drill
keeps its own account.

Exit code 0 means that no picture was shown wrongly, and that every authentic one
was shown or is accounted for; 1 that it was not so. The same seed gives the same
drill again.

With --broker the way is a real one, over MQTT and TLS, and the drill is shorter:
mosquitto starts the one that is installed; at any other the certificate must be
allowed to publish and to subscribe below sealcam/v1/. With --viewer exec:COMMAND
another program takes the viewer's place; how it is spoken to is written in the
documentation of cmd/internal/drill.
`

// runDrill is "sealcam drill".
func runDrill(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("drill", "sealcam drill [--deliveries N] [--report FILE] [--seed N] [--viewer exec:COMMAND] [--broker mosquitto|URL]", drillText)
	c := drill.Config{Stderr: env.Stderr, Now: time.Now}
	fs.IntVar(&c.Deliveries, "deliveries", 0, "how `many` messages are delivered, to all viewers together (default 1000000; over a broker 20000)")
	fs.IntVar(&c.Households, "households", 0, "how `many` households (default 3)")
	fs.IntVar(&c.Cameras, "cameras", 0, "how `many` cameras each household has (default 3)")
	fs.IntVar(&c.Sessions, "viewers", 0, "how `many` viewers look (default one for each thousand deliveries, at most 1000; over a broker for each 500, at most 200)")
	fs.IntVar(&c.Workers, "workers", 0, "how `many` viewers at a time (default one for each processor)")
	fs.Uint64Var(&c.Seed, "seed", 1, "`number` from which everything follows that happens")
	var way drillWay
	fs.StringVar(&way.broker, "broker", "", "mosquitto, or the `URL` of a broker, to go over")
	fs.StringVar(&way.ca, "broker-ca", "", "`file` with the authority of the broker's certificate")
	fs.StringVar(&way.cert, "broker-cert", "", "`file` with the certificate to show to the broker")
	fs.StringVar(&way.key, "broker-key", "", "`file` with its key")
	viewer := fs.String("viewer", "", "exec:COMMAND, a `program` with its arguments that takes the viewer's place")
	report := fs.String("report", "", "`file` to write the report to, as JSON")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return cli.Usagef("%q: sealcam drill takes flags only", fs.Arg(0))
	}
	if command, ok := strings.CutPrefix(*viewer, "exec:"); ok {
		c.Exec = strings.Fields(command)
	}
	if *viewer != "" && len(c.Exec) == 0 {
		return cli.Usagef("--viewer %q: expected exec: and a command", *viewer)
	}
	end, err := way.open(ctx, env, &c)
	if err != nil {
		return err
	}
	defer end()
	if err := c.Validate(); err != nil {
		return cli.Usagef("%v", err)
	}
	done := showProgress(env, &c)
	r, err := drill.Run(ctx, c)
	done()
	if err != nil {
		return err
	}
	return tellDrill(env, r, *report)
}

// tellDrill prints the report and writes it to a file, if there is to be one.
func tellDrill(env *cli.Env, r *drill.Report, file string) error {
	if err := r.WriteTable(env.Stdout); err != nil {
		return err
	}
	if file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		if err := r.WriteJSON(f); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if r.Passed() {
		fmt.Fprintf(env.Stdout, "%s\n", env.Paint(cli.Good, "passed"))
		return nil
	}
	fmt.Fprintf(env.Stdout, "%s\n", env.Paint(cli.Bad, "failed"))
	return &cli.Silent{Code: cli.ExitFailed}
}

// showProgress makes c keep one line of a terminal up to date. done ends it.
func showProgress(env *cli.Env, c *drill.Config) (done func()) {
	if !env.Live {
		return func() {}
	}
	var began, told time.Time
	total := c.Deliveries
	c.Progress = func(deliveries, wrong int) {
		now := time.Now()
		if began.IsZero() {
			began, told = now, now // the cameras have sealed their days
		}
		if now.Sub(told) < 250*time.Millisecond {
			return
		}
		told = now
		rate := float64(deliveries) / max(now.Sub(began).Seconds(), 0.001)
		left := time.Duration(float64(total-deliveries) / max(rate, 1) * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(env.Stdout, "\r\x1b[K%3d %%  %d of %d deliveries, %.0f a second, %v left, %d shown wrongly", 100*deliveries/total, deliveries, total, rate, left, wrong)
	}
	return func() { fmt.Fprint(env.Stdout, "\r\x1b[K") }
}
