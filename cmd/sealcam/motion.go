package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/motion/score"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/capture/stream"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

const motionText = `
Shows what the motion detector makes of a film: one JSON line for each frame and
one for each event when it is over. FILE is an AVI or MJPEG file, a directory of
JPEG, PNG or BMP files, "-" for standard input, or a scene such as scene:walk.

With --truth LABELS.CSV, which holds a line "start,end" in seconds for each true
visit, a last line tells how right it was, by second and by event. A scene knows
its truth itself: --truth scene.
`

type motionFlags struct {
	sensitivity int
	rate        float64
	limit       time.Duration
	truth       string
	events      bool
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
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return cli.Usagef("sealcam motion wants one FILE, found %d", fs.NArg())
	}
	if o.sensitivity < 1 {
		return cli.Usagef("--sensitivity %d: it is 1 to 10", o.sensitivity)
	}
	detector, err := motion.New(motion.Config{Sensitivity: o.sensitivity})
	if err != nil {
		return cli.Usagef("--sensitivity %d: it is 1 to 10", o.sensitivity)
	}
	if o.limit < 0 || !(o.rate >= 0 && o.rate <= 1000) {
		return cli.Usagef("--for and --rate cannot be negative, nor --rate over 1000")
	}
	if o.truth == "scene" && !strings.HasPrefix(fs.Arg(0), "scene:") {
		return cli.Usagef("--truth scene: only a scene knows its truth")
	}
	return watchMotion(ctx, env, detector, fs.Arg(0), o)
}

// watchMotion analyses one film.
func watchMotion(ctx context.Context, env *cli.Env, detector *motion.Detector, name string, o motionFlags) error {
	cam, drawn, err := openFilm(ctx, env, name, &o)
	if err != nil {
		return err
	}
	defer func() { _ = cam.Close() }() // it was only read
	out := bufio.NewWriter(env.Stdout)
	m := &motionWatch{out: json.NewEncoder(out), detector: detector, flags: o, bad: map[string]int{}}
	if m.truth, err = openTruth(o.truth, drawn); err != nil {
		return err
	}
	err = m.watch(ctx, cam)
	m.finish()
	if e := out.Flush(); err == nil {
		err = e
	}
	m.complain(env.Stderr)
	if err == nil && m.frames == 0 {
		err = cli.Hint(fmt.Errorf("%s: no frame in it could be analysed", name), "it must be motion JPEG, PNG or BMP pictures, or raw video of a camera")
	}
	return err
}

// openFilm opens a scene or what capture/stream reads. drawn is nil if it is no scene.
func openFilm(ctx context.Context, env *cli.Env, name string, o *motionFlags) (cam capture.Camera, drawn *scene.Scene, err error) {
	if spec, ok := strings.CutPrefix(name, "scene:"); ok {
		if o.limit == 0 && !strings.Contains(spec, "for=") {
			o.limit = time.Minute
		}
		drawn, err = scene.New(spec, scene.Options{})
		return drawn, drawn, err
	}
	stdin, _ := env.Stdin.(*os.File)
	cam, err = stream.Open(ctx, name, stream.Options{Rate: o.rate, Stdin: stdin})
	return cam, nil, err
}

// motionWatch is one film on its way through the detector.
type motionWatch struct {
	out      *json.Encoder
	detector *motion.Detector
	reader   capture.LumaReader
	flags    motionFlags
	truth    *truth // nil if there is nothing to judge by
	event    *motion.Event
	frames   int
	bad      map[string]int // frames that could not be read, by reason
}

type motionFrame struct {
	Frame  uint64   `json:"frame"`
	T      float64  `json:"t"`
	Score  float64  `json:"score"`
	Moving bool     `json:"moving"`
	Boxes  [][4]int `json:"boxes"`
}

type motionEvent struct {
	Event uint64  `json:"event"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Peak  float64 `json:"peak"`
}

// watch runs until the film ends.
func (m *motionWatch) watch(ctx context.Context, cam capture.Camera) error {
	var f capture.Frame
	var bad *capture.BadFrame
	for {
		switch err := cam.Next(ctx, &f); {
		case errors.As(err, &bad):
			m.bad[bad.Reason]++
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if m.flags.limit > 0 && f.Mono >= m.flags.limit {
			return nil
		}
		l, err := m.reader.Read(&f)
		if errors.As(err, &bad) {
			m.bad[bad.Reason]++
			continue
		}
		if err != nil {
			return err
		}
		if err := m.frame(&f, l); err != nil {
			return err
		}
	}
}

// frame analyses one frame and prints what there is to say.
func (m *motionWatch) frame(f *capture.Frame, l *capture.Luma) error {
	m.frames++
	v := m.detector.Observe(l, f.Mono, f.Light)
	line := motionFrame{Frame: f.Seq, T: toSeconds(f.Mono), Score: round(v.Score), Moving: v.Moving, Boxes: [][4]int{}}
	width, height := f.Format.Width, f.Format.Height
	for _, b := range v.Boxes {
		b = b.On(l, width, height)
		line.Boxes = append(line.Boxes, [4]int{b.X, b.Y, b.W, b.H})
	}
	if m.truth != nil {
		m.truth.frame(f.Mono, v.Moving)
	}
	m.event = v.Event
	if !m.flags.events {
		if err := m.out.Encode(line); err != nil {
			return err
		}
	}
	if v.Ended {
		return m.endEvent()
	}
	return nil
}

// endEvent prints the event that is over.
func (m *motionWatch) endEvent() error {
	e := m.event
	m.event = nil
	if m.truth != nil {
		m.truth.judge.Event(score.Span{Start: e.Start, End: e.End})
	}
	return m.out.Encode(motionEvent{e.ID, toSeconds(e.Start), toSeconds(e.End), toSeconds(e.Peak)})
}

// finish prints what the end of the film has cut short, and the judgement. Errors
// of writing show in the flush that follows.
func (m *motionWatch) finish() {
	if m.event != nil {
		_ = m.endEvent()
	}
	if m.truth != nil {
		_ = m.out.Encode(m.truth.result())
	}
}

// complain tells which frames could not be read.
func (m *motionWatch) complain(w io.Writer) {
	reasons := make([]string, 0, len(m.bad))
	for r, n := range m.bad {
		reasons = append(reasons, fmt.Sprintf("%s %d", r, n))
	}
	if len(reasons) > 0 {
		slices.Sort(reasons)
		fmt.Fprintf(w, "sealcam: frames that could not be read: %s\n", strings.Join(reasons, ", "))
	}
}

func toSeconds(d time.Duration) float64 { return round(d.Seconds()) }

// round leaves three decimals: a millisecond, or a thousandth of the score.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
