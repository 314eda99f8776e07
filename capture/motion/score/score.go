// Package score compares what a motion detector told with what was true: second
// by second, and event by event.
//
// What this package does not do: it detects nothing, and knows no frames. What it
// is told are times since the start of a film.
package score

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Span is a stretch of time, of a visit or of an event.
type Span struct{ Start, End time.Duration }

func (s Span) overlaps(o Span) bool { return s.Start <= o.End && o.Start <= s.End }

// Result is the outcome. A second counts as moving when half of its frames do.
type Result struct {
	Hit, Miss, Wrong       int // seconds found, overlooked, invented
	Visits, Events, Joined int // Joined are the visits that have an event of their own
}

// F1 is the harmonic mean of precision and recall over moving seconds, 1 when
// there were none and none were told.
func (r Result) F1() float64 { return f1(r.Hit, r.Miss, r.Wrong) }

// EventF1 is the same over visits: one without an event, two that share one, and
// events without a visit or beside another one all count against it.
func (r Result) EventF1() float64 { return f1(r.Joined, r.Visits-r.Joined, r.Events-r.Joined) }

func f1(hit, miss, wrong int) float64 {
	if hit+miss+wrong == 0 {
		return 1
	}
	return 2 * float64(hit) / float64(2*hit+miss+wrong)
}

// Judge collects. The zero value is ready for use.
type Judge struct {
	second             time.Duration
	frames, told, real int
	r                  Result
	visits, events     []Span
}

// Frame tells what was told of the frame at the given time, and what was true.
// Times must not fall.
func (j *Judge) Frame(at time.Duration, told, real bool) {
	if s := at.Truncate(time.Second); s != j.second {
		j.turn()
		j.second = s
	}
	j.frames++
	if told {
		j.told++
	}
	if real {
		j.real++
	}
}

// turn closes a second.
func (j *Judge) turn() {
	told, real := 2*j.told >= j.frames, 2*j.real >= j.frames
	switch {
	case j.frames == 0:
	case told && real:
		j.r.Hit++
	case told:
		j.r.Wrong++
	case real:
		j.r.Miss++
	}
	j.frames, j.told, j.real = 0, 0, 0
}

// Visit adds a true visit, Event one that was told. Both come in order of time.
func (j *Judge) Visit(s Span) { j.visits = append(j.visits, s) }

// Event is described with Visit.
func (j *Judge) Event(s Span) { j.events = append(j.events, s) }

// Result sums up. Nothing may be added afterwards.
func (j *Judge) Result() Result {
	j.turn()
	r := j.r
	r.Visits, r.Events = len(j.visits), len(j.events)
	next := 0
	for _, v := range j.visits {
		for i := next; i < len(j.events); i++ {
			if v.overlaps(j.events[i]) {
				r.Joined, next = r.Joined+1, i+1
				break
			}
		}
	}
	return r
}

// ReadLabels reads visits as an owner notes them down: a line for each with its
// start and end in seconds, parted by a comma, in order of time. Lines that begin with
// # and a first line of words are left out, as are further columns.
func ReadLabels(r io.Reader) ([]Span, error) {
	c := csv.NewReader(io.LimitReader(r, 1<<20))
	c.Comment, c.FieldsPerRecord, c.TrimLeadingSpace = '#', -1, true
	var spans []Span
	for first := true; ; first = false {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return spans, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.FieldPos(0)
		if len(rec) < 2 {
			return nil, fmt.Errorf("line %d: want start,end in seconds", line)
		}
		start, err1 := seconds(rec[0])
		end, err2 := seconds(rec[1])
		if first && err1 != nil && err2 != nil {
			continue // the columns' names
		}
		if err1 != nil || err2 != nil || end < start {
			return nil, fmt.Errorf("line %d: %q,%q: want start,end in seconds", line, rec[0], rec[1])
		}
		if n := len(spans); n > 0 && start < spans[n-1].End {
			return nil, fmt.Errorf("line %d: it starts before the visit in front of it has ended", line)
		}
		spans = append(spans, Span{start, end})
	}
}

func seconds(s string) (time.Duration, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(v >= 0 && v < 1e6) {
		return 0, fmt.Errorf("%q is no time", s)
	}
	return time.Duration(v * float64(time.Second)), nil
}
