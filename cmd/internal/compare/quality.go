package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/motion/score"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/capture/stream"
)

// drawn are the films that everybody has.
var drawn = []string{"walk?for=60s&seed=3", "stand?for=70s&seed=7", "rain?people=walk&for=60s&seed=4", "headlights?for=60s&seed=1", "wind?for=60s&seed=2", "insects?for=60s&seed=2", "snow?for=60s&seed=2", "exposure?for=60s&seed=2"}

// film is one that both judge, with what is true of it.
type film struct {
	name, path string
	spans      []score.Span
	format     capture.Format
	length     time.Duration
	ours       score.Result
	theirs     score.Result
}

// quality compares how right both are. motion sees every film at its own pace, all films
// at once, with its own defaults but for an event_gap of 3 seconds, which is ours.
func (c *compare) quality(ctx context.Context) error {
	var films []*film
	for i, spec := range drawn {
		f := &film{name: spec, path: filepath.Join(c.dir, fmt.Sprintf("film%d.avi", i))}
		spec += "&size=640x360&rate=10"
		if err := c.draw(ctx, f.path, spec, 0); err != nil {
			return err
		}
		s, err := scene.New(spec, scene.Options{})
		if err != nil {
			return err
		}
		f.spans = truth(s)
		films = append(films, f)
	}
	for _, path := range c.films {
		labels, err := os.Open(filepath.Join("capture/motion/testdata", strings.TrimSuffix(filepath.Base(path), ".avi")+".csv"))
		if err != nil {
			return err
		}
		spans, err := score.ReadLabels(labels)
		if err := errors.Join(err, labels.Close()); err != nil {
			return err
		}
		films = append(films, &film{name: filepath.Base(path), path: path, spans: spans})
	}
	g, ctx := errgroup.WithContext(ctx)
	for i, f := range films {
		if err := f.judge(ctx); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		g.Go(func() error { return c.motion(ctx, f, fmt.Sprintf("quality%d", i)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, f := range films {
		fmt.Fprintf(c.table, "%s, %d\t%.3f\t%d\t%.3f\t%d\n", f.name, len(f.spans), f.ours.F1(), f.ours.Events, f.theirs.F1(), f.theirs.Events)
	}
	return nil
}

// truth returns a scene's visits.
func truth(s *scene.Scene) (spans []score.Span) {
	visit := 0
	for at := time.Duration(0); at < 70*time.Second; at += 100 * time.Millisecond {
		if t := s.Truth(at); t.Moving {
			if t.Visit != visit {
				visit = t.Visit
				spans = append(spans, score.Span{Start: at})
			}
			spans[len(spans)-1].End = at
		}
	}
	return spans
}

// at says whether somebody is in the film.
func (f *film) at(t time.Duration) bool {
	return slices.ContainsFunc(f.spans, func(s score.Span) bool { return s.Start <= t && t <= s.End })
}

// judge shows the film to our detector.
func (f *film) judge(ctx context.Context) error {
	cam, err := stream.Open(ctx, f.path, stream.Options{})
	if err != nil {
		return err
	}
	defer cam.Close()
	d, err := motion.New(motion.Config{})
	if err != nil {
		return err
	}
	var reader capture.LumaReader
	var frame capture.Frame
	var judge score.Judge
	var last *motion.Event
	for {
		if err := cam.Next(ctx, &frame); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		l, err := reader.Read(&frame)
		if err != nil {
			return err
		}
		v := d.Observe(l, frame.Mono, frame.Light)
		judge.Frame(frame.Mono, v.Moving, f.at(frame.Mono))
		if last = v.Event; v.Ended {
			judge.Event(score.Span{Start: last.Start, End: last.End})
			last = nil
		}
		f.length = frame.Mono
	}
	if last != nil {
		judge.Event(score.Span{Start: last.Start, End: last.End})
	}
	f.format = frame.Format
	f.ours = f.result(&judge)
	return nil
}

func (f *film) result(judge *score.Judge) score.Result {
	for _, s := range f.spans {
		if s.Start <= f.length {
			judge.Visit(s)
		}
	}
	return judge.Result()
}

// motion shows the film to motion. It names a picture for each frame in which something
// moves by event, second and number within the second.
func (c *compare) motion(ctx context.Context, f *film, name string) error {
	rate := rateOf(f.format)
	config, err := c.motionConfig(f.path, name, f.format.Width, f.format.Height, rate, "event_gap 3\npicture_output on\npicture_quality 1\npicture_filename %v-%s-%q\n")
	if err != nil {
		return err
	}
	began := time.Now()
	cmd := exec.CommandContext(ctx, "motion", "-n", "-c", config)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w (make compare installs it)", err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(f.length + 4*time.Second):
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait() // a signal is an error to it
	pictures, err := filepath.Glob(filepath.Join(c.dir, name, "*.jpg"))
	if err != nil {
		return err
	}
	var seen []moment
	for _, p := range pictures {
		var m moment
		var second, number int64
		if _, err := fmt.Sscanf(filepath.Base(p), "%d-%d-%d.jpg", &m.event, &second, &number); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		m.at = time.Unix(second, 0).Sub(began) + time.Duration(float64(number)/rate*float64(time.Second))
		seen = append(seen, m)
	}
	slices.SortFunc(seen, func(a, b moment) int { return int(a.at - b.at) })
	// When its film began is not told: the moment that suits it best.
	for lag := time.Duration(0); lag < 5*time.Second; lag += 100 * time.Millisecond {
		if r := f.told(seen, lag, rate); lag == 0 || r.F1() > f.theirs.F1() {
			f.theirs = r
		}
	}
	return nil
}

type moment struct {
	event int
	at    time.Duration
}

// told is what motion's pictures say, if its film began so long after the process.
func (f *film) told(seen []moment, lag time.Duration, rate float64) score.Result {
	step := time.Duration(float64(time.Second) / rate)
	moving := map[int]bool{}
	var events []score.Span
	event := 0
	for _, m := range seen {
		at := m.at - lag
		if at < 0 || at > f.length {
			continue // it starts again from the beginning
		}
		moving[int(at/step)] = true
		if m.event != event {
			event = m.event
			events = append(events, score.Span{Start: at})
		}
		events[len(events)-1].End = at
	}
	var judge score.Judge
	for at := time.Duration(0); at <= f.length; at += step {
		judge.Frame(at, moving[int(at/step)], f.at(at))
	}
	for _, e := range events {
		judge.Event(e)
	}
	return f.result(&judge)
}

// rateOf returns the rate of a film, 10 if it does not say.
func rateOf(f capture.Format) float64 {
	if f.Rate <= 0 {
		return 10
	}
	return f.Rate
}
