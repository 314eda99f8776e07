package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

const traces = "../../capture/daynight/testdata"

// daynightSays runs "sealcam daynight ARGS".
func daynightSays(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &cli.Env{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}
	code = cli.Report(env, "sealcam", runDaynight(t.Context(), env, args))
	return out.String(), errs.String(), code
}

// The committed traces replay as committed, with a plot that is an SVG.
func TestDaynightReplay(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(traces, "*.jsonl"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d traces: %v", len(files), err)
	}
	for _, file := range files {
		plot := filepath.Join(t.TempDir(), "plot.svg")
		out, errs, code := daynightSays(t, "", "replay", "--plot", plot, file)
		if code != 0 || errs != "" {
			t.Errorf("%s: exit %d: %s", file, code, errs)
		}
		wants(t, out, "power-on: filter driven to the day side, lamp off", "decided as recorded, every step", "drawn: "+plot)
		svg, err := os.ReadFile(plot)
		if err != nil {
			t.Fatal(err)
		}
		if len(svg) > 400<<10 {
			t.Errorf("%s: a plot of %d bytes", file, len(svg))
		}
		elements := 0
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if _, ok := tok.(xml.StartElement); ok {
				elements++
			}
		}
		for _, want := range []string{"brightness of the picture", "too dark for day below 28", "#2c3350"} { // the last is a lit night
			if !bytes.Contains(svg, []byte(want)) {
				t.Errorf("%s: %q is not in the plot", file, want)
			}
		}
		if n := bytes.Count(svg, []byte("too dark for day")); n != 1 {
			t.Errorf("%s: %d thresholds are drawn", file, n)
		}
		if elements < 40 {
			t.Errorf("%s: %d elements", file, elements)
		}
	}
}

// A trace whose recorded decisions are not today's is told with the first
// difference, and by the exit code.
func TestDaynightReplayDiffers(t *testing.T) {
	trace, err := os.ReadFile(filepath.Join(traces, "garden-dusk.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(trace), `"light":"night"`, `"light":"day"`, 1)
	if old == string(trace) {
		t.Fatal("the trace has no night")
	}
	out, errs, code := daynightSays(t, old, "replay", "-")
	if code != 1 || errs != "" {
		t.Errorf("exit %d: %s", code, errs)
	}
	wants(t, out, "steps are decided differently now, the first on line ", "recorded  day ", "now       night ")
}

func TestDaynightReplayRefuses(t *testing.T) {
	head := `{"sealcam-daynight-trace":1,"config":{},"state":{}}` + "\n"
	for _, tt := range []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{"", []string{"replay"}, 2, "one TRACE was expected"},
		{"", []string{"rewind"}, 2, `there is no command "rewind"`},
		{"", []string{"replay", "/no/such/trace"}, 1, "no such file"},
		{"garbage\n", []string{"replay", "-"}, 1, "line 1: invalid character"},
		{head, []string{"replay", "-"}, 1, "a trace without steps"},
		{head + `{"dt":-1}`, []string{"replay", "-"}, 1, "line 2: dt: expected 0 to 86400000 ms"},
		{head + `{"dt":1000}`, []string{"replay", "--plot", "x.png", "-"}, 2, "a name that ends in .svg"},
		{head + `{"dt":1000}`, []string{"replay", "--plot", "/no/such/dir/x.svg", "-"}, 1, "no such file"},
	} {
		_, errs, code := daynightSays(t, tt.stdin, tt.args...)
		if code != tt.code || !strings.Contains(errs, tt.want) {
			t.Errorf("%q: exit %d, %q, expected %d and %q", tt.args, code, errs, tt.code, tt.want)
		}
	}
}

// A plot's memory is bounded however long the trace is: eleven days at one step
// a second.
func TestDaynightPlotIsBounded(t *testing.T) {
	trace := `{"sealcam-daynight-trace":1,"config":{"filter":true,"lamp":true},"state":{}}` + "\n" +
		`{"dt":1000,"clock":60,"mean":110,"level":100,"ambient":40}` + "\n" + `{"n":1000000}` + "\n"
	plot := filepath.Join(t.TempDir(), "plot.svg")
	out, _, _ := daynightSays(t, trace, "replay", "--plot", plot, "-")
	wants(t, out, "1000001 steps over 277h46m40s")
	if st, err := os.Stat(plot); err != nil || st.Size() > 400<<10 {
		t.Errorf("%v, %v", st, err)
	}
}

func wants(t *testing.T, out string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}
