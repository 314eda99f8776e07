package main

import (
	"fmt"
	"os"
	"time"

	"github.com/sealcam/sealcam/capture/motion/score"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// truth is what really happens in a film: from labels, or from the scene that draws it.
type truth struct {
	judge score.Judge
	spans []score.Span // labels, or the scene's visits so far
	drawn *scene.Scene // nil for labels
	visit int          // the scene's visit that is going on; 0 for none
	until time.Duration
}

// openTruth returns nil if name is empty. drawn is the film, if it is a scene.
func openTruth(name string, drawn *scene.Scene) (*truth, error) {
	switch {
	case name == "":
		return nil, nil
	case name == "scene":
		return &truth{drawn: drawn}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	spans, err := score.ReadLabels(f)
	if err != nil {
		return nil, cli.Hint(fmt.Errorf("%s: %w", name, err), "write one line for each visit, such as 1.5,7.25")
	}
	return &truth{spans: spans}, nil
}

// frame compares what was told of a frame.
func (t *truth) frame(at time.Duration, told bool) {
	t.until = at
	if t.drawn == nil {
		t.judge.Frame(at, told, t.labelled(at))
		return
	}
	now := t.drawn.Truth(at)
	t.judge.Frame(at, told, now.Moving)
	if now.Moving {
		if now.Visit != t.visit {
			t.visit = now.Visit
			t.spans = append(t.spans, score.Span{Start: at})
		}
		t.spans[len(t.spans)-1].End = at
	}
}

func (t *truth) labelled(at time.Duration) bool {
	for _, s := range t.spans {
		if at >= s.Start && at <= s.End {
			return true
		}
	}
	return false
}

type truthCount struct {
	Hit   int     `json:"hit"`
	Miss  int     `json:"miss"`
	Wrong int     `json:"wrong"`
	F1    float64 `json:"f1"`
}

type truthLine struct {
	Seconds truthCount `json:"seconds"`
	Events  truthCount `json:"events"`
}

// result is the judgement on what was seen of the film.
func (t *truth) result() truthLine {
	for _, s := range t.spans {
		if s.Start <= t.until {
			t.judge.Visit(s)
		}
	}
	r := t.judge.Result()
	return truthLine{
		Seconds: truthCount{r.Hit, r.Miss, r.Wrong, round(r.F1())},
		Events:  truthCount{r.Joined, r.Visits - r.Joined, r.Events - r.Joined, round(r.EventF1())},
	}
}
