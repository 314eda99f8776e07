// Package boardtool is the command "board", which the agent has on a board and the
// owner's tool on a desk: it lists and shows boards, drives their parts one by one
// while a camera watches, and parks them.
//
// What this package does not do: it knows no board (boards does), opens no pin
// (cmd/internal/pins) and decides nothing about light (capture/daynight).
package boardtool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/pins"
)

// Tool is the command, with what it needs of the world.
type Tool struct {
	Program string // the name of the program that has it, for its help
	Root    fs.FS  // the file system from its root
	Host    func(*slog.Logger) (pins.Host, error)
	Open    func(ctx context.Context, source string) (capture.Camera, error)
}

// New returns the command for this machine. open opens the camera that board test
// looks through.
func New(program string, open func(ctx context.Context, source string) (capture.Camera, error)) Tool {
	return Tool{Program: program, Root: os.DirFS("/"), Host: pins.System, Open: open}
}

// Run runs "PROGRAM board ARGS".
func (c Tool) Run(ctx context.Context, env *cli.Env, args []string) error {
	return cli.Dispatch(ctx, env, c.Program+" board", "Boards: which pin is the cut filter, which the lamp", []cli.Command{
		{Name: "list", Short: "list the boards that are known, and which this machine is", Run: c.list},
		{Name: "show", Short: "show a board's pins and wiring", Run: c.show},
		{Name: "test", Short: "drive each part of a board, and look at the picture's answer", Run: c.test},
		{Name: "park", Short: "put the lamp off and take current off the filter", Run: c.park},
	}, args)
}

func (c Tool) list(_ context.Context, env *cli.Env, args []string) error {
	flags := env.Flags("board list", c.Program+" board list", "Lists the boards that are built in. A star marks what the device tree of this machine names.")
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return cli.Usagef("%q: board list takes nothing", flags.Arg(0))
	}
	here, why := boards.Detect(c.Root)
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  BOARD\tNAME\tWIRING\tTRIED ON THIS BOARD")
	for _, name := range boards.Names() {
		p, err := boards.Named(name)
		if err != nil {
			return err
		}
		mark, wiring, tried := " ", string(p.Wiring), "yes"
		if name == here.Name {
			mark = "*"
		}
		if wiring == "" {
			wiring = "none"
		}
		if strings.HasPrefix(p.Tried, "nothing") {
			tried = "no"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\n", mark, name, p.Title, wiring, tried)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "\n* this machine: %s\n", why)
	return nil
}

const showText = `
Shows a board: its pins, where they are found, what is wired to them, what has to
be done once, and what was really tried. BOARD is a name from board list
or a file; nothing means this machine.
`

func (c Tool) show(_ context.Context, env *cli.Env, args []string) error {
	flags := env.Flags("board show", c.Program+" board show [--source] [BOARD]", showText)
	source := flags.Bool("source", false, "print the profile's file, to start one's own from")
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	p, err := c.profile(flags.Args())
	if err != nil {
		return err
	}
	if *source {
		data, err := boards.Source(p.Name)
		if err != nil {
			return err
		}
		_, err = env.Stdout.Write(data)
		return err
	}
	return writeBoard(env, p)
}

// profile returns the board that the one argument names, or this machine.
func (c Tool) profile(args []string) (*boards.Profile, error) {
	switch len(args) {
	case 0:
		p, _ := boards.Detect(c.Root)
		return p, nil
	case 1:
		if args[0] == "auto" {
			return c.profile(nil)
		}
		p, _, err := boards.Choose(args[0], c.Root)
		return p, err
	}
	return nil, cli.Usagef("one BOARD was expected, found %d", len(args))
}

func writeBoard(env *cli.Env, p *boards.Profile) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", key, value)
		}
	}
	list := func(key string, values []string) {
		for _, v := range values {
			line(key, v)
			key = ""
		}
	}
	line("board", p.Name)
	line("name", p.Title)
	list("compatible", p.Compatible)
	switch p.Wiring {
	case boards.Fixed:
		line("wiring", "fixed: these pins are soldered")
	case boards.Proposed:
		line("wiring", "proposed: this header is free, and driven only if you name the board")
	default:
		line("wiring", "none: no pins are needed")
	}
	line("tried", p.Tried)
	if err := w.Flush(); err != nil {
		return err
	}
	if uses := p.Uses(); len(uses) > 0 {
		fmt.Fprintln(env.Stdout)
		fmt.Fprintln(w, "PIN\tDOES\tWHERE")
		for _, u := range uses {
			fmt.Fprintf(w, "%s\t%s\t%s\n", u.Pin, u.Does, u.Where)
		}
		if s := p.Status; s != nil && s.LED != "" {
			fmt.Fprintf(w, "%s\tstatus light, held by the kernel\t/sys/class/leds/%s\n", s.LED, s.LED)
		}
		if a := p.Ambient; a != nil {
			where := a.Bus
			if where == "" {
				where = "/sys/bus/iio/devices"
			}
			fmt.Fprintf(w, "%s\tlight sensor\t%s\n", a.Kind, where)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if len(p.Setup)+len(p.Sources) > 0 {
		fmt.Fprintln(env.Stdout)
		list("once", p.Setup)
		list("sources", p.Sources)
	}
	return w.Flush()
}

const parkText = `
Puts a board's lamp off, takes current off its filter and puts the status light
off. For a service that ended: the kernel leaves pins as they were last driven.
BOARD is as in sealcamd's settings: a name, a file, or auto.
`

func (c Tool) park(_ context.Context, env *cli.Env, args []string) error {
	flags := env.Flags("board park", c.Program+" board park BOARD", parkText)
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return cli.Usagef("one BOARD was expected, found %d", flags.NArg())
	}
	p, _, err := boards.Choose(flags.Arg(0), c.Root)
	if err != nil {
		return err
	}
	b, err := c.openBoard(env, p)
	if err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "parked %s: lamp off, no current in the filter\n", p.Name)
	return nil
}

// openBoard opens and parks a board's pins.
func (c Tool) openBoard(env *cli.Env, p *boards.Profile) (*pins.Board, error) {
	if !p.HasPins() {
		return nil, cli.Hint(fmt.Errorf("board %s has no pins", p.Name), "name a board: %s board list shows them", c.Program)
	}
	log := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	host, err := c.Host(log)
	if err != nil {
		return nil, err
	}
	b, err := pins.Open(p, host, log)
	if err != nil {
		return nil, cli.Hint(err, "%s board show %s says what is expected where", c.Program, p.Name)
	}
	return b, nil
}

var errBoardFailed = errors.New("not everything on this board works as its profile says")
