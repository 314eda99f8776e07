package score

import (
	"strings"
	"testing"
	"time"
)

func sec(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func TestSecondsCountByHalves(t *testing.T) {
	var j Judge
	for i := range 60 { // ten frames a second for six seconds
		at := sec(float64(i) / 10)
		j.Frame(at, i >= 14 && i < 45, i >= 16 && i < 35)
	}
	// Seconds 0..5: told in 1,2,3,4 (4: five of ten), true in 2,3 (1: four of ten; 3: five).
	if r := j.Result(); r.Hit != 2 || r.Wrong != 2 || r.Miss != 0 || r.F1() != 2*2.0/6 {
		t.Errorf("%+v, F1 %v", r, r.F1())
	}
	var none Judge
	none.Frame(0, false, false)
	if r := none.Result(); r.F1() != 1 || r.EventF1() != 1 {
		t.Errorf("nothing told and nothing true: %v %v", r.F1(), r.EventF1())
	}
}

func TestEventsJoinOneToOne(t *testing.T) {
	for _, c := range []struct {
		name           string
		visits, events []Span
		joined         int
	}{
		{"each its own", []Span{{sec(1), sec(2)}, {sec(5), sec(6)}}, []Span{{sec(1), sec(2)}, {sec(5.5), sec(7)}}, 2},
		{"two merged", []Span{{sec(1), sec(2)}, {sec(5), sec(6)}}, []Span{{sec(1), sec(6)}}, 1},
		{"one torn", []Span{{sec(1), sec(9)}}, []Span{{sec(1), sec(2)}, {sec(5), sec(6)}}, 1},
		{"overlooked", []Span{{sec(1), sec(2)}}, nil, 0},
		{"invented", nil, []Span{{sec(1), sec(2)}}, 0},
		{"beside", []Span{{sec(1), sec(2)}}, []Span{{sec(3), sec(4)}}, 0},
	} {
		var j Judge
		for _, v := range c.visits {
			j.Visit(v)
		}
		for _, e := range c.events {
			j.Event(e)
		}
		r := j.Result()
		if r.Joined != c.joined || (r.EventF1() == 1) != (c.name == "each its own") {
			t.Errorf("%s: %+v, F1 %v", c.name, r, r.EventF1())
		}
	}
}

func TestLabels(t *testing.T) {
	got, err := ReadLabels(strings.NewReader("start,end,who\n# the postman\n1.5, 4,him\n7,7.25\n"))
	if err != nil || len(got) != 2 || got[0] != (Span{sec(1.5), sec(4)}) || got[1] != (Span{sec(7), sec(7.25)}) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		"1,2\nthree,4\n": "line 2",
		"5,4\n":          "line 1",
		"5\n":            "start,end",
		"1,5\n4,6\n":     "before the visit",
		"-1,5\n":         "line 1",
		"NaN,5\n":        "line 1",
		"1,\"2\n":        "quote",
	} {
		if _, err := ReadLabels(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a word about %q", text, err, want)
		}
	}
}
