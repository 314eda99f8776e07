package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink"
)

// step is one analysed frame of a story: a letter says what motion saw.
// "." nothing, "S" an event starts, "b" its best frame so far, "-" it goes on,
// "E" it ends.
func story(c *chooser, each time.Duration, frames string) (sent, kept string) {
	var out, keep strings.Builder
	event := &motion.Event{}
	for i, r := range frames {
		var v motion.Verdict
		switch r {
		case 'S':
			event = &motion.Event{ID: event.ID + 1}
			v = motion.Verdict{Event: event, Moving: true, Started: true, Best: true}
		case 'b':
			v = motion.Verdict{Event: event, Moving: true, Best: true}
		case '-':
			v = motion.Verdict{Event: event, Moving: true}
		case 'E':
			v = motion.Verdict{Event: event, Ended: true}
		}
		wants, k := c.see(time.Duration(i)*each, v, nil)
		sign := byte('.')
		for _, w := range wants {
			switch {
			case w.cause == encode.CausePeriod && w.live && !w.best && w.event == 0:
				sign = 'p'
			case w.cause == encode.CauseMotion && w.best && !w.live && w.event == event.ID:
				sign = 'm'
			default:
				sign = '?'
			}
		}
		out.WriteByte(sign)
		keep.WriteString(map[bool]string{true: "k", false: "."}[k])
	}
	return out.String(), keep.String()
}

func TestChooser(t *testing.T) {
	for _, tc := range []struct {
		name               string
		every              time.Duration
		frames, sent, kept string // one character per 500 ms
	}{
		{"nothing moves", 0, "......", "......", "......"},
		{"a period", 1500 * time.Millisecond, ".......", "p..p..p", "......."},
		{"best has settled", 0, "..Sb------E", "......m....", "..kk......."},
		{"ends before it settles", 0, ".SbE..", "...m..", ".kk..."},
		{"ever better, sent at the latest", 0, "Sbbbbbbbbbbbbbbb-", "............m....", "kkkkkkkkkkkkk...."},
		{"two visits, two pictures", 0, "S-E.S-E", "..m...m", "k...k.."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sent, kept := story(&chooser{every: tc.every}, 500*time.Millisecond, tc.frames)
			if sent != tc.sent || kept != tc.kept {
				t.Errorf("frames %s\n sent  %s, want %s\n kept  %s, want %s", tc.frames, sent, tc.sent, kept, tc.kept)
			}
		})
	}
}

func TestChooserAnswersRequests(t *testing.T) {
	c := &chooser{every: time.Second}
	wants, _ := c.see(0, motion.Verdict{}, []uplink.Request{{Nonce: []byte("a")}, {Nonce: []byte("b")}})
	var got []string
	for _, w := range wants {
		got = append(got, fmt.Sprintf("%s %s %t", w.cause, w.nonce, w.live))
	}
	if want := "[request a true request b true]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s and no periodic picture beside them", got, want)
	}
}

func TestChooserFlush(t *testing.T) {
	c := &chooser{}
	story(c, 100*time.Millisecond, "Sb-")
	if w, ok := c.flush(); !ok || w.event != 1 || !w.best {
		t.Errorf("an open event is not flushed: %+v, %t", w, ok)
	}
	if _, ok := c.flush(); ok {
		t.Error("flushed twice")
	}
}

func TestDue(t *testing.T) {
	count := func(rate int, step time.Duration) int {
		e := &eye{pace: pace{step: step}}
		n := 0
		for i := range 10 * rate {
			if e.due(time.Duration(i) * time.Second / time.Duration(rate)) {
				n++
			}
		}
		return n
	}
	for _, tc := range []struct{ rate, want int }{{30, 100}, {10, 100}, {5, 50}, {25, 100}, {60, 100}} {
		if n := count(tc.rate, 100*time.Millisecond); n < tc.want-1 || n > tc.want+1 {
			t.Errorf("%d fps for 10 s, a look each 100 ms: %d looks, want %d", tc.rate, n, tc.want)
		}
	}
	e := &eye{pace: pace{step: 100 * time.Millisecond}}
	e.due(time.Hour)
	if !e.due(0) {
		t.Error("a source that starts again from 0 is not looked at")
	}
}
