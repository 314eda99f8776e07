package drill

import (
	"errors"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// broken is an opener with a fault. What the drill is worth shows in what it
// says of these.
type broken struct {
	openers
	w     *world
	fault string
}

func (b *broken) open(now time.Time, screen seal.CameraID, sealed []byte) (answer, error) {
	a, err := b.openers.open(now, screen, sealed)
	switch b.fault {
	case "shows everything":
		return b.believe(screen, sealed), nil
	case "shows nothing":
		return answer{reason: "malformed"}, nil
	case "shows whatever camera it is":
		if v, err := seal.Peek(sealed); err == nil {
			return b.openers.open(now, v.Camera, sealed)
		}
	case "names another camera":
		a.camera = b.home.cameras[0].id
	case "has no memory":
		if v, err := b.opener.Check(screen, sealed); err == nil {
			m := v.Meta()
			camera, media := v.Media()
			return answer{shown: true, camera: camera, stream: m.Stream, seq: m.Seq, media: media}, nil
		}
	case "has no clock":
		if v, err := seal.Peek(sealed); err == nil && !v.Expires.IsZero() {
			return b.openers.open(v.Expires.Add(-1), screen, sealed)
		}
	case "drops one in fifty":
		if a.shown && a.seq%50 == 1 {
			return answer{reason: "too busy"}, nil
		}
	case "shows another number":
		a.seq++
	case "changes the media":
		if len(a.media) > 0 {
			a.media = append([]byte("edited "), a.media...)
		}
	}
	return a, err
}

// believe is a viewer as most are: whatever is in the message that came for a
// screen is shown on that screen.
func (b *broken) believe(screen seal.CameraID, sealed []byte) answer {
	v, err := seal.Peek(sealed)
	if err != nil {
		return answer{reason: "malformed"}
	}
	for _, m := range b.w.all {
		if string(m.sealed) == string(sealed) {
			return answer{shown: true, camera: screen, stream: v.Stream, seq: v.Seq, media: m.media}
		}
	}
	return answer{reason: "malformed"}
}

// clip is asked where the fault is one of clips, or there is none.
func (b *broken) clip(camera seal.CameraID, boot [16]byte, event uint64) (statement, bool, error) {
	switch b.fault {
	case "":
	case "calls every clip whole":
		s, ok, err := b.openers.clip(camera, boot, event)
		s.whole = s.film != nil
		return s, ok, err
	case "shows what is missing as a cut":
		s, ok, err := b.openers.clip(camera, boot, event)
		s.missing = nil
		return s, ok, err
	case "knows events by their number alone":
		for k := range b.films {
			if k.Camera == camera && k.Event == event && k.Boot != boot {
				return b.openers.clip(camera, k.Boot, event)
			}
		}
		return b.openers.clip(camera, boot, event)
	default:
		return statement{}, false, nil
	}
	return b.openers.clip(camera, boot, event)
}

func (b *broken) roster(r *roster) error {
	if b.fault == "keeps its roster" {
		return nil
	}
	return b.openers.roster(r)
}

func (b *broken) gaps(camera seal.CameraID) ([]span, error) {
	if b.fault == "knows no gaps" {
		return nil, nil
	}
	return b.openers.gaps(camera)
}

// TestJudge: every fault is found, by the attack that it opens the door to.
func TestJudge(t *testing.T) {
	w, err := newWorld(3, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	d := &drill{config: Config{Deliveries: 1800, Sessions: 3, Seed: 3}, world: w, total: newTally()}
	for _, c := range []struct {
		fault   string
		wrong   []string // attacks that come through
		missing bool     // authentic messages are missing
	}{
		{fault: ""},
		{fault: "shows everything", wrong: []string{swapped, "swapped between households", "replayed, a day old", "replayed, from before a reset", "duplicated", delayed, mixedUp, retained}},
		{fault: "shows nothing", missing: true},
		{fault: "shows whatever camera it is", wrong: []string{swapped, mixedUp}},
		{fault: "names another camera", wrong: []string{delayed}},
		{fault: "has no memory", wrong: []string{"replayed, a day old", "duplicated", "on another topic"}},
		{fault: "has no clock", wrong: []string{delayed, retained}},
		{fault: "drops one in fifty", missing: true},
		{fault: "shows another number", wrong: []string{delayed}},
		{fault: "changes the media", wrong: []string{delayed}},
		{fault: "keeps its roster", wrong: []string{"replayed, from before a reset"}, missing: true},
		{fault: "knows no gaps", missing: true},
		{fault: "calls every clip whole", wrong: []string{partDropped, clipCut}},
		{fault: "shows what is missing as a cut", wrong: []string{partDropped}},
		{fault: "knows events by their number alone", wrong: []string{bootsMixed}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			all := newTally()
			for i := range d.config.Sessions {
				got, err := d.session(t.Context(), &broken{w: w, fault: c.fault}, i)
				if err != nil {
					t.Fatal(err)
				}
				all.add(got)
			}
			var r Report
			all.report(&r)
			for _, name := range c.wrong {
				if r.Attacks[name].Wrong == 0 {
					t.Errorf("nothing was shown wrongly for %q", name)
				}
			}
			if len(c.wrong) == 0 && r.WrongShown != 0 || len(c.wrong) > 0 && r.WrongShown == 0 {
				t.Errorf("%d shown wrongly: %q", r.WrongShown, r.Examples)
			}
			if c.missing != (r.AuthenticUnaccounted > 0) && len(c.wrong) == 0 {
				t.Errorf("%d unaccounted for: %q", r.AuthenticUnaccounted, r.Examples)
			}
			if r.Passed() != (c.fault == "") {
				t.Errorf("passed: %v", r.Passed())
			}
		})
	}
}

// A viewer that fails ends the drill, and is not taken for one that refuses.
func TestViewerFails(t *testing.T) {
	w, err := newWorld(3, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	d := &drill{config: Config{Deliveries: 400, Sessions: 1}, world: w}
	if _, err := d.session(t.Context(), failing{}, 0); !errors.Is(err, errFailing) {
		t.Errorf("got %v", err)
	}
}

var errFailing = errors.New("out of order")

type failing struct{ subject }

func (failing) begin(*household, *seal.ViewerKey, *roster) error { return nil }
func (failing) open(time.Time, seal.CameraID, []byte) (answer, error) {
	return answer{}, errFailing
}
