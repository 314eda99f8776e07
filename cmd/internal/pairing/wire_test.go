package pairing

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
)

// FuzzReadPart asserts that no part is larger than its kind allows, whatever
// was announced, and that what was read is what was sent.
func FuzzReadPart(f *testing.F) {
	for _, part := range []byte{partHello, partNonce, partPairing, partRefusal, partClaimed} {
		var b bytes.Buffer
		if err := writePart(&b, part, bytes.Repeat([]byte{part}, min(40, limit(part)))); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(b.Bytes()[:b.Len()-1])
	}
	f.Add([]byte("P\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		part, data, err := readPart(bytes.NewReader(b), partHello, partNonce, partPairing, partRefusal, partClaimed)
		if err != nil {
			return
		}
		if len(data) > limit(part) {
			t.Fatalf("%q of %d bytes", part, len(data))
		}
		var again bytes.Buffer
		if err := writePart(&again, part, data); err != nil || !bytes.HasPrefix(b, again.Bytes()) {
			t.Errorf("read %q %x from %x", part, data, b)
		}
		if r := parseRefusal(data); r.Reason.Person() == seal.Reason("").Person() {
			t.Errorf("a refusal without a reason: %+v", r)
		}
	})
}

func TestRefusalTravels(t *testing.T) {
	for _, detail := range []string{"", "expired", strings.Repeat("\u202e\x00é", 500)} {
		got := parseRefusal(marshalRefusal(&seal.Refusal{Reason: seal.Replayed, Detail: detail}))
		if got.Reason != seal.Replayed {
			t.Errorf("%q: %v", detail, got)
		}
	}
}

func TestWords(t *testing.T) {
	list := strings.Fields(wordList)
	seen := map[string]bool{}
	for _, w := range list {
		if seen[w] || len(w) < 3 || len(w) > 8 {
			t.Errorf("%q is twice in the list, or of the wrong length", w)
		}
		seen[w] = true
	}
	if len(list) != 256 {
		t.Errorf("%d words", len(list))
	}
	secret := make([]byte, 16)
	a := Words(secret, "camera", make([]byte, nonceSize))
	for name, b := range map[string]string{
		"another secret": Words(make([]byte, 17), "camera", make([]byte, nonceSize)),
		"another camera": Words(secret, "camerb", make([]byte, nonceSize)),
		"another nonce":  Words(secret, "camera", bytes.Repeat([]byte{1}, nonceSize)),
	} {
		if name != "another secret" && a == b {
			t.Errorf("%s, the same words", name)
		}
	}
}
