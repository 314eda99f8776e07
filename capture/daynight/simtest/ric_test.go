package simtest

// ric is raptor's day/night daemon with its default trigger, re-implemented
// from its description. Night: mean brightness below 20 for 5 polls in a row.
// By night brightness is not believed while the lamp is lit: 3 polls after the
// switch, and then once gain agrees within 10 % three times (17 polls at most),
// gain and exposure are kept as a baseline that only grows. Day: gain below a
// quarter of it for 5 polls. Exposure below 90 % of its baseline for 3 polls, or
// 600 quiet seconds, bring a look with the lamp off: 3 polls to settle, 7 in
// which brightness counts. Dark: lamp on, 60 polls of rest, new baseline. A day
// whose picture is dark after 3 polls is reverted, with a lockout of 30 polls
// that doubles up to 300. Its gain threshold (80000) lies above what this
// camera has (65536).
type ric struct {
	every
	night bool
	count int // polls in a row that want the other side

	cooldown, agreed, extend int
	previous                 float64 // gain
	gain, ev                 float64 // baselines; 0 none

	probing bool
	left    int // polls of the look
	rest    int // polls without hints
	dips    int
	recheck int

	verify        bool
	lockout, next int
}

func (a *ric) to(night bool) {
	a.night, a.count = night, 0
	a.cooldown, a.agreed, a.extend, a.previous, a.recheck = 3, 0, 17, 0, 0
	if !night {
		a.gain = 0
		if a.probing {
			a.probing, a.rest = false, 60
		}
	}
}

func (a *ric) wish() wish {
	w := wishFor(a.night)
	if a.probing {
		w.lamp = 0
	}
	return w
}

func (a *ric) step(r reading) wish {
	gain := 1024 * r.gain
	if a.cooldown > 0 {
		a.cool(r, gain)
		return a.wish()
	}
	wantNight := r.scene.Mean < 20
	wantDay := a.night && a.gain > 0 && gain < 0.25*a.gain
	if a.night && !a.probing && gain > a.gain {
		a.gain, a.ev = gain, r.exposure()
	}
	if !(a.night && !a.probing) && r.scene.Mean >= 20 {
		wantDay = true
	}
	if a.night && a.gain > 0 && a.lockout == 0 {
		wantDay, wantNight = a.probe(r, wantDay, wantNight)
	}
	if a.lockout > 0 {
		a.lockout--
		wantDay = false
	}
	if a.count++; a.night && !wantDay || !a.night && !wantNight {
		a.count = 0
	}
	if a.count >= 5 {
		a.verify = a.night
		a.to(!a.night)
	}
	return a.wish()
}

// cool waits after a switch, verifies a day, and takes the night's baseline.
func (a *ric) cool(r reading, gain float64) {
	a.cooldown--
	if a.cooldown == 0 && !a.night && a.verify {
		a.verify = false
		if r.scene.Mean < 20 {
			a.lockout = max(30, a.next)
			a.next = min(300, 2*a.lockout)
			a.to(true)
			return
		}
		a.next = 0
	}
	if a.cooldown == 0 && a.night {
		if a.previous > 0 && gain <= 1.1*a.previous && gain >= 0.9*a.previous {
			a.agreed++
		} else {
			a.agreed = 0
		}
		if a.agreed < 2 && a.extend > 0 {
			a.extend--
			a.previous, a.cooldown = gain, 1
			return
		}
		a.gain, a.ev, a.recheck = gain, r.exposure(), 600
	}
	a.previous = gain
}

// probe starts and ends looks with the lamp off.
func (a *ric) probe(r reading, wantDay, wantNight bool) (bool, bool) {
	if a.probing {
		switch a.left--; {
		case a.left > 7:
			return false, false
		case a.left == 0:
			a.probing, a.rest, a.cooldown, a.agreed, a.extend = false, 60, 3, 0, 17
		}
		return wantDay, wantNight
	}
	due := false
	if a.recheck > 0 {
		a.recheck--
		due = a.recheck == 0
	}
	switch {
	case a.rest > 0 && !due:
		a.rest--
		return wantDay, wantNight
	case !due && r.exposure() >= 0.9*a.ev:
		a.dips = 0
		return wantDay, wantNight
	}
	if a.dips++; due || a.dips >= 3 {
		a.probing, a.dips, a.left = true, 0, 11
	}
	return wantDay, wantNight
}
