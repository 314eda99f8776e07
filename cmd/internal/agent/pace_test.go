package agent

import (
	"testing"
	"time"
)

// run lets so much time go by, of which a part is busy, ten frames a second, and returns
// how often the pace changed.
func (p *pace) run(now *time.Duration, span time.Duration, share float64, lost uint64) (changes int) {
	const frame = 100 * time.Millisecond
	dropped := p.dropped
	for end := *now + span; *now < end; {
		*now += frame
		dropped += lost
		if p.add(*now, time.Duration(share*float64(frame))) && p.judge(*now, dropped) {
			changes++
		}
	}
	return changes
}

func TestPaceFollowsTheLoad(t *testing.T) {
	want := 100 * time.Millisecond
	p := pace{want: want, step: want}
	now := time.Hour // since the system's start
	if n := p.run(&now, time.Minute, 0.2, 0); n != 0 || p.step != want {
		t.Errorf("at ease: %d changes, %v", n, p.step)
	}
	if n := p.run(&now, time.Minute, 0.5, 0); n != 0 {
		t.Errorf("half busy: %d changes", n)
	}
	p.run(&now, 2*paceLook, 0.2, 0)
	if n := p.run(&now, time.Minute, 0.2, 1); n != 0 {
		t.Errorf("frames lost by an idle camera: %d changes; they are not lost for want of time", n)
	}
	p.run(&now, 2*paceLook, 0.2, 0)
	if n := p.run(&now, 2*paceLook-time.Second, 0.5, 1); n != 1 || p.step != 150*time.Millisecond || p.rate() < 6.6 || p.rate() > 6.7 {
		t.Errorf("busy and losing frames: %d changes, %v", n, p.step)
	}
	if p.run(&now, 2*time.Minute, 0.9, 0); p.step != time.Second {
		t.Errorf("too busy for long: %v, want one a second", p.step)
	}
	if n := p.run(&now, 2*time.Minute, 0.1, 0); n < 5 || p.step != want {
		t.Errorf("at ease again: %d changes, %v", n, p.step)
	}
	now += time.Hour // the camera was away
	if n := p.run(&now, paceLook/2, 1, 0); n != 0 {
		t.Errorf("after a pause: %d changes", n)
	}
	slow := pace{want: 2 * time.Second, step: 2 * time.Second} // asked for less than the least
	if slow.run(&now, time.Minute, 0.9, 0); slow.step != 2*time.Second {
		t.Errorf("%v", slow.step)
	}
}
