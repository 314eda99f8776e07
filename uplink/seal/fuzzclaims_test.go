package seal

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"
)

// The targets here look at signed claims without their signature, where a
// fuzzer would not get past it: what is accepted must encode to the same bytes.

// payloads returns what the vectors of one operation sign.
func payloads(f *testing.F, op, typ string) (all [][]byte) {
	for _, v := range vectorFiles(f) {
		if v.header["op"] != op || len(v.body) > 64<<10 {
			continue
		}
		signed := v.body
		if typ == typeSeal {
			signed, _, _ = splitPair(v.body, maxSeal)
		}
		if e, err := parse1(signed, typ); err == nil {
			all = append(all, e.payload)
		}
	}
	if len(all) == 0 {
		f.Fatal("no seeds")
	}
	return all
}

func same(t *testing.T, claims any, b []byte) {
	t.Helper()
	again, err := encode(claims)
	must(t, err)
	if !bytes.Equal(again, b) {
		t.Fatalf("\n got %x\nagain %x", b, again)
	}
}

func FuzzVisibleClaims(f *testing.F) {
	for _, b := range payloads(f, "open", typeSeal) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			var v visibleClaims
			if decodeClaims(b, &v) != nil || v.check() != nil {
				return
			}
			m := v.meta()
			again := newVisible(&m)
			again.Issuer, again.Audience, again.Confirm = v.Issuer, v.Audience, v.Confirm
			again.BodyHash, again.PlainHash = v.BodyHash, v.PlainHash
			same(t, again, b)
		})
	})
}

func FuzzHidden(f *testing.F) {
	var k ViewerKey
	must(f, k.UnmarshalText([]byte(vectorNamed(f, "good-first").header["viewer"])))
	for _, v := range vectorFiles(f) {
		if v.header["op"] == "open" && (v.header["expect"] == "verified" || v.name[:6] == "hidden") && len(v.body) < 8<<10 {
			f.Add(PlainOf(f, &k, v.body))
		}
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		bounded(t, len(plain), func() {
			raw, h, media, err := splitPlain(plain)
			if err != nil {
				return
			}
			v := visibleClaims{Issuer: h.Camera, Stream: h.Stream, Seq: h.Seq}
			if Stream(h.Stream) == Live && h.Clock != ClockNone {
				v.Expires = h.Taken/1e6 + 10
			}
			m, err := joinClaims(&v, h, len(media))
			if err != nil {
				return
			}
			again := newHidden(CameraID(h.Camera), &m, h.Salt)
			same(t, again, raw)
			if b := appendBytesHead(append([]byte{pairHead}, raw...), len(media)); !bytes.Equal(append(b, media...), plain) {
				t.Fatal("the parts do not make the whole")
			}
		})
	})
}

func FuzzRosterClaims(f *testing.F) {
	for _, b := range payloads(f, "roster", typeRoster) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			var c rosterClaims
			if decodeClaims(b, &c) != nil {
				return
			}
			r, err := c.roster()
			if err != nil {
				return
			}
			again, err := r.claims(c.Issuer)
			must(t, err)
			same(t, again, b)
		})
	})
}

func FuzzRoster(f *testing.F) {
	v := vectorNamed(f, "roster-next")
	genuine := map[string]bool{}
	for _, v := range vectorFiles(f) {
		if v.header["op"] == "roster" && len(v.body) < 8<<10 {
			f.Add(v.body)
			genuine[string(v.body)] = v.header["expect"] == "verified" || v.header["expect"] == "replayed" || v.header["flags"] == "alarm" || v.name == "roster-withdrawn-earlier"
			if x, err := parseExtended(v.body); err == nil {
				genuine[string(x.Roster)] = true
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			r, err := OpenRoster(HouseholdID(v.header["household"]), b)
			if err == nil && !genuine[string(b)] && !genuine[string(r.parts.Roster)] {
				t.Fatal("a roster that nobody signed")
			} else if err != nil && ReasonOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
		})
	})
}

func FuzzCommandClaims(f *testing.F) {
	for _, b := range payloads(f, "command", typeCommand) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			var c commandClaims
			if decodeClaims(b, &c) != nil || c.check() != nil {
				return
			}
			m := c.command()
			issued, err := seconds(m.Issued)
			must(t, err)
			expires, err := seconds(m.Expires)
			must(t, err)
			same(t, commandClaims{
				Issuer: string(m.Issuer), Audience: string(m.Camera), Expires: expires, Issued: issued, Version: Version,
				Counter: m.Counter, Verb: m.Verb, Nonce: m.Nonce, From: m.From, To: m.To, Gaps: m.Gaps,
			}, b)
		})
	})
}

func FuzzCommand(f *testing.F) {
	v := vectorNamed(f, "command-viewer")
	signed, err := base64.StdEncoding.DecodeString(v.header["roster"])
	must(f, err)
	r, err := OpenRoster(HouseholdID(v.header["household"]), signed)
	must(f, err)
	genuine := map[string]bool{}
	for _, v := range vectorFiles(f) {
		if v.header["op"] == "command" && len(v.body) < 8<<10 {
			f.Add(v.body, false, v.header["expect"] == "stale")
			genuine[string(v.body)] = v.header["expect"] == "verified" || v.header["expect"] == "replayed" || v.header["expect"] == "stale" || v.name == "command-withdrawn-owner"
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, retained, clock bool) {
		g, err := NewGuard(CameraID(v.header["camera"]), r, nil)
		must(t, err)
		var now time.Time
		if clock {
			now = time.Date(2026, 11, 22, 10, 0, 1, 0, time.UTC)
		}
		bounded(t, len(b), func() {
			_, err = g.Accept(b, retained, now)
		})
		if err == nil && (!genuine[string(b)] || retained) {
			t.Fatal("a command that nobody signed, or that was retained")
		}
		if err == nil {
			if _, err := g.Accept(b, retained, now); ReasonOf(err) != Replayed {
				t.Fatalf("a command twice: %v", err)
			}
		} else if ReasonOf(err) == "" {
			t.Fatalf("not a refusal: %v", err)
		}
	})
}

func FuzzHello(f *testing.F) {
	for _, v := range vectorFiles(f) {
		if v.header["op"] == "hello" {
			f.Add(v.body)
		}
	}
	for _, b := range payloads(f, "hello", typeHello) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			if _, err := OpenHello(b); err != nil && ReasonOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
			var c helloClaims
			if decodeClaims(b, &c) != nil || c.check() != nil {
				return
			}
			_, spki, err := c.Confirm.Key.parse()
			if err != nil {
				return
			}
			again, err := c.hello(spki).claims()
			must(t, err)
			same(t, again, b)
		})
	})
}

func FuzzProof(f *testing.F) {
	genuine := vectorNamed(f, "proof")
	media, err := base64.StdEncoding.DecodeString(genuine.header["published"])
	must(f, err)
	given := map[string]bool{}
	for _, v := range vectorFiles(f) {
		if v.header["op"] == "proof" && len(v.body) < 8<<10 {
			f.Add(v.body, media)
			given[string(v.body)] = v.name == "proof" || v.name == "proof-media" || v.name == "proof-media-cut"
		}
	}
	f.Fuzz(func(t *testing.T, proof, m []byte) {
		bounded(t, len(proof)+len(m), func() {
			_, err := CheckProof(proof, m)
			if err == nil && !(given[string(proof)] && bytes.Equal(m, media)) {
				t.Fatal("a proof that nobody gave")
			}
			if err != nil && ReasonOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
		})
	})
}

// FuzzState: a state that is accepted is what the Opener would write, and the
// Opener works with it.
func FuzzState(f *testing.F) {
	v := vectorNamed(f, "good-gap")
	o := v.opener(f)
	f.Add(o.State())
	camera := CameraID(v.header["camera"])
	_, err := o.Open(camera, v.body)
	must(f, err)
	f.Add(o.State())
	_, err = o.Open(camera, vectorNamed(f, "good-live").body)
	must(f, err)
	_, err = o.Open(camera, vectorNamed(f, "good-will").body)
	must(f, err)
	f.Add(o.State())
	f.Fuzz(func(t *testing.T, state []byte) {
		bounded(t, len(state), func() {
			n := Opener{config: o.config, cameras: map[CameraID]*history{}}
			if n.restore(state) != nil {
				return
			}
			if !bytes.Equal(n.State(), state) {
				t.Fatal("state is not what it was")
			}
			_, _ = n.Open(camera, v.body)
			for id := range n.cameras {
				n.Gaps(id)
				if _, err := n.Receipt(id); err != nil && err != ErrNothing {
					t.Fatal(err)
				}
			}
			if err := (&Opener{config: o.config, cameras: map[CameraID]*history{}}).restore(n.State()); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func FuzzGuardState(f *testing.F) {
	v := vectorNamed(f, "command-viewer")
	signed, err := base64.StdEncoding.DecodeString(v.header["roster"])
	must(f, err)
	r, err := OpenRoster(HouseholdID(v.header["household"]), signed)
	must(f, err)
	camera := CameraID(v.header["camera"])
	g, err := NewGuard(camera, r, nil)
	must(f, err)
	f.Add(g.State())
	_, err = g.Accept(v.body, false, time.Time{})
	must(f, err)
	f.Add(g.State())
	f.Fuzz(func(t *testing.T, state []byte) {
		if len(state) == 0 {
			return
		}
		bounded(t, len(state), func() {
			g, err := NewGuard(camera, r, state)
			if err == nil && !bytes.Equal(g.State(), state) {
				t.Fatal("state is not what it was")
			}
		})
	})
}

func FuzzTexts(f *testing.F) {
	v := vectorNamed(f, "good-first")
	f.Add(v.header["camera"])
	f.Add(v.header["viewer"])
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseCameraID(s); err == nil {
			sum, err := parseID(string(id))
			if err != nil || formatID(sum) != s {
				t.Fatal("an id with two spellings")
			}
		}
		var k ViewerKey
		if k.UnmarshalText([]byte(s)) == nil {
			again, err := k.MarshalText()
			must(t, err)
			if !bytes.Equal(again, bytes.TrimSpace([]byte(s))) {
				t.Fatal("a key with two spellings")
			}
		}
	})
}
