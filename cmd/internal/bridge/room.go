package bridge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/viewer"
	"github.com/sealcam/sealcam/uplink/seal"
)

// silence is how long a camera may say nothing before it is taken for offline:
// three times the period of status that cameras have by themselves.
const silence = 15 * time.Minute

// motionNow is how old a picture of motion may be to say that there is motion
// now: a camera takes some seconds to choose an event's best.
const motionNow = time.Minute

// room is one camera as Home Assistant is told of it. It acts on what it is
// shown and on the time that it is told, and on nothing else.
type room struct {
	id     seal.CameraID
	names  names
	board  *board
	motion time.Duration // how long motion lasts after the last of it was seen

	label, firmware string

	until    time.Time  // the picture that stands is not now any more; zero: none stands
	taken    string     // when it was taken, for a person
	event    uint64     // sequence of the last event's newest picture
	moving   uint64     // event that motion is on for
	motionTo time.Time  // motion is off again; zero: it is off
	litAt    time.Time  // when the newest word on the light was said, by the camera's clock
	heardAt  time.Time  // the camera was last known to be there
	saidAt   time.Time  // when the newest status was made, by the camera's clock
	film     *clip.Film // of the newest clip, without its media; nil for none
	filmSeq  uint64     // of its first part that came
	gone     bool       // its last will was published, and nothing has come since
	refusals uint64
}

func newRoom(id seal.CameraID, n names, b *board, motion time.Duration, now time.Time) *room {
	r := &room{id: id, names: n, board: b, motion: motion}
	r.say(entMotion, off)
	r.say(entOnline, unknown)
	r.say(entLight, unknown)
	r.say(entProblem, unknown)
	r.say(entVerdict, unknown)
	r.say(entWarmth, unknown)
	r.say(entMissing, "0")
	r.board.card(n.state(id, entPicture), card{Title: "No picture yet", Text: "Nothing verified has arrived since " + now.Local().Format(time.TimeOnly) + "."})
	return r
}

// say puts the state of an entity on the board.
func (r *room) say(what, state string) { r.board.text(r.names.state(r.id, what), state) }

// name announces the camera under a label, "" for none.
func (r *room) name(label string) {
	if label == "" {
		label = "Camera " + string(r.id[:8])
	}
	if label == r.label {
		return
	}
	r.label = label
	r.announce()
}

func (r *room) announce() {
	for _, p := range platforms {
		r.board.text(r.names.config(p.platform, r.id, p.entity), r.names.announce(r.id, p.entity, r.label, r.firmware))
	}
}

// take takes note of one Outcome of this camera.
func (r *room) take(o viewer.Outcome) {
	switch o.What {
	case viewer.Verified, viewer.Again:
		r.verified(o)
	case viewer.Refused:
		r.refused(o)
	case viewer.RosterRefused:
		r.judge("roster: "+string(o.Refusal.Reason), map[string]any{"check": o.Refusal.Error()}, o.At)
	}
}

func (r *room) verified(o viewer.Outcome) {
	v := o.Verified
	m := v.Meta()
	if m.Firmware != "" && m.Firmware != r.firmware && !v.Late() {
		r.firmware = m.Firmware
		r.announce()
	}
	r.hear(o, m)
	r.seeLight(v, m)
	if m.Media == "image/jpeg" {
		r.see(o, m)
	}
	r.move(o, m)
	r.follow(v, m)
	r.trouble(v, m)
	r.judge("verified", map[string]any{
		"message": fmt.Sprintf("%s %d", m.Stream, m.Seq), "kind": m.Kind, "cause": m.Cause, "taken": takenAt(m), "proven_now": v.Fresh(),
	}, o.At)
}

// see shows a verified picture where it belongs.
func (r *room) see(o viewer.Outcome, m seal.Meta) {
	switch {
	case m.Stream == seal.Live:
		r.until = m.Expires
		if r.until.IsZero() { // an answer of a camera without a clock
			r.until = o.At.Add(seal.NonceLife)
		}
		r.taken = o.At.Local().Format(time.TimeOnly)
		r.board.picture(r.names, entPicture, o.Verified)
	case m.Stream == seal.Durable && m.Kind == seal.KindSnapshot && m.Seq > r.event:
		r.event = m.Seq
		r.board.picture(r.names, entEvent, o.Verified)
	}
}

// move switches motion on for an event that is now, and off at its end. What
// comes late was motion once, and what a camera without a clock reports nobody
// knows to be now.
func (r *room) move(o viewer.Outcome, m seal.Meta) {
	age, known := o.Verified.Age(o.At)
	if m.Cause != "motion" || m.Stream != seal.Durable || !known || age > motionNow || o.What == viewer.Again {
		return
	}
	switch {
	case m.Kind != seal.KindClip || !m.Last:
		r.moving, r.motionTo = m.Event, o.At.Add(r.motion)
	case m.Event == r.moving: // the end of its clip
		r.motionTo = time.Time{}
	}
	r.still(o.At)
}

// follow tells what has come of the newest clip.
func (r *room) follow(v *seal.Verified, m seal.Meta) {
	k, ok := clip.KeyOf(v)
	if !ok {
		return
	}
	if r.film == nil || k != r.film.Key() {
		if m.Seq < r.filmSeq {
			return // late, of an older one
		}
		r.film, r.filmSeq = clip.NewOn(k, nil), m.Seq
	}
	if r.film.Add(v) == nil {
		r.detail(entEvent, map[string]any{"clip": r.film.Words(), "clip_event": k.Event, "clip_parts": len(r.film.Parts()), "clip_whole": r.film.Whole()})
	}
}

// Bounds of what a camera's troubles may say to Home Assistant.
const (
	maxTroubles    = 16
	maxTroubleText = 200
)

// trouble tells what the camera itself says is wrong: faults, and whatever was
// done to it.
func (r *room) trouble(v *seal.Verified, m seal.Meta) {
	if m.Kind != seal.KindStatus || m.Stream == seal.Will || v.Late() || m.Taken.Before(r.saidAt) {
		return
	}
	r.saidAt = m.Taken
	s := readStatus(v)
	words, reasons := bounded(s.Troubles), bounded(s.Health.Reasons)
	state := off
	if len(words) > 0 || s.State == "trouble" {
		state = on
	}
	r.detail(entProblem, map[string]any{
		"troubles": words, "says": strings.Join(words, "; "), "health": shortened(s.Health.Word), "reasons": reasons,
		"version": shortened(s.Firmware), "slot": shortened(s.Software.Slot), "trial": s.Software.Trial,
	})
	r.say(entProblem, state)
	warm := unknown
	if c := s.Machine.Celsius; c != 0 && c > -60 && c < 200 {
		warm = fmt.Sprintf("%.1f", c)
	}
	r.say(entWarmth, warm)
}

// bounded returns of what a camera says as much as Home Assistant is told.
func bounded(all []string) []string {
	words := []string{}
	for _, t := range all[:min(len(all), maxTroubles)] {
		words = append(words, shortened(t))
	}
	return words
}

func shortened(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxTroubleText)], "") }

// still says whether there is motion at the time now.
func (r *room) still(now time.Time) {
	if r.motionTo.IsZero() || !now.Before(r.motionTo) {
		r.motionTo = time.Time{}
		r.say(entMotion, off)
		return
	}
	r.say(entMotion, on)
}

// seeLight tells in which light the newest message says that it was taken.
func (r *room) seeLight(v *seal.Verified, m seal.Meta) {
	light := m.Light
	if m.Kind == seal.KindStatus {
		light = readStatus(v).Light
	}
	if v.Late() || m.Taken.Before(r.litAt) || !slices.Contains(lights(), light) {
		return
	}
	r.litAt = m.Taken
	r.say(entLight, light)
}

// status is the part of a camera's status that the bridge looks at.
type status struct {
	State    string   `json:"state"`
	Light    string   `json:"light"`
	Troubles []string `json:"troubles"`
	Health   struct {
		Word    string   `json:"word"`
		Reasons []string `json:"reasons"`
	} `json:"health"`
	Firmware string `json:"firmware"`
	Software struct {
		Slot  string `json:"slot"`
		Trial bool   `json:"trial"`
	} `json:"software"`
	Machine struct {
		Celsius float64 `json:"celsius"`
	} `json:"machine"`
}

func readStatus(v *seal.Verified) (s status) {
	_, text := v.Media()
	if json.Unmarshal(text, &s) != nil {
		return status{}
	}
	return s
}

// hear notes that the camera is there, or that its last will was published.
// What a broker has kept proves a presence as old as itself, and none after a
// will.
func (r *room) hear(o viewer.Outcome, m seal.Meta) {
	if m.Stream == seal.Will {
		r.gone = true
		r.say(entOnline, off)
		return
	}
	at := o.At
	if age, known := o.Verified.Age(o.At); known && age > 0 {
		at = o.At.Add(-age)
	} else if !known && o.Retained {
		return
	}
	r.gone = r.gone && o.Retained // what was kept may be older than the will
	if at.After(r.heardAt) {
		r.heardAt = at
	}
	r.present(o.At)
}

// present says whether the camera is online.
func (r *room) present(now time.Time) {
	switch {
	case r.gone:
		r.say(entOnline, off)
	case r.heardAt.IsZero():
		r.say(entOnline, unknown)
	case now.Sub(r.heardAt) > silence:
		r.say(entOnline, off)
	default:
		r.say(entOnline, on)
	}
}

// refused puts a card where the picture would have been.
func (r *room) refused(o viewer.Outcome) {
	r.refusals++
	c := card{Refused: true, Title: o.Refusal.Reason.Person(), Text: "It was not shown.", Detail: r.label + ": " + string(o.Refusal.Reason)}
	if o.Refusal.Alarm {
		c.Text = "It was not shown. The camera's key may have been copied."
	}
	switch o.Kind {
	case feed.Live:
		r.until = time.Time{}
		r.board.card(r.names.state(r.id, entPicture), c)
	case feed.Media:
		r.board.card(r.names.state(r.id, entEvent), c)
	}
	r.judge(string(o.Refusal.Reason), map[string]any{"says": o.Refusal.Reason.Person(), "check": o.Refusal.Error(), "alarm": o.Refusal.Alarm}, o.At)
}

// judge tells the last verdict.
func (r *room) judge(verdict string, detail map[string]any, at time.Time) {
	detail["at"], detail["camera"], detail["refused"] = at.UTC().Format(time.RFC3339), r.id, r.refusals
	r.detail(entVerdict, detail)
	r.say(entVerdict, verdict)
}

// detail puts what there is to know about an entity on the board.
func (r *room) detail(what string, detail map[string]any) {
	text, err := json.Marshal(detail)
	if err != nil {
		panic("bridge: " + err.Error()) // strings and numbers marshal
	}
	r.board.text(r.names.detail(r.id, what), string(text))
}

// tick lets a picture, motion and the camera's presence grow old. up says
// whether the household's broker is reached, and gaps what is missing.
func (r *room) tick(now time.Time, up bool, gaps []seal.Gap) {
	if !r.until.IsZero() && !now.Before(r.until) {
		r.until = time.Time{}
		r.board.card(r.names.state(r.id, entPicture), card{Title: "No fresh picture since " + r.taken, Text: "An older one is not shown as now.", Detail: r.label})
	}
	r.still(now)
	if up {
		r.present(now)
	} else {
		r.say(entOnline, unknown)
	}
	r.miss(gaps)
}

// toldGaps is how many gaps are told of one by one.
const toldGaps = 8

// miss tells what is missing, the newest first.
func (r *room) miss(gaps []seal.Gap) {
	var n uint64
	words := []string{}
	for _, g := range slices.Backward(gaps) {
		if g.Lost {
			continue
		}
		n += g.Last - g.First + 1
		if len(words) < toldGaps {
			words = append(words, viewer.Outcome{What: viewer.GapOpened, Gap: g}.GapWords(time.Local))
		}
	}
	r.say(entMissing, fmt.Sprint(n))
	r.detail(entMissing, map[string]any{"gaps": words})
}

// takenAt is when a message was taken by its camera's clock, "" if it has none.
func takenAt(m seal.Meta) string {
	if m.Clock == seal.ClockNone || m.Taken.IsZero() {
		return ""
	}
	return m.Taken.UTC().Format(time.RFC3339)
}
