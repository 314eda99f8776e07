// Package cli is what sealcam's commands share: where they read and write,
// how they fail, and how their output looks.
//
// What this package does not do: it has no command of its own and knows no
// noun of the product. It never exits; main does, with the code of Run.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// Env is the world of a command. Tests give it buffers.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Colour bool // Stdout is a terminal that shows colours
	Live   bool // Stdout is a terminal: lines may be rewritten in place
}

// OS returns the Env of this process. Colour follows the terminal and
// NO_COLOR (no-color.org).
func OS() *Env {
	tty := isTerminal(os.Stdout)
	return &Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Colour: tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Live:   tty && os.Getenv("TERM") != "dumb",
	}
}

func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && st.Name() != "null"
}

// Command is one subcommand.
type Command struct {
	Name  string
	Short string // one line, without a full stop
	Run   func(ctx context.Context, env *Env, args []string) error
}

// Exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1 // also: refused
	ExitUsage  = 2
	// ExitRestart is sealcamd's alone: it ended so as to be started again, as
	// another version perhaps.
	ExitRestart = 75
)

type usageError struct{ msg string }

func (u *usageError) Error() string { return u.msg }

// Usagef returns an error that ends the command with ExitUsage.
func Usagef(format string, a ...any) error { return &usageError{fmt.Sprintf(format, a...)} }

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint adds to err what a person can do about it. Packages of the product may
// carry their own hint by a method Hint() string.
func Hint(err error, format string, a ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, a...)}
}

type coded struct {
	error
	code int
}

func (c *coded) Unwrap() error { return c.error }

// Exit has err, if there is one, end the command with code.
func Exit(err error, code int) error {
	if err == nil {
		return nil
	}
	return &coded{err, code}
}

// Silent is an error that has already been told: main exits with its code and
// prints nothing.
type Silent struct{ Code int }

func (s *Silent) Error() string { return fmt.Sprintf("exit %d", s.Code) }

// Flags returns a flag set for a subcommand whose -h prints synopsis, text and
// the flags to env.Stdout.
func (e *Env) Flags(name, synopsis, text string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintf(e.Stdout, "usage: %s\n\n%s\n", synopsis, strings.TrimSpace(text))
		var any bool
		fs.VisitAll(func(*flag.Flag) { any = true })
		if any {
			fmt.Fprintln(e.Stdout)
			fs.SetOutput(e.Stdout)
			fs.PrintDefaults()
			fs.SetOutput(io.Discard)
		}
	}
	return fs
}

// Parse parses args; a wrong flag is a usage error, -h is flag.ErrHelp.
func Parse(fs *flag.FlagSet, args []string) error {
	err := fs.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return Usagef("%v", err)
}

// Report prints err as the product's programs do and returns the exit code.
func Report(env *Env, program string, err error) int {
	var silent *Silent
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return ExitOK
	case errors.As(err, &silent):
		return silent.Code
	case errors.As(err, &usage):
		fmt.Fprintf(env.Stderr, "%s: error: %v\n%s: hint: see %s -h\n", program, err, program, program)
		return ExitUsage
	}
	fmt.Fprintf(env.Stderr, "%s: error: %v\n", program, err)
	if hint := HintOf(err); hint != "" {
		fmt.Fprintf(env.Stderr, "%s: hint: %s\n", program, hint)
	}
	var c *coded
	if errors.As(err, &c) {
		return c.code
	}
	return ExitFailed
}

// HintOf returns the first hint in err's tree, or "".
func HintOf(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	var own interface{ Hint() string }
	if errors.As(err, &own) {
		return own.Hint()
	}
	return ""
}

// Dispatch runs the command that args[0] names.
func Dispatch(ctx context.Context, env *Env, program, about string, table []Command, args []string) error {
	if len(args) == 0 {
		usage(env.Stderr, program, about, table)
		return &Silent{ExitUsage}
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		usage(env.Stdout, program, about, table)
		return nil
	}
	for _, c := range table {
		if c.Name == args[0] {
			return c.Run(ctx, env, args[1:])
		}
	}
	return Usagef("there is no command %q", args[0])
}

func usage(w io.Writer, program, about string, table []Command) {
	fmt.Fprintf(w, "%s\n\nusage: %s COMMAND [FLAGS] [ARGUMENTS]\n\n", about, program)
	width := 0
	for _, c := range table {
		width = max(width, len(c.Name))
	}
	for _, c := range table {
		fmt.Fprintf(w, "  %-*s  %s\n", width, c.Name, c.Short)
	}
	fmt.Fprintf(w, "\n%s COMMAND -h tells more.\n", program)
}
