package main

import (
	"context"
	"flag"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/naming"
)

const motionText = `
Shows what the motion detector makes of a film: one JSON line for each frame and
one for each event when it is over. FILE is an AVI or MJPEG file, a directory of
JPEG, PNG or BMP files, "-" for standard input, or a scene such as scene:walk.

With --truth LABELS.CSV, which holds a line "start,end" in seconds for each true
visit, a last line tells how right it was, by second and by event. A scene knows
its truth itself: --truth scene.

With --settings the zones, lines, masks and the sensitivity are those of a sealcamd.toml.
With --model each event says what a model recognised in its best frame.
With -v a line tells of each thing that was followed and not raised, and why.
`

type motionFlags struct {
	sensitivity int
	rate        float64
	limit       time.Duration
	truth       string
	events      bool
	verbose     bool
	settings    string
	clock       string
	start       time.Duration // clock
	model       naming.Settings
}

// runMotion is "sealcam motion".
func runMotion(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("motion", "sealcam motion [FLAGS] FILE", motionText)
	var o motionFlags
	fs.IntVar(&o.sensitivity, "sensitivity", 5, "from 1, only the obvious, to 10, `everything`")
	fs.Float64Var(&o.rate, "rate", 0, "`frames` a second of files that do not say")
	fs.DurationVar(&o.limit, "for", 0, "stop after so much `time` of the film; a scene stops after 60s if it is 0")
	fs.StringVar(&o.truth, "truth", "", "judge against the visits in this `file`, or against the scene's own truth: \"scene\"")
	fs.BoolVar(&o.events, "events", false, "leave the frames out and print events alone")
	fs.BoolVar(&o.verbose, "v", false, "tell what was not raised, and why")
	fs.StringVar(&o.settings, "settings", "", "watch zones and lines of this sealcamd.toml, a `file`")
	fs.StringVar(&o.clock, "clock", "", "the `time` of day at which the film starts, such as 22:15, for zones with hours; they all watch if it is empty")
	o.model = naming.Defaults()
	fs.StringVar(&o.model.File, "model", "", "name what each event shows by this model, a `file` (sealcam model)")
	fs.StringVar(&o.model.Labels, "labels", "", "the model's labels, one a line, from this `file`")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	if key, expected := o.model.Validate(); key != "" {
		return cli.Usagef("--labels goes with --model: %s", expected)
	}
	if fs.NArg() != 1 {
		return cli.Usagef("sealcam motion wants one FILE, found %d", fs.NArg())
	}
	if o.sensitivity < 1 {
		return cli.Usagef("--sensitivity %d: it is 1 to 10", o.sensitivity)
	}
	detector, err := o.detector(fs)
	if err != nil {
		return err
	}
	if o.limit < 0 || !(o.rate >= 0 && o.rate <= 1000) {
		return cli.Usagef("--for and --rate cannot be negative, nor --rate over 1000")
	}
	if o.truth == "scene" && !strings.HasPrefix(fs.Arg(0), "scene:") {
		return cli.Usagef("--truth scene: only a scene knows its truth")
	}
	return watchMotion(ctx, env, detector, fs.Arg(0), o)
}

// detector returns the one that the flags ask for.
func (o *motionFlags) detector(fs *flag.FlagSet) (*motion.Detector, error) {
	var cfg motion.Config
	if o.settings != "" {
		s, err := agent.LoadSettings(o.settings)
		if err != nil {
			return nil, err
		}
		if cfg, err = s.Detector(); err != nil {
			return nil, err
		}
	}
	given := o.settings == ""
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == "sensitivity" })
	if given {
		cfg.Sensitivity = o.sensitivity
	}
	if o.clock != "" {
		at, err := time.Parse("15:04", o.clock)
		if err != nil {
			return nil, cli.Usagef("--clock %s: it is a time of day such as 22:15", o.clock)
		}
		o.start = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	}
	d, err := motion.New(cfg)
	if err != nil {
		return nil, cli.Usagef("--sensitivity %d: it is 1 to 10", o.sensitivity)
	}
	return d, nil
}
