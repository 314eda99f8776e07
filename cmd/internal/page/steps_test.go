package page

import (
	"fmt"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// do performs one step of a browser test by name.
func (w *world) do(what string, camera int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = nil
	step, ok := map[string]func(*fakeCamera) error{
		"pump":   func(*fakeCamera) error { w.pumping = true; w.pumpOnce(); return nil },
		"stop":   func(*fakeCamera) error { w.pumping = false; return nil },
		"day":    func(*fakeCamera) error { w.eachLight("day"); return nil },
		"night":  func(*fakeCamera) error { w.eachLight("night"); return nil },
		"mute":   func(*fakeCamera) error { w.mute = true; return nil },
		"unmute": func(*fakeCamera) error { w.mute = false; return nil },
		"down":   func(*fakeCamera) error { w.down = "The broker’s certificate has expired."; return nil },
		"up":     func(*fakeCamera) error { w.down = ""; return nil },
		"live":   w.doLive,
		"lasting": func(c *fakeCamera) error {
			return w.arrive(c, feed.Live, w.sealLive(c, time.Now(), 10*time.Minute, nil))
		},
		"view":       func(c *fakeCamera) error { return w.doView(c, c) },
		"view-h264":  w.doViewPart,
		"view-wrong": func(c *fakeCamera) error { return w.doView(c, w.other(c)) },
		"history":    w.doHistory,
		"event":      w.doEvent,
		"gap":        w.doGap,
		"week":       w.doWeek,
		"lost":       w.doLost,
		"clip":       w.doClip("jpeg"), "clip-h264": w.doClip("h264"), "clip-h265": w.doClip("h265"),
		"hurt": w.doHurt, "heal": w.doHeal, "healed": w.doHealed, "stranger": w.doStranger,
		"again": func(c *fakeCamera) error { return w.arrive(c, feed.Media, c.sent[c.seq]) },
		"trouble": func(c *fakeCamera) error {
			return w.doStatus(c, seal.Durable, `{"state":"trouble","troubles":["no frames from /dev/video0 for 12 s"],"uptime_s":5}`)
		},
		"care": func(c *fakeCamera) error {
			return w.doStatus(c, seal.Durable, `{"state":"running","health":{"word":"care","reasons":["the board is so warm that it slows down"]},"firmware":"v1.4.0","software":{"slot":"b","trial":true},"machine":{"celsius":81.2}}`)
		},
		"running": func(c *fakeCamera) error { return w.doStatus(c, seal.Durable, `{"state":"running"}`) },
		"closed": func(c *fakeCamera) error {
			return w.doStatus(c, seal.Durable, `{"state":"privacy","privacy":{"on":true,"since":"`+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)+`","by":"button"}}`)
		},
		"will":      func(c *fakeCamera) error { return w.doStatus(c, seal.Will, `{"state":"offline"}`) },
		"malformed": func(c *fakeCamera) error { return w.arrive(c, feed.Live, []byte("not a sealed picture at all")) },
		"wrong": func(c *fakeCamera) error {
			return w.arrive(c, feed.Live, w.sealLive(w.other(c), time.Now(), 4*time.Second, nil))
		},
		"broken":   w.doBroken,
		"notyours": w.doNotYours,
		"keep":     func(c *fakeCamera) error { c.kept = w.sealLive(c, time.Now(), 4*time.Second, nil); return nil },
		"replayed": func(c *fakeCamera) error { return w.arrive(c, feed.Live, c.kept) },
		"stale": func(c *fakeCamera) error {
			return w.arrive(c, feed.Live, w.sealLive(c, time.Now().Add(-9*time.Hour), time.Second, nil))
		},
		"revoked": w.doRevoked,
		"pair-refused": func(*fakeCamera) error {
			return w.pair.step(PairShown, func(s *PairState) { s.Refused = map[seal.Reason]uint64{seal.Replayed: 1} })
		},
		"pair-read": func(c *fakeCamera) error {
			return w.pair.step(PairShown, func(s *PairState) {
				*s = PairState{Step: PairRead, Name: s.Name, Camera: c.id, Words: "amber canoe", Firmware: "1.4.0"}
			})
		},
		"pair-idle": func(*fakeCamera) error { return w.pair.step(PairIdle, func(*PairState) {}) },
	}[what]
	if !ok {
		return fmt.Errorf("no step %q", what)
	}
	return step(w.cameras[camera])
}

func (w *world) eachLight(l string) {
	for _, c := range w.cameras {
		c.light = l
	}
}

func (w *world) other(c *fakeCamera) *fakeCamera {
	for _, o := range w.cameras {
		if o != c {
			return o
		}
	}
	return c
}

func (w *world) arrive(c *fakeCamera, kind string, b []byte) error {
	w.deliver(c, kind, b)
	return nil
}

func (w *world) doLive(c *fakeCamera) error {
	w.deliver(c, feed.Live, w.sealLive(c, time.Now(), time.Minute, nil))
	return nil
}

// doView lets of seal a frame of live view for who watches c.
func (w *world) doView(c, of *fakeCamera) error {
	of.watch = c.watch
	b, err := w.sealView(of)
	if err != nil {
		return err
	}
	return w.arrive(c, feed.View, b)
}

// doViewPart seals the next part of live view for who watches c, whose camera gives
// H.264 only.
func (w *world) doViewPart(c *fakeCamera) error {
	parts := w.scenery.clips["h264"]
	p := parts[int(c.live)%len(parts)]
	b, err := w.sealViewed(c, p.Media, p.Data)
	if err != nil {
		return err
	}
	return w.arrive(c, feed.View, b)
}

// doHistory lets yesterday evening, the night and today happen, as far as
// today has come.
func (w *world) doHistory(*fakeCamera) error {
	now := time.Now()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	person := seal.Label{Name: "person", Score: 930, Box: seal.Box{X: 400, Y: 300, W: 120, H: 400}}
	var id uint64
	for _, at := range []float64{-16.2, -15.9, -11.7, -7.4, -6.1, -5.2, -5.15, -1.6, 0.4, 2.25, 6.7, 7.1, 7.9, 8.05, 11.3, 12.6, 15.2, 15.3, 17.8, 18.1} {
		start := day.Add(time.Duration(at * float64(time.Hour)))
		if start.After(now.Add(-2 * time.Minute)) {
			break
		}
		id++
		c := w.cameras[int(id)%len(w.cameras)]
		c.light = "day"
		if at < -6 && at > -8 || at > -6.5 && at < 6.9 || at > 17 {
			c.light = "night"
		}
		var labels []seal.Label
		if id%3 == 1 {
			labels = []seal.Label{person}
		}
		for _, b := range w.event(c, id, start, 1+int(id)%3, labels...) {
			w.deliver(c, feed.Media, b)
		}
	}
	w.told = map[string]int{"events": int(id)}
	return nil
}

func (w *world) doEvent(c *fakeCamera) error {
	for _, b := range w.event(c, 1000+c.seq, time.Now().Add(-40*time.Second), 2) {
		w.deliver(c, feed.Media, b)
	}
	return nil
}

// doWeek lets a page see an event of a week ago, and then nothing for a week, of which a
// keeper has brought the newest.
func (w *world) doWeek(c *fakeCamera) error {
	const events, brought = 100, 20
	now, apart := time.Now(), 7*24*time.Hour/events
	w.keeps, w.mute = true, true
	for i := range events {
		start := now.Add(-time.Duration(events-i) * apart)
		c.light = "day"
		if h := start.Hour(); h < 7 || h > 18 {
			c.light = "night"
		}
		b := w.event(c, uint64(i+1), start, 1)[0]
		if i == 0 || i >= events-brought {
			w.items <- feed.Item{Camera: c.id, Kind: feed.Media, Sealed: b, Stored: i > 0}
		}
	}
	w.told = map[string]int{"events": events}
	return nil
}

// doGap seals three messages, lets two of them go astray, and one arrive.
func (w *world) doGap(c *fakeCamera) error {
	if c.seq == 0 {
		w.deliver(c, feed.Media, w.event(c, 500, time.Now().Add(-2*time.Hour), 1)[0])
	}
	w.event(c, 501, time.Now().Add(-70*time.Minute), 2)
	w.deliver(c, feed.Media, w.event(c, 502, time.Now().Add(-30*time.Minute), 1)[0])
	return nil
}

// doLost confesses that the four messages before will never come.
func (w *world) doLost(c *fakeCamera) error {
	first := c.seq + 1
	for range 4 {
		w.event(c, 600, time.Now().Add(-20*time.Minute), 1)
	}
	lost := seal.Meta{Kind: seal.KindGap, Taken: time.Now().Add(-10 * time.Minute), Lost: []seal.Range{{First: first, Last: c.seq}}}
	w.deliver(c, feed.Status, w.sealDurable(c, lost, nil))
	return nil
}

// doStatus lets the camera, or its last will, speak about itself.
func (w *world) doStatus(c *fakeCamera, stream seal.Stream, text string) error {
	m := seal.Meta{Stream: stream, Kind: seal.KindStatus, Media: "application/json", Taken: time.Now(), Clock: seal.ClockNTP}
	if stream == seal.Durable {
		c.seq++
		m.Seq, m.Prev = c.seq, c.prev
	}
	s, err := c.sealer.Seal(m, []byte(text))
	if err != nil {
		return err
	}
	if stream == seal.Durable {
		c.prev, c.sent[c.seq] = s.Hash, s.Bytes
	}
	return w.arrive(c, feed.Status, s.Bytes)
}

func (w *world) doBroken(c *fakeCamera) error {
	b := append([]byte(nil), w.sealLive(c, time.Now(), 4*time.Second, nil)...)
	b[len(b)-5000] ^= 1
	return w.arrive(c, feed.Live, b)
}

// doNotYours seals with the right camera's key for another household's viewer.
func (w *world) doNotYours(c *fakeCamera) error {
	key, err := seal.NewViewerKey(nil)
	if err != nil {
		return err
	}
	v := key.Public()
	v.Name = "stranger"
	b, err := seal.SignRoster(newKey(w.t), seal.Roster{Version: 1, Viewers: []seal.Viewer{v}, Cameras: []seal.RosterCamera{{ID: c.id}}})
	if err != nil {
		return err
	}
	peeked, err := openAnyRoster(b)
	if err != nil {
		return err
	}
	mine := c.sealer
	defer func() { c.sealer = mine }()
	if c.sealer, err = seal.NewSealer(seal.SealerConfig{Key: c.key, Roster: peeked, Boot: [16]byte{1}, Firmware: "1.4.0"}); err != nil {
		return err
	}
	return w.arrive(c, feed.Live, w.sealLive(c, time.Now(), 4*time.Second, nil))
}

// publish opens a picture of the first camera, of a night long ago, as sealcam
// export does, and returns its media and proof.
func (w *world) publish() (media, proof []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.cameras[0]
	c.light = "night"
	sealed := w.event(c, 7, time.Date(2025, 3, 1, 2, 10, 0, 0, time.UTC), 1, seal.Label{Name: "person", Score: 930, Box: seal.Box{X: 400, Y: 300, W: 120, H: 400}})[0]
	roster, err := seal.OpenRoster(w.id, w.roster)
	if err != nil {
		return nil, nil, err
	}
	o, err := seal.NewOpener(seal.OpenerConfig{Household: w.id, Roster: roster, Key: w.viewer, Now: time.Now})
	if err != nil {
		return nil, nil, err
	}
	v, err := o.Check(c.id, sealed)
	if err != nil {
		return nil, nil, err
	}
	_, media = v.Media()
	return media, v.Proof(), nil
}

// doRevoked takes the camera out of the household; it goes on sealing.
func (w *world) doRevoked(c *fakeCamera) error {
	left := w.cameras[:0]
	for _, x := range w.cameras {
		if x != c {
			left = append(left, x)
		}
	}
	w.cameras = left
	w.revoked = append(w.revoked, c.id)
	w.sign()
	w.items <- feed.Item{Camera: left[0].id, Kind: feed.Roster, Sealed: w.roster, Retained: true}
	w.deliver(c, feed.Media, w.event(c, 900, time.Now(), 1)[0])
	return nil
}
