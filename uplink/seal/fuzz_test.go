package seal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/veraison/go-cose"
)

// vectorFile is what the fuzz targets take from the published vectors.
type vectorFile struct {
	name   string
	header map[string]string
	body   []byte
}

func vectorFiles(t testing.TB) []vectorFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/vectors/*")
	must(t, err)
	var all []vectorFile
	for _, p := range paths {
		if strings.HasSuffix(p, ".md") {
			continue
		}
		text, err := os.ReadFile(p)
		must(t, err)
		head, body, _ := strings.Cut(string(text), "\n\n")
		v := vectorFile{name: filepath.Base(p), header: map[string]string{}}
		for line := range strings.SplitSeq(head, "\n") {
			key, value, _ := strings.Cut(line, ": ")
			v.header[key] = value
		}
		v.body, err = base64.StdEncoding.DecodeString(body)
		must(t, err)
		all = append(all, v)
	}
	return all
}

func vectorNamed(t testing.TB, name string) vectorFile {
	t.Helper()
	for _, v := range vectorFiles(t) {
		if v.name == name {
			return v
		}
	}
	t.Fatalf("no vector %s", name)
	return vectorFile{}
}

// opener returns the viewer of a vector, which has seen nothing.
func (v vectorFile) opener(t testing.TB) *Opener {
	t.Helper()
	var k ViewerKey
	must(t, k.UnmarshalText([]byte(v.header["viewer"])))
	signed, err := base64.StdEncoding.DecodeString(v.header["roster"])
	must(t, err)
	h := HouseholdID(v.header["household"])
	r, err := OpenRoster(h, signed)
	must(t, err)
	now, err := time.Parse(time.RFC3339, v.header["now"])
	must(t, err)
	o, err := NewOpener(OpenerConfig{Household: h, Roster: r, Key: &k, Now: func() time.Time { return now }})
	must(t, err)
	return o
}

// bounded runs f on n bytes of input and fails if it allocates out of
// proportion.
func bounded(t *testing.T, n int, f func()) {
	t.Helper()
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	before := s[0].Value.Uint64()
	f()
	metrics.Read(s)
	if used := s[0].Value.Uint64() - before; used > 2<<20+uint64(n)*256 {
		t.Fatalf("%d bytes of input made it allocate %d", n, used)
	}
}

// FuzzOpen: nothing opens but what the camera sealed.
func FuzzOpen(f *testing.F) {
	genuine := map[string]bool{}
	for _, v := range vectorFiles(f) {
		if v.header["op"] == "open" && len(v.body) < 8<<10 {
			f.Add(v.body)
			genuine[string(v.body)] = v.header["expect"] == "verified" || v.header["expect"] == "replayed" || v.header["flags"] == "alarm"
		}
	}
	v := vectorNamed(f, "good-first")
	camera, stranger := CameraID(v.header["camera"]), CameraID(formatID([32]byte{7}))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := v.opener(t)
		bounded(t, len(b), func() {
			opened, err := o.Open(camera, b)
			if err == nil && !genuine[string(b)] {
				t.Fatalf("opened what nobody sealed: %v", opened.Meta())
			}
			if err != nil && ReasonOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
		})
		if _, err := o.Check(stranger, b); err == nil {
			t.Fatal("opened for a stranger's screen")
		}
	})
}

// FuzzMutation: no change of a valid message leaves it valid, and none makes it
// another camera's.
func FuzzMutation(f *testing.F) {
	base := vectorNamed(f, "good-first")
	live := vectorNamed(f, "good-live")
	f.Add(false, uint16(100), uint8(0), []byte{1})
	f.Add(true, uint16(0), uint8(1), []byte{0x82})
	f.Add(false, uint16(2000), uint8(2), []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, isLive bool, at uint16, how uint8, data []byte) {
		v := base
		if isLive {
			v = live
		}
		if len(data) > 64<<10 {
			return
		}
		i := int(at) % (len(v.body) + 1)
		var b []byte
		switch how % 4 {
		case 0: // overwrite
			b = bytes.Clone(v.body)
			copy(b[i:], data)
		case 1: // insert
			b = append(append(bytes.Clone(v.body[:i]), data...), v.body[i:]...)
		case 2: // delete
			b = append(bytes.Clone(v.body[:i]), v.body[min(len(v.body), i+len(data)):]...)
		case 3: // exclusive or
			b = bytes.Clone(v.body)
			for j, d := range data {
				if i+j < len(b) {
					b[i+j] ^= d
				}
			}
		}
		o := v.opener(t)
		camera := CameraID(v.header["camera"])
		_, err := o.Open(camera, b)
		if same := bytes.Equal(b, v.body); same != (err == nil) {
			t.Fatalf("same %v: %v", same, err)
		}
		for _, other := range o.Roster().Cameras {
			if other.ID != camera {
				if _, err := o.Open(other.ID, b); err == nil {
					t.Fatal("opened for another camera's screen")
				}
			}
		}
	})
}

// FuzzRoundTrip: what can be sealed opens, and is the same.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint8(1), uint64(1), "snapshot", "image/jpeg", int64(1763000000000000), int64(5e9), "ntp", "motion", uint64(3), uint32(0), true, "cat", []byte("media"), int64(30))
	f.Add(uint8(2), uint64(1<<40), "answer", "image/jpeg", int64(0), int64(0), "none", "", uint64(0), uint32(9), false, "", []byte("x"), int64(0))
	f.Add(uint8(3), uint64(0), "status", "", int64(1), int64(1), "rtc", "period", uint64(1<<52), uint32(1<<31), false, "\u202e", []byte{}, int64(-1))
	f.Add(uint8(4), uint64(7), "recording", "video/mp4", int64(1763000000000000), int64(5e9), "rtc", "", uint64(0), uint32(6), true, "", []byte("media"), int64(0))
	h := newHome(f)
	s := h.sealer(f)
	f.Fuzz(func(t *testing.T, stream uint8, seq uint64, kind, media string, taken, mono int64, clock, cause string, event uint64, part uint32, last bool, label string, data []byte, life int64) {
		m := Meta{
			Stream: Stream(stream), Seq: seq, Kind: kind, Media: media, Mono: time.Duration(mono),
			Clock: clock, Cause: cause, Event: event, Part: part, Last: last, Width: int(part % 70000),
		}
		if taken != 0 {
			m.Taken = time.UnixMicro(taken).UTC()
		}
		if life > 0 && life < 1<<40 {
			m.Expires = m.Taken.Add(time.Duration(life) * time.Second)
		}
		if label != "" {
			m.Labels = []Label{{Name: label, Score: uint16(part), Box: Box{X: uint16(event)}}}
		}
		if m.Stream.chained() && seq > 1 {
			m.Prev = [32]byte{1}
		}
		sealed, err := s.Seal(m, data)
		if err != nil {
			return
		}
		h.now = m.Taken
		o := h.opener(t)
		o.asked = []ask{{camera: h.cameraID, at: h.now}} // an answer without a nonce would be fresh: lets the clockless pass
		open := o.Open
		if m.Stream == Recording {
			open = o.Recall
		}
		v, err := open(h.cameraID, sealed.Bytes)
		if reason := ReasonOf(err); reason == Stale && m.Expires.Sub(m.Taken) > MaxLive {
			return
		} else if err != nil {
			t.Fatalf("sealed and not opened: %v", err)
		}
		m.truncate()
		m.Boot, m.Roster, m.Firmware = [16]byte{1}, 1, "1.0"
		if got := v.Meta(); text(got) != text(m) {
			t.Fatalf("\n got %+v\nwant %+v", got, m)
		}
		if _, got := v.Media(); !bytes.Equal(got, data) {
			t.Fatal("other media")
		}
		if v.Hash() != sealed.Hash {
			t.Fatal("other hash")
		}
		if p, err := CheckProof(v.Proof(), data); err != nil || p.Hash != sealed.Hash {
			t.Fatal(err)
		}
	})
}

// text compares what a person would see: nil and empty are the same.
func text(m Meta) string { return fmt.Sprintf("%+v", m) }

// FuzzEnvelope: a COSE_Sign1 that is accepted is the one that its parts make.
func FuzzEnvelope(f *testing.F) {
	for _, v := range vectorFiles(f) {
		if seal, _, err := splitPair(v.body, maxSeal); err == nil {
			f.Add(seal)
		} else if len(v.body) < 8<<10 {
			f.Add(v.body)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range []string{typeSeal, typeRoster, typeGrant, typeCommand, typeHello} {
			var e *envelope
			bounded(t, len(b), func() { e, _ = parse1(b, typ) })
			if theirs := parsedByCOSE(b, typ); (e != nil) != (theirs != nil) {
				t.Fatalf("accepted: %t, by go-cose: %t\n%x", e != nil, theirs != nil, b)
			}
			if e == nil {
				continue
			}
			header, err := encode(map[any]any{1: -7, 4: e.kid[:], 16: typ})
			must(t, err)
			again := append([]byte{0xd2, 0x84}, appendBytesHead(nil, len(header))...)
			again = append(append(again, header...), 0xa0)
			again = append(appendBytesHead(again, len(e.payload)), e.payload...)
			again = append(appendBytesHead(again, 64), e.signature...)
			if !bytes.Equal(again, b) {
				t.Fatalf("\n got %x\nwant %x", b, again)
			}
		}
	})
}

// parsedByCOSE is parse1 by go-cose: nil for what has not the one form of this format.
func parsedByCOSE(b []byte, typ string) *cose.Sign1Message {
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(b); err != nil {
		return nil
	}
	kid, _ := m.Headers.Protected[cose.HeaderLabelKeyID].([]byte)
	if len(kid) != 32 || m.Payload == nil || len(m.Signature) != 64 || len(m.Headers.Unprotected) != 0 {
		return nil
	}
	want, err := protected([32]byte(kid), typ).MarshalCBOR()
	if err != nil || !bytes.Equal(m.Headers.RawProtected, want) {
		return nil
	}
	if again, err := m.MarshalCBOR(); err != nil || !bytes.Equal(again, b) {
		return nil
	}
	return &m
}

// A signature is good for this package exactly if it is for go-cose, but for the
// upper half of S.
func TestVerifiesAsCOSEDoes(t *testing.T) {
	good, bad := 0, 0
	for _, v := range vectorFiles(t) {
		sealed, _, err := splitPair(v.body, maxSeal)
		if err != nil {
			continue
		}
		e, err := parse1(sealed, typeSeal)
		if err != nil {
			continue
		}
		var c visibleClaims
		if err := decodeClaims(e.payload, &c); err != nil {
			continue
		}
		pub, _, err := c.Confirm.Key.parse()
		if err != nil {
			continue
		}
		verifier, err := cose.NewVerifier(cose.AlgorithmES256, pub)
		must(t, err)
		theirs := parsedByCOSE(sealed, typeSeal).Verify(nil, verifier) == nil
		if theirs && new(big.Int).SetBytes(e.signature[32:]).Cmp(halfOrder()) > 0 {
			theirs = false
		}
		ours := e.verify(pub) == nil
		if ours != theirs {
			t.Errorf("%s: verified %t, by go-cose %t", v.name, ours, theirs)
		}
		if ours {
			good++
		} else {
			bad++
		}
	}
	if good < 100 || bad < 3 {
		t.Errorf("%d good and %d bad signatures were tried", good, bad)
	}
}

// There is no byte of a seal that anybody could change: neither what is signed nor
// what stands around it.
func TestNoByteIsFree(t *testing.T) {
	sealed, _, err := splitPair(vectorNamed(t, "good-first").body, maxSeal)
	must(t, err)
	if _, err := openSeal(sealed); err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			b := bytes.Clone(sealed)
			b[i] ^= flip
			if _, err := openSeal(b); err == nil {
				t.Errorf("byte %d may be %#x as well as %#x", i, b[i], sealed[i])
			}
		}
	}
}

// FuzzPair: a pair that is accepted is the one that its parts make.
func FuzzPair(f *testing.F) {
	f.Add([]byte{0x82, 0xa0, 0x40})
	f.Add([]byte{0x82, 0xa0, 0x58, 24})
	f.Add([]byte{0x82, 0x81, 0x81, 0, 0x5a, 0xff, 0xff, 0xff, 0xff})
	f.Add(vectorNamed(f, "good-first").body)
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			first, second, err := splitPair(b, 100)
			if err != nil {
				return
			}
			again := appendBytesHead(append([]byte{pairHead}, first...), len(second))
			if !bytes.Equal(append(again, second...), b) || len(first) > 100 {
				t.Fatalf("%x is not %x and %x", b, first, second)
			}
		})
	})
}
