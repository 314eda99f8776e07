package secondopener

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// history is what arrived at one viewer of one camera, as histories.mjs reads it.
type history struct {
	Household  seal.HouseholdID `json:"household"`
	Roster     []byte           `json:"roster"`
	Viewer     string           `json:"viewer"`
	Camera     seal.CameraID    `json:"camera"`
	Deliveries []delivery       `json:"deliveries"`
}

type delivery struct {
	Now     int64    `json:"now"` // microseconds since 1970
	Sealed  []byte   `json:"sealed"`
	Comment string   `json:"comment"`
	Expect  string   `json:"expect"`
	Flags   []string `json:"flags"`
	Gaps    []string `json:"gaps"`
}

// TestHistories lets cameras live: they skip numbers, lose their memory, confess,
// restart, are copied and set back, while the network loses, repeats and
// reorders. What uplink/seal says of every arrival, the second opener must say.
func TestHistories(t *testing.T) {
	var file bytes.Buffer
	verdicts := map[string]int{}
	for seed := range uint64(10) {
		h := live(t, mathrand.New(mathrand.NewPCG(seed, 7)))
		for _, d := range h.Deliveries {
			verdicts[fmt.Sprint(d.Expect, d.Flags)]++
		}
		line, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(append(line, '\n'))
	}
	t.Logf("%v", verdicts)
	for _, want := range []string{"verified[]", "verified[late]", "replayed[duplicate]", "replayed[]", "broken seal[alarm]", "stale[]"} {
		if verdicts[want] < 3 {
			t.Errorf("only %d deliveries end in %s: the histories have become too tame", verdicts[want], want)
		}
	}
	path := filepath.Join(t.TempDir(), "histories")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	node(t, "histories.mjs", path)
}

// camera is a camera that goes wrong in many ways.
type camera struct {
	t      *testing.T
	r      *mathrand.Rand
	key    *ecdsa.PrivateKey
	rosts  []*seal.Roster // by version
	under  int            // index of the roster in force
	boots  []byte         // all there were
	boot   byte
	seq    uint64
	prev   [32]byte
	live   uint64
	now    time.Time
	sealed []delivery
}

func live(t *testing.T, r *mathrand.Rand) history {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	viewer, err := seal.NewViewerKey(nil)
	check(t, err)
	id, err := seal.CameraIDOf(key.Public())
	check(t, err)
	owner, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	household, err := seal.HouseholdIDOf(owner.Public())
	check(t, err)
	c := &camera{t: t, r: r, key: key, boot: 1, boots: []byte{1}, now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
	var signed [][]byte
	for version := range uint64(3) {
		b, err := seal.SignRoster(owner, seal.Roster{Version: version + 1, Cameras: []seal.RosterCamera{{ID: id}}, Viewers: []seal.Viewer{viewer.Public()}})
		check(t, err)
		roster, err := seal.OpenRoster(household, b)
		check(t, err)
		c.rosts, signed = append(c.rosts, roster), append(signed, b)
	}
	for range 80 {
		c.step()
	}
	secret, err := viewer.MarshalText()
	check(t, err)
	h := history{Household: household, Roster: signed[1], Viewer: string(secret), Camera: id}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: household, Roster: c.rosts[1], Key: viewer, Now: func() time.Time { return c.now }})
	check(t, err)
	for _, d := range network(r, c.sealed) {
		c.now = time.UnixMicro(d.Now)
		v, err := opener.Open(id, d.Sealed)
		d.judge(v, err)
		for _, g := range opener.Gaps(id) {
			d.Gaps = append(d.Gaps, fmt.Sprintf("%d-%d%s", g.First, g.Last, map[bool]string{true: "!"}[g.Lost]))
		}
		h.Deliveries = append(h.Deliveries, d)
	}
	return h
}

// judge notes what came of d.
func (d *delivery) judge(v *seal.Verified, err error) {
	d.Expect, d.Flags, d.Gaps = "verified", []string{}, []string{}
	flags := map[string]bool{}
	var r *seal.Refusal
	if errors.As(err, &r) {
		d.Expect = string(r.Reason)
		flags["alarm"], flags["duplicate"] = r.Alarm, r.Duplicate
	} else {
		flags["late"], flags["behind"], flags["ahead"] = v.Late(), v.RosterBehind(), v.RosterAhead()
	}
	for f, set := range flags {
		if set {
			d.Flags = append(d.Flags, f)
		}
	}
	slices.Sort(d.Flags)
}

// network loses, repeats and reorders.
func network(r *mathrand.Rand, sent []delivery) []delivery {
	var waiting, out []delivery
	for i, d := range sent {
		if r.IntN(10) == 0 && i > 3 {
			continue
		}
		waiting = append(waiting, d)
		if r.IntN(8) == 0 {
			waiting = append(waiting, sent[r.IntN(i+1)])
		}
		for len(waiting) > 0 && r.IntN(3) > 0 {
			j := r.IntN(min(len(waiting), 3))
			if r.IntN(6) == 0 {
				j = r.IntN(len(waiting))
			}
			late := waiting[j]
			late.Now = d.Now
			out = append(out, late)
			waiting = slices.Delete(waiting, j, j+1)
		}
	}
	return out
}

// step is one thing that a camera does.
func (c *camera) step() {
	c.now = c.now.Add(time.Duration(c.r.IntN(4000)) * time.Millisecond)
	switch n := c.r.IntN(100); {
	case n < 52:
		c.durable("next", c.seq+1, c.prev)
	case n < 57:
		c.durable("skips", c.seq+2+c.r.Uint64N(4), c.prev)
	case n < 60:
		c.durable("lost its memory", c.seq+2+c.r.Uint64N(3), [32]byte{})
	case n < 66:
		c.confess()
	case n < 70:
		c.boot = byte(len(c.boots) + 1)
		c.boots = append(c.boots, c.boot)
	case n < 72:
		c.under = c.r.IntN(len(c.rosts))
	case n < 75:
		c.aside(func() { c.boot = c.boots[c.r.IntN(len(c.boots))]; c.durable("old boot", c.seq+1, c.prev) })
	case n < 79 && c.seq > 2:
		c.aside(func() { c.durable("a copy of the camera", c.seq-c.r.Uint64N(2), c.prev) })
	case n < 81:
		c.aside(func() { c.durable("a copy of the camera, ahead", c.seq+1, [32]byte{byte(n)}) })
	case n < 94:
		c.live += c.r.Uint64N(3)
		c.live++
		c.add("live", seal.Meta{Stream: seal.Live, Seq: max(c.live, 1), Expires: c.now.Add(time.Duration(2+c.r.IntN(20)) * time.Second)})
		if c.r.IntN(5) == 0 {
			c.live -= min(c.live, 3)
		}
	default:
		c.add("will", seal.Meta{Stream: seal.Will, Seq: c.seq - min(c.seq, c.r.Uint64N(2))})
	}
}

// aside does something that the true camera does not remember.
func (c *camera) aside(do func()) {
	seq, prev, boot := c.seq, c.prev, c.boot
	do()
	c.seq, c.prev, c.boot = seq, prev, boot
}

func (c *camera) confess() {
	if c.seq < 12 {
		return
	}
	first := c.seq - 8 + c.r.Uint64N(5)
	c.seq++
	c.prev = c.add("confesses", seal.Meta{Stream: seal.Durable, Seq: c.seq, Prev: c.prev, Kind: seal.KindGap, Lost: []seal.Range{{First: first, Last: first + c.r.Uint64N(3)}}})
}

func (c *camera) durable(comment string, seq uint64, prev [32]byte) {
	if seq == 1 {
		prev = [32]byte{}
	}
	c.seq = seq
	c.prev = c.add(comment, seal.Meta{Stream: seal.Durable, Seq: seq, Prev: prev})
}

// add seals a message and returns its hash.
func (c *camera) add(comment string, m seal.Meta) [32]byte {
	sealer, err := seal.NewSealer(seal.SealerConfig{Key: c.key, Roster: c.rosts[c.under], Boot: [16]byte{c.boot}})
	check(c.t, err)
	if m.Kind == "" {
		m.Kind = seal.KindStatus
	}
	m.Clock, m.Taken = seal.ClockNTP, c.now
	s, err := sealer.Seal(m, nil)
	check(c.t, err)
	c.sealed = append(c.sealed, delivery{Now: c.now.UnixMicro(), Sealed: s.Bytes, Comment: fmt.Sprintf("%s %d, %s", m.Stream, m.Seq, comment)})
	return s.Hash
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
