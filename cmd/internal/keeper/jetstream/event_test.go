package jetstream

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// FuzzEvent: what is decoded is encoded to the same bytes, whatever stands in the
// log; nothing else is an event.
func FuzzEvent(f *testing.F) {
	id := strings.Repeat("a", 52)
	h, c := seal.HouseholdID(id), seal.CameraID(id)
	for _, e := range []*event{
		{what: kept, household: h, camera: c, entry: store.Entry{Kind: "media", Visible: seal.Visible{Stream: seal.Durable, Seq: 7, Size: 100}}, at: place{1, 9}},
		{what: gone, household: h, camera: c, upto: 3, last: 7, span: seal.Range{First: 1, Last: 4}},
		{what: deleted, household: h, camera: c, last: 7, span: seal.Range{First: 2, Last: 7}},
		{what: mark, writer: "keeper 1.0"},
	} {
		f.Add(e.subject(rootIndex), e.encode(format))
	}
	f.Fuzz(func(t *testing.T, subject string, b []byte) {
		e, err := decode(subject, rootIndex, b, format)
		if err != nil {
			if !errors.Is(err, errEvent) && !errors.Is(err, store.ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		if e.subject(rootIndex) != subject || !bytes.Equal(e.encode(format), b) {
			t.Fatalf("%s %x became %s %x", subject, b, e.subject(rootIndex), e.encode(format))
		}
	})
}

// What a newer version has written is refused by name; what it has added behind
// what is known here is read by that version.
func TestNewerEvents(t *testing.T) {
	id := strings.Repeat("a", 52)
	e := &event{what: deleted, household: seal.HouseholdID(id), camera: seal.CameraID(id), last: 7, span: seal.Range{First: 2, Last: 7}}
	next := append(e.encode(format+1), "more"...)
	if _, err := decode(e.subject(rootIndex), rootIndex, next, format); !errors.Is(err, store.ErrNewer) {
		t.Error(err)
	}
	if got, err := decode(e.subject(rootIndex), rootIndex, next, format+1); err != nil || got.span != e.span {
		t.Error(got, err)
	}
	if got, err := decode(e.subject(rootIndex), rootIndex, e.encode(format), format+1); err != nil || got.span != e.span {
		t.Error("a newer version does not read the older form", err)
	}
}
