package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// KeyVariable names the environment variable with the path of the key that signs.
const KeyVariable = "SIGNING_KEY"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := cli.OS()
	os.Exit(cli.Report(env, "release", run(ctx, env, os.Args[1:])))
}

func run(ctx context.Context, env *cli.Env, args []string) error {
	if len(args) > 0 && args[0] == "verify" {
		return runVerify(env, args[1:])
	}
	if len(args) > 0 && args[0] == "check" {
		return runCheck(ctx, env, args[1:])
	}
	fs := env.Flags("release", "release [-out DIR] [-only ARCH,...] [-number N] [-root FILE] [-dirty]", "Makes what is published, of the commit that is checked out.")
	c, err := parse(ctx, env, fs, args)
	if err != nil {
		return err
	}
	if err := c.make(ctx); err != nil {
		return err
	}
	if c.Key == nil {
		fmt.Fprintf(env.Stderr, "release: NOT SIGNED: anybody could have made these files; %s=FILE, an Ed25519 or P-256 key as PEM, signs them\n", KeyVariable)
	}
	if c.Stamp.Number == 0 {
		fmt.Fprintln(env.Stderr, "release: not numbered: flashed over an older one, this agent gives way to the update that was confirmed before; -number N, above that, prevents it")
	}
	fmt.Fprintf(env.Stdout, "%s of %s is in %s\n", c.Stamp.Version, c.Stamp.Commit, c.Out)
	return nil
}

// parse returns the Config of args, for the tree that is the working directory.
func parse(ctx context.Context, env *cli.Env, fs *flag.FlagSet, args []string) (*Config, error) {
	out := fs.String("out", "build/release", "`directory` to write to; what was there is removed")
	only := fs.String("only", "", "these `architectures` alone, such as armv7,arm64")
	number := fs.Uint64("number", 0, "the `number` that the release has among updates, the same as for sealcam release add; an agent without one gives way to every update that was confirmed")
	root := fs.String("root", "", "whose updates cameras take: the root.json `file` of sealcam release init, installed as /etc/sealcam/root.json (default: nobody's)")
	dirty := fs.Bool("dirty", false, "allow uncommitted changes; the version says so")
	if err := cli.Parse(fs, args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, cli.Usagef("there is no command %q", fs.Arg(0))
	}
	tree, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	c := &Config{Tree: tree, Out: *out, Say: func(line string) { fmt.Fprintln(env.Stderr, line) }}
	if *root != "" {
		if c.Root, err = filepath.Abs(*root); err != nil {
			return nil, err
		}
	}
	if c.Targets, err = choose(*only); err != nil {
		return nil, err
	}
	if c.Stamp, err = describe(ctx, tree, *number); err != nil {
		return nil, err
	}
	if c.Stamp.Dirty && !*dirty {
		return nil, cli.Hint(fmt.Errorf("the tree has changes that are in no commit: nobody could make this release again"), "commit them, or use -dirty to try something")
	}
	if file := os.Getenv(KeyVariable); file != "" {
		if c.Key, err = readKey(file); err != nil {
			return nil, fmt.Errorf("%s: %w", KeyVariable, err)
		}
	}
	return c, nil
}

// choose returns the targets with the given names, separated by commas; all for "".
func choose(names string) ([]Target, error) {
	if names == "" {
		return targets(), nil
	}
	var chosen []Target
next:
	for name := range strings.SplitSeq(names, ",") {
		for _, t := range targets() {
			if t.Name == name {
				chosen = append(chosen, t)
				continue next
			}
		}
		return nil, cli.Usagef("there is no architecture %q", name)
	}
	return chosen, nil
}
