package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// wantRefusal fails unless err is a refusal with that reason, about camera.
func wantRefusal(t testing.TB, err error, reason Reason, camera CameraID) *Refusal {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != reason || r.Camera != camera {
		t.Fatalf("got %v, want %q about %q", err, reason, camera)
	}
	return r
}

// seals returns n durable messages of the home's camera.
func (h *home) seals(t testing.TB, n int) []Sealed {
	t.Helper()
	s := h.sealer(t)
	var all []Sealed
	for i := range n {
		m := h.meta(uint64(i + 1))
		m.Taken = h.now.Add(time.Duration(i) * time.Minute)
		if i > 0 {
			m.Prev = all[i-1].Hash
		}
		sealed, err := s.Seal(m, []byte(fmt.Sprint("picture ", i+1)))
		must(t, err)
		all = append(all, sealed)
	}
	return all
}

// restarted is o after its state was stored and read back.
func (h *home) restarted(t testing.TB, o *Opener, r *Roster) (*Opener, error) {
	t.Helper()
	return NewOpener(OpenerConfig{Household: h.id, Roster: r, Key: h.viewer, Now: func() time.Time { return h.now }, State: o.State()})
}

// TestOpenerOrder: over restarts and in any order, with loss and repetition,
// each genuine message opens once, with its own media, and what is missing is
// known; a live message opens only if it is newer than all before.
func TestOpenerOrder(t *testing.T) {
	h := newHome(t)
	durable := h.seals(t, 12)
	s, live := h.sealer(t), []Sealed(nil)
	for i := range 6 {
		m := h.meta(uint64(i + 1))
		m.Stream, m.Expires = Live, h.now.Add(time.Hour)
		sealed, err := s.Seal(m, []byte(fmt.Sprint("live ", i+1)))
		must(t, err)
		live = append(live, sealed)
	}
	stranger := CameraID(formatID([32]byte{9}))
	rapid.Check(t, func(t *rapid.T) {
		o, have, first, head, newest := h.opener(nil), map[uint64]bool{}, uint64(0), uint64(0), uint64(0)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"durable", "durable", "durable", "live", "stranger", "restart"}).Draw(t, "step") {
			case "durable":
				m := durable[rapid.IntRange(0, 11).Draw(t, "message")]
				v, err := o.Open(h.cameraID, m.Bytes)
				if have[m.Seq] != (ReasonOf(err) == Replayed) || (err == nil) == have[m.Seq] {
					t.Fatalf("message %d, had %v: %v", m.Seq, have[m.Seq], err)
				}
				if err != nil {
					continue
				}
				if _, media := v.Media(); string(media) != fmt.Sprint("picture ", m.Seq) {
					t.Fatalf("message %d holds %q", m.Seq, media)
				}
				if first == 0 {
					first = m.Seq
				}
				if v.Late() != (m.Seq < head) || (v.Gap() != nil) != (head != 0 && m.Seq > head+1) {
					t.Fatalf("message %d after %d: late %v, gap %v", m.Seq, head, v.Late(), v.Gap())
				}
				have[m.Seq], head = true, max(head, m.Seq)
			case "live":
				m := live[rapid.IntRange(0, 5).Draw(t, "message")]
				_, err := o.Open(h.cameraID, m.Bytes)
				if (err == nil) != (m.Seq > newest) {
					t.Fatalf("live message %d after %d: %v", m.Seq, newest, err)
				}
				newest = max(newest, m.Seq)
			case "stranger":
				m := durable[rapid.IntRange(0, 11).Draw(t, "message")]
				if _, err := o.Open(stranger, m.Bytes); ReasonOf(err) != WrongCamera {
					t.Fatal(err)
				}
			case "restart":
				var err error
				if o, err = NewOpener(OpenerConfig{Household: h.id, Roster: h.roster, Key: h.viewer, Now: func() time.Time { return h.now }, State: o.State()}); err != nil {
					t.Fatal(err)
				}
			}
			checkGaps(t, o, h.cameraID, have, first, head)
		}
	})
}

func checkGaps(t *rapid.T, o *Opener, camera CameraID, have map[uint64]bool, first, head uint64) {
	var got, want []uint64
	for _, g := range o.Gaps(camera) {
		for n := g.First; n <= g.Last; n++ {
			got = append(got, n)
		}
	}
	for n := first; n < head; n++ {
		if !have[n] {
			want = append(want, n)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("missing %v, want %v", got, want)
	}
}

func TestAskOnce(t *testing.T) {
	h := newHome(t)
	o, s := h.opener(t), h.sealer(t)
	cmd, nonce, err := o.Ask(h.cameraID)
	must(t, err)
	c, err := OpenCommand(h.cameraID, h.roster, cmd)
	must(t, err)
	if c.Verb != VerbSnapshot || !bytes.Equal(c.Nonce, nonce) || len(nonce) < MinNonce {
		t.Fatalf("%+v", c)
	}
	answer := func(seq uint64) []byte {
		sealed, err := s.Seal(Meta{Stream: Live, Seq: seq, Kind: KindAnswer, Media: "image/jpeg", Clock: ClockNone, Nonce: nonce}, []byte("now"))
		must(t, err)
		return sealed.Bytes
	}
	first, second := answer(1), answer(2)
	v, err := o.Open(h.cameraID, first)
	must(t, err)
	if !v.Fresh() {
		t.Error("the answer to our question is not fresh")
	}
	if _, ok := v.Age(h.now); ok {
		t.Error("a camera without a clock has an age")
	}
	_, err = o.Open(h.cameraID, second)
	wantRefusal(t, err, Stale, h.cameraID)
}

// TestAskMany: questions do not pile up, and those of one camera are answered by
// that camera only.
func TestAskMany(t *testing.T) {
	h := newHome(t)
	o := h.opener(t)
	for range 3 * maxAsked {
		_, _, err := o.Ask(h.cameraID)
		must(t, err)
	}
	if len(o.asked) != maxAsked {
		t.Errorf("%d questions remembered", len(o.asked))
	}
	other := CameraID(formatID([32]byte{9}))
	v := &Verified{camera: other, meta: Meta{Nonce: o.asked[0].nonce}}
	if o.findAsk(v) >= 0 {
		t.Error("another camera answered")
	}
	h.now = h.now.Add(NonceLife + time.Second)
	v.camera = h.cameraID
	if o.findAsk(v) >= 0 || len(o.asked) != 0 {
		t.Error("an old question was answered")
	}
}

// TestCounterRises: the counter of commands rises within a millisecond, over a
// restart, and when the clock goes back.
func TestCounterRises(t *testing.T) {
	h := newHome(t)
	o, last := h.opener(t), uint64(0)
	next := func() {
		t.Helper()
		b, _, err := o.Ask(h.cameraID)
		must(t, err)
		c, err := OpenCommand(h.cameraID, h.roster, b)
		must(t, err)
		if c.Counter <= last {
			t.Errorf("counter %d after %d", c.Counter, last)
		}
		last = c.Counter
	}
	next()
	next()
	h.now = h.now.Add(-time.Hour)
	next()
	var err error
	o, err = h.restarted(t, o, h.roster)
	must(t, err)
	next()
	o = h.opener(t) // without its state, but the clock goes right again
	h.now = h.now.Add(2 * time.Hour)
	next()
}

func TestOpenerRoster(t *testing.T) {
	h := newHome(t)
	next := h.sign(t, 2, nil)
	other := newHome(t)
	o := h.opener(t)
	must(t, o.SetRoster(next))
	must(t, o.SetRoster(next))
	if ReasonOf(o.SetRoster(h.roster)) != Replayed || o.Roster() != next {
		t.Error("took an older roster")
	}
	if ReasonOf(o.SetRoster(other.roster)) != NotForYou {
		t.Error("took another household's roster")
	}
	if err := o.SetRoster(h.unsigned()); err == nil {
		t.Error("took a roster that nobody signed")
	}
	if _, err := h.restarted(t, o, h.roster); ReasonOf(err) != Replayed {
		t.Errorf("after a restart, an older roster: %v", err)
	}
	fork := h.sign(t, 2, func(r *Roster) { r.Viewers[0].Name = "telephone" })
	_, err := h.restarted(t, o, fork)
	if r := wantRefusal(t, err, BrokenSeal, ""); !r.Alarm {
		t.Error("two rosters of one version raise no alarm")
	}
	if _, err := h.restarted(t, o, next); err != nil {
		t.Error(err)
	}
}

// TestRevoked: a camera leaves the household, and what was seen of it is
// remembered until it comes back.
func TestRevoked(t *testing.T) {
	h := newHome(t)
	m, o := h.seals(t, 2), h.opener(t)
	_, err := o.Open(h.cameraID, m[0].Bytes)
	must(t, err)
	must(t, o.SetRoster(h.sign(t, 2, func(r *Roster) { r.Cameras, r.Revoked = nil, []CameraID{h.cameraID} })))
	_, err = o.Open(h.cameraID, m[1].Bytes)
	wantRefusal(t, err, Revoked, h.cameraID)
	must(t, o.SetRoster(h.sign(t, 3, nil)))
	_, err = o.Open(h.cameraID, m[0].Bytes)
	wantRefusal(t, err, Replayed, h.cameraID)
	v, err := o.Open(h.cameraID, m[1].Bytes)
	must(t, err)
	if !v.RosterBehind() || v.RosterAhead() {
		t.Error("the camera is two rosters behind")
	}
}

// TestForget: the memory of cameras is bounded, and a camera of the roster is
// never forgotten.
func TestForget(t *testing.T) {
	h := newHome(t)
	o := h.opener(t)
	o.cameras[h.cameraID] = &history{}
	for i := range 2*MaxCameras + 10 {
		o.forget()
		o.cameras[CameraID(formatID([32]byte{byte(i), byte(i >> 8)}))] = &history{}
	}
	if len(o.cameras) > 2*MaxCameras || o.cameras[h.cameraID] == nil {
		t.Errorf("%d cameras remembered, ours %v", len(o.cameras), o.cameras[h.cameraID] != nil)
	}
	if b := o.State(); len(b) > MaxState {
		t.Errorf("state of %d bytes", len(b))
	}
}

// TestWillsBound: the memory of wills is bounded, and the newest are in it.
func TestWillsBound(t *testing.T) {
	h := newHome(t)
	o, s := h.opener(t), h.sealer(t)
	var last []byte
	for i := range maxWills + 4 {
		m := Meta{Stream: Will, Seq: uint64(i), Kind: KindStatus, Clock: ClockNone}
		sealed, err := s.Seal(m, nil)
		must(t, err)
		_, err = o.Open(h.cameraID, sealed.Bytes)
		must(t, err)
		last = sealed.Bytes
	}
	if n := len(o.cameras[h.cameraID].wills); n != maxWills {
		t.Errorf("%d wills remembered", n)
	}
	o, err := h.restarted(t, o, h.roster)
	must(t, err)
	_, err = o.Open(h.cameraID, last)
	wantRefusal(t, err, Replayed, h.cameraID)
}

// TestStateBound: the largest state there can be is accepted.
func TestStateBound(t *testing.T) {
	h := newHome(t)
	o := h.opener(t)
	full := ledger{head: position{seq: MaxSeq, roster: MaxSeq, taken: MaxSeq}, floor: 1}
	for i := range uint64(MaxGaps) {
		n := MaxSeq - 1000 + 4*i
		full.gaps = append(full.gaps, gap{first: n, last: n + 1, from: MaxSeq, to: MaxSeq, lost: true, history: true})
	}
	for i := range uint64(maxRecent) {
		full.recent = append(full.recent, mark{seq: MaxSeq - maxRecent + i})
	}
	full.boots = make([][16]byte, maxBoots)
	live := full
	live.gaps, live.recent = nil, full.recent[:maxLately]
	for i := range 2 * MaxCameras {
		o.cameras[CameraID(formatID([32]byte{byte(i), byte(i >> 8)}))] = &history{durable: full, live: live, wills: make([]position, maxWills)}
	}
	if _, err := h.restarted(t, o, h.roster); err != nil {
		t.Fatalf("state of %d bytes: %v", len(o.State()), err)
	}
}

func TestBadState(t *testing.T) {
	h := newHome(t)
	good := h.opener(t).State()
	for name, state := range map[string][]byte{
		"garbage": []byte("garbage"), "trailing": append(bytes.Clone(good), 0), "cut": good[:len(good)-1],
		"large": make([]byte, MaxState+1), "version": bytes.Replace(good, []byte{1, 1, 2}, []byte{1, 9, 2}, 1),
	} {
		_, err := NewOpener(OpenerConfig{Household: h.id, Roster: h.roster, Key: h.viewer, Now: time.Now, State: state})
		if !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewOpener(OpenerConfig{Household: h.id, Roster: h.roster, Key: h.viewer}); err == nil {
		t.Error("an opener without a clock")
	}
}

// TestMetaIsACopy: nobody can change what was verified.
func TestMetaIsACopy(t *testing.T) {
	h := newHome(t)
	m := h.meta(1)
	m.Labels, m.Masks = []Label{{Name: "cat"}}, make([]byte, 32)
	sealed, err := h.sealer(t).Seal(m, []byte("x"))
	must(t, err)
	v, err := h.opener(t).Open(h.cameraID, sealed.Bytes)
	must(t, err)
	got := v.Meta()
	got.Labels[0].Name, got.Masks[0] = "dog", 1
	if again := v.Meta(); again.Labels[0].Name != "cat" || again.Masks[0] != 0 {
		t.Error("Meta is not a copy")
	}
	if age, ok := v.Age(h.now.Add(time.Minute)); !ok || age != time.Minute {
		t.Errorf("age %v, %v", age, ok)
	}
	if v.Camera() != h.cameraID {
		t.Error("camera")
	}
}
