// Command compare measures sealcam against what others use for the same work, in turns on
// the same files and the same machine, and prints a table with ratios: libjpeg-turbo,
// image/jpeg, and Debian's motion. Times are processor time, not the clock's.
//
// What this command does not do: it fails on no ratio. How the figures of one machine
// came out is in cmd/BENCHMARKS.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// compare is one run.
type compare struct {
	dir   string // for files, removed afterwards
	span  time.Duration
	parts string   // comma between
	films []string // of people's own, with labels beside them
	table *tabwriter.Writer
}

func main() {
	c := compare{}
	flag.DurationVar(&c.span, "for", 20*time.Second, "how long each agent is measured, twice")
	flag.StringVar(&c.parts, "parts", "work,agents,quality", "which `parts` of the table to make")
	flag.Parse()
	c.films = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "compare: error:", err)
		os.Exit(1)
	}
}

func (c *compare) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "sealcam-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.dir = dir
	for _, v := range [][]string{{"sealcam", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}, {"motion", packaged("motion")}, {"libjpeg-turbo", packaged("libjpeg62-turbo")}, {"processor", processor()}} {
		fmt.Printf("%-14s %s\n", v[0], v[1])
	}
	fmt.Println()
	for _, part := range []struct {
		name  string
		title string
		run   func(context.Context) error
	}{
		{"work", "work\tours\ttheirs\tratio\twanted", c.work},
		{"agents", "agent, 1080p motion JPEG, 10 frames a second\tsealcamd\tmotion\tratio\twanted", c.agents},
		{"quality", "film, visits\tours: F1 of seconds\tevents\tmotion: F1\tevents", c.quality},
	} {
		if !slices.Contains(strings.Split(c.parts, ","), part.name) {
			continue
		}
		c.table = tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
		fmt.Fprintln(c.table, part.title)
		if err := part.run(ctx); err != nil {
			return err
		}
		if err := c.table.Flush(); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

// row prints one comparison of times or sizes.
func (c *compare) row(name string, ours, theirs float64, unit, wanted string) {
	fmt.Fprintf(c.table, "%s\t%.3g %s\t%.3g %s\t%.3f\t%s\n", name, ours, unit, theirs, unit, ours/theirs, wanted)
}

// packaged returns the version of a Debian package.
func packaged(name string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f=${Version}", name).Output()
	if err != nil {
		return "unknown"
	}
	return string(out)
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(name, "model name") {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}
