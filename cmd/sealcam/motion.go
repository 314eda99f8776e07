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

// watchMotion analyses one film.
func watchMotion(ctx context.Context, env *cli.Env, detector *motion.Detector, name string, o motionFlags) error {
	cam, drawn, err := openFilm(ctx, env, name, &o)
	if err != nil {
		return err
	}
	defer func() { _ = cam.Close() }() // it was only read
	out := bufio.NewWriter(env.Stdout)
	m := &motionWatch{ctx: ctx, out: json.NewEncoder(out), detector: detector, flags: o, bad: map[string]int{}}
	if m.namer, err = newMotionNamer(o.model, env.Stderr); err != nil {
		return err
	}
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
	ctx      context.Context
	namer    *motionNamer // nil if nothing is named
	out      *json.Encoder
	detector *motion.Detector
	reader   capture.LumaReader
	flags    motionFlags
	truth    *truth // nil if there is nothing to judge by
	event    *motion.Event
	box      [4]int // of event, in the picture
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
	Score float64 `json:"score"` // at the peak, as is
	Box   [4]int  `json:"box"`
	Zone  string  `json:"zone,omitempty"`
	Line  string  `json:"line,omitempty"`
	// Track is where the feet were: seconds, and thousandths of width and height.
	Track [][3]float64 `json:"track"`
	// Things are what a model recognised at the peak; absent without --model.
	Things []motionThing `json:"things,omitzero"`
}

// motionRefusal is something that was followed and not raised.
type motionRefusal struct {
	Refused string  `json:"refused"`
	T       float64 `json:"t"`
	Box     [4]int  `json:"box"`
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
	if m.flags.clock != "" {
		m.detector.Clock((m.flags.start + f.Mono) % (24 * time.Hour))
	}
	v := m.detector.Observe(l, f.Mono, f.Light)
	line := motionFrame{Frame: f.Seq, T: toSeconds(f.Mono), Score: round(v.Score), Moving: v.Moving, Boxes: [][4]int{}}
	inPicture := func(b motion.Box) [4]int {
		b = b.On(l, f.Format.Width, f.Format.Height)
		return [4]int{b.X, b.Y, b.W, b.H}
	}
	for _, b := range v.Boxes {
		line.Boxes = append(line.Boxes, inPicture(b))
	}
	if m.truth != nil {
		m.truth.frame(f.Mono, v.Moving)
	}
	m.namer.see(f, l, v)
	if m.event = v.Event; v.Event != nil {
		m.box = inPicture(v.Event.Box)
	}
	if !m.flags.events {
		if err := m.out.Encode(line); err != nil {
			return err
		}
	}
	if m.flags.verbose {
		for _, r := range v.Refused {
			if err := m.out.Encode(motionRefusal{r.Reason.String(), toSeconds(f.Mono), inPicture(r.Box)}); err != nil {
				return err
			}
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
	line := motionEvent{
		Event: e.ID, Start: toSeconds(e.Start), End: toSeconds(e.End), Peak: toSeconds(e.Peak), Score: round(e.PeakScore),
		Box: m.box, Zone: e.Zone, Line: e.Line, Track: [][3]float64{},
	}
	var err error
	if line.Things, err = m.namer.look(m.ctx); err != nil {
		return err
	}
	for _, s := range e.Track() {
		line.Track = append(line.Track, [3]float64{toSeconds(s.At), float64(s.Point[0]), float64(s.Point[1])})
	}
	return m.out.Encode(line)
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

// complain tells which frames could not be read and, if it was asked for, what was not
// raised.
func (m *motionWatch) complain(w io.Writer) {
	if m.flags.verbose {
		fmt.Fprintf(w, "not raised: %s\n", m.refused())
	}
	reasons := make([]string, 0, len(m.bad))
	for r, n := range m.bad {
		reasons = append(reasons, fmt.Sprintf("%s %d", r, n))
	}
	if len(reasons) > 0 {
		slices.Sort(reasons)
		fmt.Fprintf(w, "sealcam: frames that could not be read: %s\n", strings.Join(reasons, ", "))
	}
}

// refused counts what was not raised by its reason.
func (m *motionWatch) refused() string {
	var all []string
	for _, r := range motion.Reasons() {
		if n := m.detector.Refused(r); n > 0 {
			all = append(all, fmt.Sprintf("%v %d", r, n))
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

func toSeconds(d time.Duration) float64 { return round(d.Seconds()) }

// round leaves three decimals: a millisecond, or a thousandth of the score.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
