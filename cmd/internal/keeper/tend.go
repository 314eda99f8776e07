package keeper

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// How cameras are told and asked.
const (
	tendEvery    = time.Second
	sendTimeout  = 10 * time.Second
	firstPause   = 3 * time.Second // also: how long what is late may take to come by itself
	longestPause = 10 * time.Minute
	maxChased    = 4  // gaps of one camera that are asked for at a time
	maxAsked     = 12 // times, without anything coming of it
	maxTails     = 64 // cameras that are asked each round for what this keeper may have missed
	maxGone      = 64 // messages of one camera that are deleted, and told so at a time
)

// tending is what there is to tell cameras and to ask of them. It is safe for
// concurrent use. What has arrived and what is missing, the store knows.
type tending struct {
	mu    sync.Mutex
	cares map[seal.CameraID]*care
}

// care is what is to be done about one camera.
type care struct {
	household seal.HouseholdID
	receipt   bool          // something has arrived
	gone      []seal.Range  // came, and was deleted before: told to be here, so that it comes no more
	tail      bool          // something may have been missed behind the last one
	first     uint64        // lowest number that has come in this run, 0 for none
	head      bool          // what was missed before that one has been asked for
	missing   uint64        // at the last look
	asked     int           // times, since something came of it
	wait      time.Duration // between asking
	next      time.Time
}

func newTending() *tending { return &tending{cares: map[seal.CameraID]*care{}} }

// care returns what is to be done about a camera; the caller holds mu.
func (t *tending) care(c seal.CameraID) *care {
	a := t.cares[c]
	if a == nil {
		a = &care{}
		t.cares[c] = a
	}
	return a
}

func (t *tending) arrived(v seal.Visible) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.care(v.Camera)
	c.household, c.receipt = v.Household, true
	if c.first == 0 || v.Seq < c.first {
		c.first = v.Seq
	}
}

func (t *tending) gone(v seal.Visible) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.care(v.Camera)
	c.household = v.Household
	if n := len(c.gone); n > 0 && c.gone[n-1].Last+1 == v.Seq {
		c.gone[n-1].Last = v.Seq
	} else if n < maxGone {
		c.gone = append(c.gone, seal.Range{First: v.Seq, Last: v.Seq})
	}
}

// lost says that something of a camera was not taken in.
func (t *tending) lost(c seal.CameraID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.care(c).tail = true
}

// missed says that something of every camera of a roster may have been missed.
func (t *tending) missed(r *seal.Roster) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range r.Cameras {
		a := t.care(c.ID)
		a.household, a.tail = r.Household, true
	}
}

// dismiss forgets the cameras of r's household that r does not list any more.
func (t *tending) dismiss(r *seal.Roster) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.cares {
		if _, ok := r.Camera(id); !ok && c.household == r.Household {
			delete(t.cares, id)
		}
	}
}

// due returns the households of which some camera needs something now.
func (t *tending) due(now time.Time) (out []seal.HouseholdID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := map[seal.HouseholdID]bool{}
	tails := 0
	for _, c := range t.cares {
		busy := c.receipt || len(c.gone) > 0 || c.missing > 0 && c.asked < maxAsked && !now.Before(c.next)
		if c.tail && tails < maxTails {
			tails++
			busy = true
		}
		if busy && c.household != "" && !seen[c.household] {
			seen[c.household] = true
			out = append(out, c.household)
		}
	}
	slices.Sort(out)
	return out
}

// errand is one command to one camera.
type errand struct {
	command seal.Command
	sent    func() // called with tending.mu held
}

// plan returns what to tell and ask one camera of which the store keeps c.
func (t *tending) plan(c store.Camera, now time.Time, jitter float64) (out []errand) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.cares[c.ID]
	if a == nil {
		return nil
	}
	if a.receipt && c.Last > 0 {
		out = append(out, errand{receipt(c), func() { a.receipt = false }})
	}
	if n := len(a.gone); n > 0 {
		for _, r := range a.gone {
			out = append(out, errand{command: seal.Command{Camera: c.ID, Verb: seal.VerbReceipt, From: r.First, To: r.Last}})
		}
		out[len(out)-1].sent = func() { a.gone = a.gone[n:] }
	}
	if a.tail {
		// What was missed of a camera of which nothing was kept lies before the first
		// one that came since: nobody else would ask for it.
		if !a.head && c.First > 1 && c.First == a.first {
			out = append(out, errand{command: resend(c.ID, 1, c.First-1)})
		}
		out = append(out, errand{resend(c.ID, c.Last+1, seal.MaxSeq), func() { a.tail, a.head = false, true }})
	}
	return append(out, a.chase(c, now, jitter)...)
}

// chase asks for what is missing: the newest first, what somebody waits for; after
// some time of nothing coming no more, since what a camera confesses to have lost it
// confesses to viewers alone.
func (a *care) chase(c store.Camera, now time.Time, jitter float64) (out []errand) {
	var missing uint64
	for _, r := range c.Missing {
		missing += r.Last - r.First + 1
	}
	if missing != a.missing {
		a.missing, a.asked, a.wait = missing, 0, 0
		a.next = now.Add(firstPause)
	}
	if missing == 0 || a.asked >= maxAsked || now.Before(a.next) {
		return nil
	}
	for i := len(c.Missing) - 1; i >= max(0, len(c.Missing)-maxChased); i-- {
		e := errand{command: resend(c.ID, c.Missing[i].First, c.Missing[i].Last)}
		if len(out) == 0 {
			e.sent = func() {
				a.asked++
				a.wait = min(max(2*a.wait, firstPause), longestPause)
				a.next = now.Add(a.wait/2 + time.Duration(jitter*float64(a.wait)))
			}
		}
		out = append(out, e)
	}
	return out
}

func resend(c seal.CameraID, first, last uint64) seal.Command {
	return seal.Command{Camera: c, Verb: seal.VerbResend, From: first, To: last}
}

// receipt says that all that is kept of a camera is here.
func receipt(c store.Camera) seal.Command {
	first := c.First
	if first == 0 { // all of it is deleted
		first = c.Last
	}
	return seal.Command{Camera: c.ID, Verb: seal.VerbReceipt, From: first, To: c.Last, Gaps: within(c.Missing, first, c.Last)}
}

// within returns what of rs lies in first..last, at most seal.MaxGaps of the newest.
func within(rs []seal.Range, first, last uint64) (out []seal.Range) {
	for _, r := range rs {
		r.First, r.Last = max(r.First, first), min(r.Last, last)
		if r.First <= r.Last {
			out = append(out, r)
		}
	}
	return out
}

// givenUp returns how many messages are asked for no more.
func (t *tending) givenUp() (n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.cares {
		if c.asked >= maxAsked {
			n += c.missing
		}
	}
	return n
}

// missing returns how many messages are missing, at the last look.
func (t *tending) missing() (n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.cares {
		n += c.missing
	}
	return n
}

// tendLoop looks after the cameras until ctx ends.
func (k *Keeper) tendLoop(ctx context.Context) error {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	linked := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		up, _ := k.config.Source.Link()
		if up && !linked { // what cameras sent meanwhile a broker may not have kept
			k.figures.connects.Add(1)
			k.missedAll()
		}
		if linked = up; up {
			k.tend(ctx)
		}
	}
}

func (k *Keeper) missedAll() {
	for _, h := range k.rosters.all() {
		if r, err := k.rosters.of(h); err == nil {
			k.tending.missed(r)
		}
	}
}

// tend tells the cameras what has arrived and what is missing.
func (k *Keeper) tend(ctx context.Context) {
	now := k.config.Now()
	for _, h := range k.tending.due(now) {
		cameras, err := k.config.Store.Cameras(ctx, h)
		if err != nil {
			k.once("what is kept is not known now", "", "cameras", err)
			return
		}
		r, err := k.rosters.of(h)
		if err != nil {
			continue // dismissed meanwhile
		}
		if err := k.tendHousehold(ctx, r, cameras, now); err != nil {
			if !errors.Is(err, feed.ErrOffline) && ctx.Err() == nil {
				k.log.Debug("not sent", "household", h, "err", err)
			}
			return // the connection is gone or slow: next time
		}
	}
}

func (k *Keeper) tendHousehold(ctx context.Context, r *seal.Roster, cameras []store.Camera, now time.Time) error {
	by := map[seal.CameraID]store.Camera{}
	for _, c := range cameras {
		by[c.ID] = c
	}
	for _, rc := range r.Cameras {
		c := by[rc.ID]
		c.ID = rc.ID
		for _, e := range k.tending.plan(c, now, k.config.Jitter()) {
			if err := k.run(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// run signs and sends one command.
func (k *Keeper) run(ctx context.Context, e errand) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	c := e.command
	now := k.config.Now()
	c.Counter, c.Issued, c.Expires = k.figures.nextCounter(now), now, now.Add(seal.CommandLife)
	b, err := seal.SignCommand(k.config.Key, c)
	if err != nil {
		return err
	}
	if err := k.config.Source.Send(ctx, c.Camera, feed.Command, b); err != nil {
		return err
	}
	switch c.Verb {
	case seal.VerbReceipt:
		k.figures.receipts.Add(1)
	case seal.VerbResend:
		k.figures.resends.Add(1)
	}
	if e.sent != nil {
		k.tending.mu.Lock()
		defer k.tending.mu.Unlock()
		e.sent()
	}
	return nil
}
