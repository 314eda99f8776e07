package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// keepVerbs are what else "sealcam keep" does.
func keepVerbs() []cli.Command {
	return []cli.Command{
		{Name: "check", Run: keepCheck},
		{Name: "backup", Run: keepBackup},
		{Name: "restore", Run: keepRestore},
		{Name: "status", Run: keepStatus},
		{Name: "delete", Run: keepDelete},
	}
}

func keepCheck(ctx context.Context, env *cli.Env, args []string) error {
	var repair bool
	rest, err := verbArgs(env, args, "keep check", "[--repair]", `
Reads all that a keeper has stored, and holds each message against its hash. Says what
was lost. With --repair, what is damaged is set right as far as it can be, and when the
keeper runs again it asks the cameras for what was lost. The keeper must not run
meanwhile. Exit 1 if something was lost or damaged.`, []string{"DIR"}, func(fs *flag.FlagSet) {
		fs.BoolVar(&repair, "repair", false, "set right what is damaged")
	})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r, err := store.Check(ctx, store.Config{Dir: rest[0], Now: time.Now, Log: log}, repair)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "whole  %d messages, %s\n", r.Messages, volume(r.Bytes))
	fmt.Fprintf(env.Stdout, "lost   %d\n", r.Lost)
	for _, l := range lostRanges(r.Named) {
		fmt.Fprintf(env.Stdout, "       %s  %s\n", l.camera, l)
	}
	if r.Index != "" {
		fmt.Fprintf(env.Stdout, "index  %s\n", cli.Printable(r.Index, 200))
	}
	for _, h := range r.Households {
		fmt.Fprintf(env.Stdout, "forgotten  what household %s had deleted: what comes of it again will be kept\n", h)
	}
	switch {
	case r.Clean():
		return nil
	case r.Repaired:
		fmt.Fprintln(env.Stdout, "repaired; the keeper will ask the cameras for what was lost")
	default:
		fmt.Fprintln(env.Stdout, "nothing was changed: sealcam keep check --repair sets it right")
	}
	return &cli.Silent{Code: cli.ExitFailed}
}

// lostRange is what was lost of one camera, without a hole.
type lostRange struct {
	camera seal.CameraID
	seal.Range
}

func (l lostRange) String() string {
	if l.First == l.Last {
		return strconv.FormatUint(l.First, 10)
	}
	return fmt.Sprintf("%d to %d", l.First, l.Last)
}

// lostRanges puts what was lost together, by camera.
func lostRanges(lost []store.Lost) (out []lostRange) {
	slices.SortFunc(lost, func(a, b store.Lost) int {
		if c := strings.Compare(string(a.Camera), string(b.Camera)); c != 0 {
			return c
		}
		return int(min(1, max(-1, int64(a.Seq)-int64(b.Seq))))
	})
	for _, l := range lost {
		if n := len(out); n > 0 && out[n-1].camera == l.Camera && l.Seq <= out[n-1].Last+1 {
			out[n-1].Last = l.Seq
			continue
		}
		out = append(out, lostRange{l.Camera, seal.Range{First: l.Seq, Last: l.Seq}})
	}
	return out
}

func keepBackup(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "keep backup", "", `
Copies what a keeper has stored into NEWDIR, also while it runs: all that was stored
when this began is in it. Into the directory of an earlier backup only what is new is
copied. What is copied is sealed as it was; no key is in it.`, []string{"DIR", "NEWDIR"}, nil)
	if err != nil {
		return err
	}
	did, err := store.Backup(ctx, rest[0], rest[1])
	return tellCopied(env.Stdout, "backup", did, err)
}

func keepRestore(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "keep restore", "", `
Makes the store DIR, which must not hold one, from a backup. Cameras are then asked for
what came after it, as far as they have it still.`, []string{"BACKUP", "DIR"}, nil)
	if err != nil {
		return err
	}
	did, err := store.Restore(ctx, rest[0], rest[1])
	return tellCopied(env.Stdout, "restored", did, err)
}

func tellCopied(out io.Writer, what string, did store.Copied, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s  %d messages, %s\n", what, did.Messages, volume(did.Bytes))
	if err == nil && did.Damaged > 0 {
		err = cli.Hint(fmt.Errorf("%d messages are damaged and were left out", did.Damaged), "sealcam keep check names them")
	}
	return err
}

// maxMetrics bounds what is read of a keeper's figures.
const maxMetrics = 4 << 20

func keepStatus(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "keep status", "", `
Says how the keeper on this machine is, from the figures that it gives out at the
ADDRESS that its --metrics names.`, []string{"ADDRESS"}, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+rest[0]+"/metrics", nil)
	if err != nil {
		return cli.Usagef("%q: expected an address such as 127.0.0.1:9483", rest[0])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return cli.Hint(err, "does the keeper run, with --metrics %s?", rest[0])
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxMetrics))
	if err != nil {
		return err
	}
	tellFigures(env.Stdout, readFigures(string(b)))
	return nil
}

// readFigures reads what a keeper says of itself: values by name and labels.
func readFigures(text string) map[string]float64 {
	out := map[string]float64{}
	for line := range strings.Lines(text) {
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
			out[strings.TrimPrefix(line[:i], "sealcam_keeper_")] = v
		}
	}
	return out
}

func tellFigures(out io.Writer, f map[string]float64) {
	link := "connected"
	if f["source_connected"] == 0 {
		link = "NOT CONNECTED to the broker"
	}
	fmt.Fprintf(out, "source      %s\n", link)
	fmt.Fprintf(out, "households  %.0f, %.0f cameras\n", f["households"], f["cameras"])
	fmt.Fprintf(out, "stored      %.0f messages, %s\n", f["stored_messages"], volume(f["stored_bytes"]))
	if f["disk_size_bytes"] > 0 {
		fmt.Fprintf(out, "disk        %s free of %s\n", volume(f["disk_free_bytes"]), volume(f["disk_size_bytes"]))
	}
	fmt.Fprintf(out, "missing     %.0f, %.0f of them given up\n", f["missing_messages"], f["given_up_messages"])
	fmt.Fprintf(out, "waiting     %.0f messages, %s\n", f["queue_messages"], volume(f["queue_bytes"]))
	fmt.Fprintf(out, "viewers     %.0f follow now\n", f["feeds"])
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if what, ok := strings.CutPrefix(name, "messages_total{verdict=\""); ok {
			fmt.Fprintf(out, "%-11s %.0f since it started\n", strings.TrimSuffix(what, "\"}"), f[name])
		}
	}
}
