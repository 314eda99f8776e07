//go:build linux

// Command make makes an image for a board.
//
// What this command does not do: write it to a card.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
	"github.com/sealcam/sealcam/cmd/internal/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	c := image.Config{Say: func(line string) { fmt.Fprintln(os.Stderr, "image:", line) }, Put: make(map[string]string)}
	fs.StringVar(&c.Board, "board", "", "`name` of the board")
	fs.StringVar(&c.Sealcamd, "sealcamd", "", "the agent for linux/arm64, a `file`")
	fs.StringVar(&c.Settings, "settings", "cmd/sealcamd/sealcamd.toml", "the settings of the image, a `file`")
	fs.StringVar(&c.Version, "version", "unknown", "the system's `version`")
	fs.Uint64Var(&c.Number, "number", 0, "the system's `number`, for updates")
	fs.StringVar(&c.Out, "out", "build/image", "`directory` for what is made")
	size := fs.Int64("size", 512, "`MiB` of the data partition")
	fs.Func("put", "a `file` for the settings partition, or NAME=FILE; may be given again", func(v string) error {
		name, path, named := strings.Cut(v, "=")
		if !named {
			name, path = filepath.Base(v), v
		}
		c.Put[name] = path
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || c.Board == "" || c.Sealcamd == "" {
		return fmt.Errorf("give a board and an agent: make image BOARD=qemu-virt (there is none for %q)", strings.Join(fs.Args(), " "))
	}
	var err error
	if c.Cache, err = debian.CacheDir(); err != nil {
		return err
	}
	c.Data = *size << 20
	made, err := image.Make(ctx, c)
	if err != nil {
		return err
	}
	for _, path := range []string{made.Disk, made.System, made.Loader} {
		if path == "" {
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Printf("  %-44s %s MiB\n", path, strconv.FormatInt(st.Size()>>20, 10))
	}
	return nil
}
