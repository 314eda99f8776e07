//go:build linux

// Command guest is what the lab puts into an emulated board: as process 1 it
// sets the board up and runs the host's commands; under its own name it is a
// small box of tools that a test needs and Debian's busybox does not have.
//
// What this command does not do: it is no part of the product, and it does
// nothing that a real board's init would do for sealcamd.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if os.Getpid() == 1 {
		initBoard()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "guest: error:", err)
		os.Exit(1)
	}
}

const usage = `usage: guest mjpeg [-device /dev/video10] [-size 1920x1080] [-rate 10] [-frames 0] FILE...
       guest look [-size 1920x1080] [-pixel YUYV] [-frames 5] DEVICE
       guest capture [-size 640x360] [-rate 15] [-pixel yuyv] DEVICE
       guest encode [-size 640x360] [-pixel yuyv] [-draw] [-feeds NV12] [-frames 30] DEVICE
       guest hold DEVICE
       guest controls DEVICE
       guest set DEVICE NAME=VALUE...
       guest cold TEXT COMMAND...
       guest netem INTERFACE [delay=300ms] [loss=20%] [rate=64kbit]`

// run runs one tool. Tools that go on until stopped end with ctx and nil.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no tool named\n%s", usage)
	}
	switch args[0] {
	case "mjpeg":
		return mjpeg(ctx, args[1:], stdout)
	case "look":
		return look(args[1:], stdout)
	case "capture":
		return captureLoop(ctx, args[1:], stdout)
	case "encode":
		return encode(ctx, args[1:], stdout)
	case "hold":
		return hold(ctx, args[1:], stdout)
	case "controls":
		return controls(args[1:], stdout)
	case "set":
		return set(args[1:])
	case "cold":
		return cold(ctx, args[1:], stdout)
	case "netem":
		return netem(args[1:])
	}
	return fmt.Errorf("no tool %q\n%s", args[0], usage)
}
