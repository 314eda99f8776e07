package seal

import (
	"bytes"
	"maps"
	"slices"
)

// check decides whether a message may stand where it says. h may be nil, for a
// camera that nothing was seen of.
func (h *history) check(s Stream, p position) error {
	if s == Recording {
		return refuse(Replayed, "part %d of a recording, which is no news", p.seq)
	}
	if h == nil {
		return nil
	}
	var r *Refusal
	switch s {
	case Durable:
		r = h.durable.checkDurable(p)
	case Live:
		r = h.live.checkLive(p)
	case View:
		r = h.view.checkLive(p)
	case Will:
		r = h.checkWill(p)
	}
	if r == nil {
		return nil
	}
	return r
}

// checkWill refuses a will of a boot that is over, one seen before, and one
// older than one seen of the same boot. A will proves nothing more: a broker can
// publish the present one at any time, as it can cut the camera off.
func (h *history) checkWill(p position) *Refusal {
	for _, w := range h.wills {
		if p.hash == w.hash {
			r := refuse(Replayed, "this will again")
			r.Duplicate = true
			return r
		}
		if p.boot == w.boot && p.seq < w.seq {
			return refuse(Replayed, "will %d, but %d was seen", p.seq, w.seq)
		}
	}
	switch {
	case slices.Contains(h.durable.boots, p.boot), slices.Contains(h.live.boots, p.boot):
		return refuse(Replayed, "will of boot %x, which is over", p.boot[:4])
	}
	return nil
}

// record moves what is remembered of v's camera.
func (o *Opener) record(v *Verified, p position) {
	h := o.history(v.camera)
	switch v.meta.Stream {
	case Durable:
		v.late = h.durable.head.seq > p.seq
		if g := h.durable.recordDurable(p); g != nil {
			public := g.public()
			v.gap = &public
		}
		h.durable.confess(v.meta.Lost)
	case Live:
		h.live.recordLive(p)
	case View:
		h.view.recordLive(p)
	case Will:
		if len(h.wills) == maxWills {
			h.wills = slices.Delete(h.wills, 0, 1)
		}
		h.wills = append(h.wills, p)
	}
}

// history returns what is remembered of a camera, from now on.
func (o *Opener) history(camera CameraID) *history {
	h := o.cameras[camera]
	if h == nil {
		o.forget()
		h = new(history)
		o.cameras[camera] = h
	}
	return h
}

// forget makes room for one more camera. What is remembered of a camera
// outlives its place in the roster, lest its old messages open again when it
// comes back; only a household that has had twice MaxCameras loses some.
func (o *Opener) forget() {
	if len(o.cameras) < 2*MaxCameras {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(o.cameras)) {
		if _, ok := o.config.Roster.Camera(id); !ok {
			delete(o.cameras, id)
			return
		}
	}
}

// Gaps returns what is missing of a camera, rising. What it sealed before the
// first message that this viewer had is not in it.
func (o *Opener) Gaps(camera CameraID) []Gap {
	h := o.cameras[camera]
	if h == nil {
		return nil
	}
	var gaps []Gap
	for _, g := range h.durable.gaps {
		if !g.history {
			gaps = append(gaps, g.public())
		}
	}
	return gaps
}

// Head returns the highest number that was accepted of a camera's durable messages,
// 0 if none was. What Gaps lists is missing below it.
func (o *Opener) Head(camera CameraID) uint64 {
	h := o.cameras[camera]
	if h == nil {
		return 0
	}
	return h.durable.head.seq
}

// findAsk returns the index of the question that v answers, or -1, and forgets
// questions that are too old.
func (o *Opener) findAsk(v *Verified) int {
	now := o.config.Now()
	o.asked = slices.DeleteFunc(o.asked, func(a ask) bool { return now.Sub(a.at) > a.life() })
	return slices.IndexFunc(o.asked, func(a ask) bool {
		return a.camera == v.camera && a.watch == (v.meta.Stream == View) && bytes.Equal(a.nonce, v.meta.Nonce)
	})
}
