//go:build linux

// Command prepare makes the lab's boards before the first test needs them, so
// that a person sees what is being fetched and built. With -install it lets
// apt install what the host lacks.
//
// What this command does not do: it boots nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	install := flag.Bool("install", false, "install missing Debian packages with apt-get (as root)")
	flag.Parse()
	if err := run(ctx, *install); err != nil {
		fmt.Fprintln(os.Stderr, "lab: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, install bool) error {
	if missing := lab.Missing(); install && len(missing) > 0 && os.Geteuid() == 0 {
		for _, args := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, missing...)} {
			say("apt-get " + strings.Join(args, " "))
			cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("apt-get %s: %w", args[0], err)
			}
		}
	}
	for _, arch := range []lab.Arch{lab.ARM64, lab.ARMv7} {
		board, err := lab.Prepare(ctx, arch, say)
		if err != nil {
			return err
		}
		say(fmt.Sprintf("%s: ready, kernel %s", arch, board.Release))
	}
	return nil
}

func say(line string) { fmt.Fprintln(os.Stderr, "lab:", line) }
