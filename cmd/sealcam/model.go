package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/naming"
)

const modelText = `
Says whether a camera can name things by a model FILE (TensorFlow Lite: a
classifier or an SSD detector), what it takes, and how long a look takes on this
machine. What cannot be run is refused by name.

These operators are run, in float32 or wholly in int8 or uint8:
`

// modelLooks is how many looks are timed.
const modelLooks = 9

// runModel is "sealcam model".
func runModel(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("model", "sealcam model [--labels FILE] FILE", modelText+wrapped(model.Operators(), 80))
	labels := fs.String("labels", "", "its labels, one a line, from this `file` instead of from the model's")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return cli.Usagef("sealcam model wants one FILE, found %d", fs.NArg())
	}
	path := fs.Arg(0)
	m, err := naming.Load(path)
	if errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err != nil {
		return cli.Hint(err, "a classifier of the MobileNet class or an SSD detector, float32 or all in integers, will do")
	}
	took, err := timeLooks(ctx, m)
	if err != nil {
		return err
	}
	i := m.Info()
	if *labels != "" {
		text, err := os.ReadFile(*labels)
		if err != nil {
			return err
		}
		if i.Labels, err = model.ParseLabels(text); err != nil {
			return fmt.Errorf("%s: %w", *labels, err)
		}
	}
	if err := writeModel(env.Stdout, path, i, took); err != nil {
		return err
	}
	if _, err := naming.Fit(i.Labels, i.Classes); err != nil {
		return cli.Hint(err, "give a file of them with --labels, and to the camera as model.labels")
	}
	return nil
}

// wrapped returns words in lines of at most width characters.
func wrapped(words []string, width int) string {
	var b strings.Builder
	at := 0
	for _, w := range words {
		if at > 0 && at+1+len(w) > width {
			b.WriteByte('\n')
			at = 0
		} else if at > 0 {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(w)
		at += len(w)
	}
	return b.String()
}

// timeLooks returns the median time of some looks at a grey picture.
func timeLooks(ctx context.Context, m *model.Model) (time.Duration, error) {
	const w, h = 1280, 720
	p, err := model.NewPicture(&capture.Frame{Format: capture.Format{Pixel: capture.Grey, Width: w, Height: h}, Data: make([]byte, w*h)})
	if err != nil {
		return 0, err
	}
	var all []time.Duration
	for range modelLooks {
		began := time.Now()
		if _, err := m.Look(ctx, p, model.Area{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}, model.Range{}, 0.5); err != nil {
			return 0, err
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// writeModel writes what there is to know.
func writeModel(out io.Writer, path string, i model.Info, took time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	kind, colours := "classifier", "colour"
	if i.Detector {
		kind = "detector"
	}
	if i.Channels == 1 {
		colours = "grey"
	}
	fmt.Fprintf(w, "model\t%s\n", path)
	fmt.Fprintf(w, "sha256\t%s\n", hex.EncodeToString(i.Hash[:]))
	fmt.Fprintf(w, "kind\t%s of %d classes\n", kind, i.Classes)
	if len(i.Labels) > 0 {
		fmt.Fprintf(w, "labels\t%s\n", labelWords(i.Labels))
	}
	fmt.Fprintf(w, "input\t%dx%d %s, %s\n", i.Width, i.Height, colours, i.Type)
	fmt.Fprintf(w, "memory\t%.1f MiB\n", float64(i.Memory)/(1<<20))
	fmt.Fprintf(w, "one look\t%.2f million multiply-adds, %.1f ms on this machine\n", float64(i.Adds)/1e6, float64(took.Microseconds())/1000)
	fmt.Fprintln(w)
	fmt.Fprintln(w, "OPERATOR\tTIMES\tMULTIPLY-ADDS")
	for _, o := range i.Operators {
		adds := ""
		if o.Adds > 0 {
			adds = fmt.Sprintf("%d", o.Adds)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", o.Name, o.N, adds)
	}
	return w.Flush()
}

// labelWords returns the first few labels.
func labelWords(labels []string) string {
	const few = 8
	named := slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == "" })
	words := make([]string, 0, few)
	for _, l := range named[:min(few, len(named))] {
		words = append(words, printable(l, 32))
	}
	s := strings.Join(words, ", ")
	if n := len(named) - few; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}
