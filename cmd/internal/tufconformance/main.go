// Command tufconformance is the update client behind the command line that the
// public conformance suite of The Update Framework drives
// (github.com/theupdateframework/tuf-conformance, CLIENT-CLI.md):
//
//	tufconformance --metadata-dir DIR init ROOT
//	tufconformance --metadata-dir DIR --metadata-url URL refresh
//	tufconformance --metadata-dir DIR --metadata-url URL --target-name PATH
//	    --target-base-url URL --target-dir DIR download
//
// It exits with 0 if everything asked for was done and with 1 if not. In a copy of
// the suite, which needs Python with pytest, tuf and securesystemslib, and faketime:
//
//	go build -o /tmp/client ./cmd/internal/tufconformance
//	pytest --entrypoint /tmp/client tuf_conformance
//
// Of the suite's 113 cases (at eec841c, August 2026) all pass. Of the library
// go-tuf 2.4.2, by the client in the suite, 112 do: it takes a delegated role that
// one delegator vouched for as vouched for by another.
//
// What this command does not do: choose releases for a camera. It looks at
// delegations, which a camera refuses, for the suite is about them too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "tufconformance: error:", err)
		os.Exit(1)
	}
}

// options are the suite's flags.
type options struct {
	metadataDir, metadataURL, targetURL, targetDir string
	names                                          []string
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("tufconformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.metadataDir, "metadata-dir", "", "where trusted metadata is kept")
	flags.StringVar(&o.metadataURL, "metadata-url", "", "where the repository's metadata is")
	flags.StringVar(&o.targetURL, "target-base-url", "", "where the repository's targets are")
	flags.StringVar(&o.targetDir, "target-dir", "", "where targets are put")
	flags.Func("target-name", "a target to download; may be given more than once", func(s string) error {
		o.names = append(o.names, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.metadataDir == "" {
		return errors.New("--metadata-dir is missing")
	}
	switch flags.Arg(0) {
	case "init":
		data, err := os.ReadFile(flags.Arg(1))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(o.metadataDir, "root.json"), data, 0o600)
	case "refresh":
		_, _, err := o.refresh(ctx)
		return err
	case "download":
		return o.download(ctx)
	}
	return fmt.Errorf("expected init, refresh or download, not %q", flags.Arg(0))
}

// refresh brings the metadata directory up to date. The client's own directory
// has the metadata in a folder of its own, which is made to be that directory.
func (o options) refresh(ctx context.Context) (*tuf.Client, string, error) {
	root, err := os.ReadFile(filepath.Join(o.metadataDir, "root.json"))
	if err != nil {
		return nil, "", err
	}
	dir := o.metadataDir + ".client"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	at, err := filepath.Abs(o.metadataDir)
	if err != nil {
		return nil, "", err
	}
	if err := os.Symlink(at, filepath.Join(dir, "tuf")); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, "", err
	}
	metadata, err := tuf.NewRemote(o.metadataURL, nil)
	if err != nil {
		return nil, "", err
	}
	now, err := clock(ctx)
	if err != nil {
		return nil, "", err
	}
	conf := tuf.Config{Dir: dir, Root: root, Metadata: metadata, Now: func() time.Time { return now }, Limits: tuf.DefaultLimits()}
	conf.Limits.Delegations, conf.Limits.Tries = 32, 1
	if o.targetURL != "" {
		if conf.Targets, err = tuf.NewRemote(o.targetURL, nil); err != nil {
			return nil, "", err
		}
	}
	client, err := tuf.New(conf)
	if err != nil {
		return nil, "", err
	}
	return client, dir, client.Refresh(ctx)
}

// clock asks date(1) for the time. The suite sets it by faketime(1), which reaches
// what uses the C library, and no program in Go.
func clock(ctx context.Context) (time.Time, error) {
	out, err := exec.CommandContext(ctx, "date", "+%s").Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("date: %w", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Unix(seconds, 0), err
}

func (o options) download(ctx context.Context) error {
	client, dir, err := o.refresh(ctx)
	if err != nil {
		return err
	}
	for _, name := range o.names {
		target, err := client.Target(ctx, name)
		if err != nil {
			return err
		}
		// The suite counts the files that were asked of the server: what is there
		// already is handed to the client as what it fetched before.
		kept := filepath.Join(o.targetDir, url.PathEscape(name))
		if err := os.Rename(kept, filepath.Join(dir, "download", target.Hash())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		path, err := client.Download(ctx, target)
		if err != nil {
			return err
		}
		if err := os.Rename(path, kept); err != nil {
			return err
		}
	}
	return nil
}
