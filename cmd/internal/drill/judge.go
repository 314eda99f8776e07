package drill

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// judge compares what one viewer shows with the truth. It asks the viewer for
// nothing but what it shows, and what it knows to be missing.
type judge struct {
	w     *world
	home  *household
	join  time.Duration
	tally *tally

	roster *roster              // that the viewer was given last
	fates  []fate               // of home.days
	memory map[*message]bool    // shown since the viewer's memory begins
	live   map[*camera]*message // shown last, since then
	first  map[*camera]uint64   // durable number that was shown first since then
	lost   bool                 // a memory, once
}

// fate is what became of an authentic message in the end.
type fate uint8

const (
	unaccounted fate = iota // not shown, and nobody knows why
	shown                   // to a person, as what it is
	superseded              // live, and a newer one was shown
	expired                 // live, and it came too late, or never
	missing                 // durable, withheld, and the viewer knows that it is missing
	forgotten               // durable, withheld, and the viewer lost its memory before it could know
	refused                 // in spite of being authentic: a fault
	fates                   // how many there are
)

func newJudge(w *world, h *household, join time.Duration, t *tally) *judge {
	j := &judge{w: w, home: h, join: join, tally: t, roster: h.rosterAt(join), fates: make([]fate, len(h.days))}
	j.begin()
	return j
}

// begin starts the viewer's memory: what it shows again from now on is new to it.
func (j *judge) begin() {
	j.memory, j.live, j.first = map[*message]bool{}, map[*camera]*message{}, map[*camera]uint64{}
}

// forget is called at the time now when the viewer is about to lose its memory.
func (j *judge) forget(now time.Duration, gaps func(seal.CameraID) ([]span, error)) error {
	if err := j.account(now, gaps); err != nil {
		return err
	}
	for i, m := range j.home.days {
		if j.fates[i] == unaccounted && m.stream == seal.Durable && m.at >= j.join && m.at <= now {
			j.fates[i] = forgotten
		}
	}
	j.begin()
	j.lost = true
	return nil
}

// answered takes note of what the viewer did with the delivery s.
func (j *judge) answered(s step, a answer) {
	row := j.tally.row(s.attack)
	j.tally.deliveries++
	row.Tried++
	if a.alarm {
		row.Alarms++
	}
	if !a.shown {
		row.Refused[a.reason]++
		if s.forwards != nil && j.fates[s.forwards.index] != shown {
			j.fates[s.forwards.index] = j.excuse(s.forwards, s.now)
		}
		return
	}
	m, wrong := j.compare(s, a)
	if wrong != "" {
		row.Wrong++
		j.tally.example(fmt.Sprintf("%s: %s: %s", nameOf(s.attack), s.screen.name, wrong))
		return
	}
	row.Shown++
	j.memory[m] = true
	switch {
	case m.stream == seal.Live:
		j.live[m.camera] = m
	case m.stream == seal.Durable && j.first[m.camera] == 0:
		j.first[m.camera] = m.seq
	}
	j.fates[m.index] = shown
}

// compare says what is wrong about showing a on the screen of s, or which
// message it is.
func (j *judge) compare(s step, a answer) (m *message, wrong string) {
	known := j.w.truth[sha256.Sum256(a.media)]
	for _, t := range known {
		if bytes.Equal(t.sealed, s.sealed) {
			m = t
		}
	}
	switch {
	case m == nil && known != nil && len(a.media) > 0:
		return nil, "shown from bytes that no camera sealed"
	case m == nil:
		return nil, "media that no camera sealed"
	case m.camera != s.screen:
		return nil, "a picture of " + m.camera.name
	case a.camera != s.screen.id:
		return nil, fmt.Sprintf("shown as of camera %.12q", a.camera)
	case m.clone:
		return nil, "a picture of the clone"
	case m.camera.home != j.home:
		return nil, "a picture of another household"
	case a.stream != m.stream || a.seq != m.seq:
		return nil, fmt.Sprintf("%s message %d, shown as %s message %d", m.stream, m.seq, a.stream, a.seq)
	case !j.roster.lists(m.camera):
		return nil, "the camera is not the household's any more"
	case j.memory[m]:
		return nil, fmt.Sprintf("%s message %d was shown before", m.stream, m.seq)
	case m.stream == seal.Live && s.now >= m.expires:
		return nil, fmt.Sprintf("a live picture %v after its expiry", s.now-m.expires)
	case m.stream == seal.Live && j.live[m.camera] != nil && j.live[m.camera].at > m.at:
		return nil, "a live picture older than the one before"
	}
	return m, ""
}

// excuse says why an authentic message may be refused at the time now.
func (j *judge) excuse(m *message, now time.Duration) fate {
	switch newest := j.live[m.camera]; {
	case m.stream == seal.Live && now >= m.expires:
		return expired
	case m.stream == seal.Live && newest != nil && newest.at > m.at:
		return superseded
	case j.memory[m]:
		return shown
	}
	return refused
}

// account settles what has not been shown up to now. gaps returns what the
// viewer knows to be missing.
func (j *judge) account(now time.Duration, gaps func(seal.CameraID) ([]span, error)) error {
	missed := map[*camera][]span{}
	for i, m := range j.home.days {
		if j.fates[i] != unaccounted || m.at < j.join || m.at > now {
			continue
		}
		if m.stream != seal.Durable {
			// Withheld until it was worth nothing: the screen has grown stale
			// meanwhile, or shows a newer one.
			if m.stream == seal.Live && now >= m.expires {
				j.fates[i] = expired
			}
			continue
		}
		if missed[m.camera] == nil {
			spans, err := gaps(m.camera.id)
			if err != nil {
				return err
			}
			missed[m.camera] = append(spans, span{})
		}
		for _, s := range missed[m.camera] {
			if s.first <= m.seq && m.seq <= s.last {
				j.fates[i] = missing
			}
		}
		if j.fates[i] == unaccounted && j.lost && m.seq < j.first[m.camera] {
			j.fates[i] = forgotten
		}
	}
	return nil
}

// end adds up what became of everything.
func (j *judge) end(gaps func(seal.CameraID) ([]span, error)) error {
	if err := j.account(forever, gaps); err != nil {
		return err
	}
	for i, m := range j.home.days {
		if m.at < j.join {
			continue
		}
		j.tally.sent++
		j.tally.fates[j.fates[i]]++
		if f := j.fates[i]; f == unaccounted || f == refused {
			j.tally.example(fmt.Sprintf("%s: %s message %d was not shown", m.camera.name, m.stream, m.seq))
		}
	}
	return nil
}

// rosterAt returns the roster in force at a time.
func (h *household) rosterAt(at time.Duration) *roster {
	r := &h.rosters[0]
	for i := range h.rosters {
		if h.rosters[i].from <= at {
			r = &h.rosters[i]
		}
	}
	return r
}

// lists reports whether c is the household's under r: by what the drill knows,
// not by what it signed.
func (r *roster) lists(c *camera) bool { return c.from <= r.from && r.from < c.until }
