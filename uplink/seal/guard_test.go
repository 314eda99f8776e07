package seal

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func (h *home) guard(t testing.TB, state []byte) *Guard {
	t.Helper()
	g, err := NewGuard(h.cameraID, h.roster, state)
	must(t, err)
	return g
}

func (h *home) command(t testing.TB, by *ecdsa.PrivateKey, counter uint64) []byte {
	t.Helper()
	b, err := SignCommand(by, Command{Camera: h.cameraID, Counter: counter, Verb: VerbSnapshot, Issued: h.now, Expires: h.now.Add(time.Minute)})
	must(t, err)
	return b
}

// TestGuardCounts: each command once and in order, per issuer, over restarts;
// what was refused leaves no trace.
func TestGuardCounts(t *testing.T) {
	h := newHome(t)
	g := h.guard(t, nil)
	phone := h.viewer.Signer().(*ecdsa.PrivateKey)
	for i, step := range []struct {
		by       *ecdsa.PrivateKey
		counter  uint64
		retained bool
		late     time.Duration
		want     Reason
	}{
		{phone, 5, false, 0, ""},
		{phone, 5, false, 0, Replayed},
		{phone, 4, false, 0, Replayed},
		{h.owner, 1, false, 0, ""},
		{phone, 100, true, 0, Replayed},
		{phone, 90, false, time.Hour, Stale},
		{phone, 6, false, 0, ""},
		{h.owner, 1, false, 0, Replayed},
		{newKey(t), 1000, false, 0, Revoked},
	} {
		b := h.command(t, step.by, step.counter)
		c, err := g.Accept(b, step.retained, h.now.Add(step.late))
		if got := ReasonOf(err); got != step.want || (err == nil) != (c != nil) {
			t.Errorf("step %d: %v, want %q", i, err, step.want)
		}
		if c != nil && c.Owner != (step.by == h.owner) {
			t.Errorf("step %d: owner %v", i, c.Owner)
		}
		g = h.guard(t, g.State())
	}
}

// TestGuardBound: when more issuers came and went than a Guard remembers, none
// of their old commands counts again.
func TestGuardBound(t *testing.T) {
	h := newHome(t)
	g := h.guard(t, nil)
	for i := range maxIssuers {
		g.issuers = append(g.issuers, issuerState{Key: formatID([32]byte{byte(i)}), Counter: uint64(1000 + i)})
	}
	slices.SortFunc(g.issuers, func(a, b issuerState) int { return issuerKey(a, b.Key) })
	phone := h.viewer.Signer().(*ecdsa.PrivateKey)
	if _, err := g.Accept(h.command(t, phone, 5), false, h.now); err != nil {
		t.Fatal(err)
	}
	if len(g.issuers) != maxIssuers || g.floor != 1000 {
		t.Errorf("%d issuers remembered, floor %d", len(g.issuers), g.floor)
	}
	g = h.guard(t, g.State())
	if _, err := g.Accept(h.command(t, phone, 5), false, h.now); ReasonOf(err) != Replayed {
		t.Errorf("the one who just came is forgotten: %v", err)
	}
	if _, err := g.Accept(h.command(t, h.owner, 1000), false, h.now); ReasonOf(err) != Replayed {
		t.Errorf("below what a forgotten issuer counted: %v", err)
	}
	if _, err := g.Accept(h.command(t, h.owner, 1002), false, h.now); err != nil {
		t.Error(err)
	}
}

func TestGuardState(t *testing.T) {
	h := newHome(t)
	for _, state := range [][]byte{[]byte("garbage"), make([]byte, maxGuard+1), append(h.guard(t, nil).State(), 0)} {
		if _, err := NewGuard(h.cameraID, h.roster, state); !errors.Is(err, ErrState) {
			t.Errorf("%d bytes: %v", len(state), err)
		}
	}
	if _, err := NewGuard(h.cameraID, nil, nil); err == nil {
		t.Error("a guard without a roster")
	}
	if _, err := NewGuard(h.cameraID, h.unsigned(), nil); err == nil {
		t.Error("a guard with a roster that nobody signed")
	}
}

// TestViewerWithoutKey: a viewer without a signing key opens, and cannot command.
func TestViewerWithoutKey(t *testing.T) {
	h := newHome(t)
	h.roster = h.sign(t, 2, func(r *Roster) { r.Viewers[0].Key = nil })
	sealed, err := h.sealer(t).Seal(h.meta(1), []byte("x"))
	must(t, err)
	o := h.opener(t)
	_, err = o.Open(h.cameraID, sealed.Bytes)
	must(t, err)
	cmd, _, err := o.Ask(h.cameraID)
	must(t, err)
	if _, err := h.guard(t, nil).Accept(cmd, false, h.now); ReasonOf(err) != Revoked {
		t.Error(err)
	}
	if h.roster.Viewers[0].ID() != "" {
		t.Error("a key that is not there has an id")
	}
}

func TestSignCommandRefuses(t *testing.T) {
	h := newHome(t)
	for name, change := range map[string]func(c *Command){
		"no camera":  func(c *Command) { c.Camera = "" },
		"no counter": func(c *Command) { c.Counter = 0 },
		"no verb":    func(c *Command) { c.Verb = "" },
		"no expiry":  func(c *Command) { c.Expires = time.Time{} },
		"no issue":   func(c *Command) { c.Issued = time.Time{} },
		"nonce":      func(c *Command) { c.Nonce = []byte("short") },
		"gaps":       func(c *Command) { c.Gaps = []Range{{First: 2, Last: 1}} },
	} {
		c := Command{Camera: h.cameraID, Counter: 1, Verb: VerbResend, From: 1, To: 5, Issued: h.now, Expires: h.now.Add(time.Minute)}
		change(&c)
		if _, err := SignCommand(h.owner, c); err == nil {
			t.Errorf("signed a command: %s", name)
		}
	}
}

func TestHelloBind(t *testing.T) {
	h := newHome(t)
	var hello Hello
	if hello.Bind(h.camera.Public(), []byte("short")) == nil {
		t.Error("bound to a short secret")
	}
	hello = Hello{Model: "One"}
	must(t, hello.Bind(h.camera.Public(), make([]byte, 16)))
	hello.Model = "Two"
	if hello.Bound(make([]byte, 16)) {
		t.Error("the MAC does not cover the model")
	}
	if _, err := SignHello(h.camera, Hello{CSR: make([]byte, MaxCSR+1)}); err == nil {
		t.Error("signed a hello that is too large")
	}
}

func TestRosterSigning(t *testing.T) {
	h := newHome(t)
	if _, err := SignRoster(h.owner, Roster{}); err == nil {
		t.Error("signed a roster of version 0")
	}
	many := Roster{Version: 1}
	for i := range MaxCameras + 1 {
		many.Cameras = append(many.Cameras, RosterCamera{ID: CameraID(formatID([32]byte{byte(i), byte(i >> 8)}))})
	}
	many.SortCameras()
	if _, err := SignRoster(h.owner, many); err == nil {
		t.Error("signed a roster with too many cameras")
	}
	many.Cameras = many.Cameras[:MaxCameras]
	if _, err := SignRoster(h.owner, many); err != nil {
		t.Error(err)
	}
	if _, err := OpenRoster(h.id, make([]byte, MaxRoster+1)); ReasonOf(err) != Malformed || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	if err := h.roster.Follows(newHome(t).roster); ReasonOf(err) != NotForYou {
		t.Errorf("follows another household's: %v", err)
	}
	if _, ok := h.roster.Viewer(""); ok {
		t.Error("a viewer without an id")
	}
}

// TestLaterVersion: what a later format has made of a message is told as such,
// even when nothing else of it can be read.
func TestLaterVersion(t *testing.T) {
	h := newHome(t)
	f := Forge{Envelope: Envelope{Key: h.camera}, Household: h.id, Roster: 1, To: []string{h.viewer.Public().Recipient}, Meta: h.meta(1), Media: []byte("x")}
	f.Claims = func(m Map) { m[int64(-65537)], m[int64(-65999)] = 2, "something new" }
	_, err := h.opener(t).Open(h.cameraID, f.Make(t))
	r := wantRefusal(t, err, Malformed, h.cameraID)
	if !strings.Contains(r.Error(), "format version 2") || !strings.Contains(r.Error(), "newer program") {
		t.Error(r)
	}
}

// TestRefusalIsPrintable: what a stranger wrote reaches no terminal as it is.
func TestRefusalIsPrintable(t *testing.T) {
	r := refuseErr(Malformed, "\x1b[2Jgone \u202edlo", errors.New(strings.Repeat("lorem\n", 1000)))
	text := r.Error()
	if strings.ContainsAny(text, "\x1b\n\u202e") || len(text) > maxError+3 {
		t.Errorf("%q", text)
	}
	for _, reason := range []Reason{Malformed, BrokenSeal, WrongCamera, NotForYou, Revoked, Replayed, Stale, ""} {
		if p := reason.Person(); !strings.HasPrefix(p, "This ") || strings.Contains(p, fmt.Sprintf("%q", reason)) {
			t.Errorf("%q: %q", reason, p)
		}
	}
	if ReasonOf(errors.New("other")) != "" || ReasonOf(nil) != "" {
		t.Error("a reason for no refusal")
	}
	if !errors.Is(refuseErr(Stale, "", ErrState), ErrState) {
		t.Error("the cause is lost")
	}
}
