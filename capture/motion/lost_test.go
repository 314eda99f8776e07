package motion_test

import (
	"math"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/motion"
)

// TestLostInThePicture wants somebody who goes out of sight in the middle of the picture, as
// before a wall of his coat's colour, to stay in it for a while, and to be the same when he is
// found again; and who left over the edge to have left at once.
func TestLostInThePicture(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	if n := s.rest(2 * time.Second); n < 19 {
		t.Errorf("of 20 frames out of sight %d move", n)
	}
	if n := s.walk(from(71), s.w); n < 30 {
		t.Errorf("found again, %d frames move", n)
	}
	if n := s.rest(2 * time.Second); n > 0 {
		t.Errorf("%d frames move after the person left", n)
	}
	if len(s.ids) != 1 {
		t.Errorf("%d events, want 1", len(s.ids))
	}
	s.walk(from(-7), 71)
	if n := s.rest(6 * time.Second); n > 27 {
		t.Errorf("of 60 frames without him %d move", n)
	}
}

// TestStandsBeforeHisColour wants who stands before something a little brighter than he is to
// be found for as long as he stands there: on frames that hardly show him, he must not be learned.
func TestStandsBeforeHisColour(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	// He is nearly as bright as the wall, and well seen on few frames.
	moving := 0
	for i := range 200 {
		b := from(71)
		b.grey = 112 - i%13/2
		if s.show(capture.LightDay, b).Moving {
			moving++
		}
	}
	if moving < 195 {
		t.Errorf("of 200 frames %d move", moving)
	}
	s.walk(from(71), s.w)
	if n := s.rest(5 * time.Second); n > 2 {
		t.Errorf("%d frames move after he left: a ghost", n)
	}
	if len(s.ids) != 1 {
		t.Errorf("%d events, want 1", len(s.ids))
	}
}

// TestLightTakesNobodysPlace wants an event to end when what is followed has no edges any more:
// a spider before the lens has taken the place of somebody behind it.
func TestLightTakesNobodysPlace(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	moving := 0
	for i := range 150 {
		cx := 74 + 6*math.Sin(float64(i)/5)
		s.extra = func(x, y int) int {
			dx, dy := (float64(x)-cx)/14, (float64(y)-50)/14
			return int(-70 * math.Exp(-dx*dx-dy*dy))
		}
		if s.show(capture.LightDay).Moving {
			moving++
		}
	}
	if moving > 60 {
		t.Errorf("a soft shape sways where somebody was, and %d of 150 frames move", moving)
	}
}

// TestLightGoesOverHim wants a beam that sweeps over somebody who stands there not to take him
// along: he is where he was afterwards, and it is one event.
func TestLightGoesOverHim(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	for x := -60.0; x < 220; x += 7 {
		s.extra = func(px, py int) int {
			dx, dy := (float64(px)-x)/22, (float64(py)-45)/22
			return int(80 / (1 + dx*dx + dy*dy))
		}
		s.rest(s.step, from(71))
	}
	s.extra = nil
	if n := s.rest(20*time.Second, from(71)); n < 195 {
		t.Errorf("of 200 frames after the beam %d show him", n)
	}
	s.walk(from(71), s.w)
	s.rest(2 * time.Second)
	if len(s.ids) != 1 {
		t.Errorf("%d events, want 1", len(s.ids))
	}
}

// TestComesInBesideAFlake wants somebody to be found who comes in where something small was
// just about: its way is none of his.
func TestComesInBesideAFlake(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	for i := range 12 { // to and fro, for 1.2 s
		s.show(capture.LightDay, body{x: 2 + i%2*4, y: 36 + i, w: 4, h: 3, grey: 230})
	}
	frames := 0
	for x := 1; x < 40; x += 2 {
		frames++
		if s.show(capture.LightDay, from(x)).Moving {
			break
		}
	}
	if frames > 8 {
		t.Errorf("found after %d frames", frames)
	}
}

// TestLessTellsOfWhoIsKnown wants somebody to be found for as long as he stands before what is
// nearly as bright, though a stranger who does is not found at all.
func TestLessTellsOfWhoIsKnown(t *testing.T) {
	faint := from(71)
	faint.grey = 114
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), 71)
	if n := s.rest(20*time.Second, faint); n < 195 {
		t.Errorf("of 200 frames %d show who was seen to come", n)
	}
	s = newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	if s.rest(20*time.Second, faint); len(s.ids) > 0 {
		t.Errorf("a stranger as faint is seen: the test shows nothing")
	}
}

// TestGoneOverTheEdge wants who was last found at the edge to be in the picture for a tenth of
// a second more, and no longer: what was left of him was too small to be found.
func TestGoneOverTheEdge(t *testing.T) {
	s := newStage(t, motion.Config{})
	s.rest(3 * time.Second)
	s.walk(from(-7), s.w-6)
	if n := s.rest(2 * time.Second); n != 1 {
		t.Errorf("of 20 frames after the last that showed him %d move, want 1", n)
	}
}
