package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// keeping is the method set that the keeper reads.
type keeping interface {
	Put(ctx context.Context, batch []Message) ([]error, error)
	Get(ctx context.Context, hash [32]byte) ([]byte, error)
	List(ctx context.Context, q Query) (Page, error)
	Cameras(ctx context.Context, h seal.HouseholdID) ([]Camera, error)
	Delete(ctx context.Context, h seal.HouseholdID, c seal.CameraID, from, to uint64) (messages uint64, bytes int64, err error)
	Trim(ctx context.Context, policy func(seal.HouseholdID) Policy) (messages uint64, bytes int64, err error)
	SetRoster(ctx context.Context, h seal.HouseholdID, roster []byte) error
	Rosters(ctx context.Context, each func(h seal.HouseholdID, roster []byte) error) error
	Wait(ctx context.Context, h seal.HouseholdID, after uint64) error
	Stats() Stats
	Close() error
}

// message returns message seq of a camera; variant tells two of one number apart.
func message(h seal.HouseholdID, c seal.CameraID, seq uint64, size int, variant string) Message {
	b := append(fmt.Appendf(nil, "%s %s %d %s ", h, c, seq, variant), make([]byte, size)...)
	return Message{Sealed: b, Entry: Entry{Kind: "media", Visible: seal.Visible{
		Camera: c, Household: h, Roster: 1, Stream: seal.Durable, Seq: seq,
		Prev: sha256.Sum256(b[:1]), Boot: [16]byte{1}, Hash: sha256.Sum256(b), Size: len(b),
	}}}
}

// put puts messages of one batch, and wants each to end as want says.
func put(t testing.TB, s keeping, want error, batch ...Message) []Message {
	t.Helper()
	errs, err := s.Put(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if !errors.Is(err, want) {
			t.Fatalf("%s %d: %v, want %v", batch[i].Visible.Camera, batch[i].Visible.Seq, err, want)
		}
	}
	return batch
}

func seqs(t testing.TB, s keeping, q Query) string {
	t.Helper()
	p, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range p.Entries {
		out = append(out, fmt.Sprintf("%s%d", e.Visible.Camera, e.Visible.Seq))
	}
	if p.More {
		out = append(out, "...")
	}
	return fmt.Sprint(out)
}

func TestMemoryKeeps(t *testing.T) { promises(t, &Memory{Now: steady()}) }

// steady returns a clock that goes on by a second with every look.
func steady() func() time.Time {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(time.Second); return now }
}

// promises is what every store keeps.
func promises(t *testing.T, s keeping) {
	var first []Message
	for _, m := range []Message{message("h", "a", 3, 100, ""), message("h", "b", 7, 50, ""), message("i", "a", 3, 10, "")} {
		first = append(first, put(t, s, nil, m)...)
	}
	if first[0].Cursor != 1 || first[1].Cursor != 2 || first[2].Cursor != 1 || first[1].Received.Before(first[0].Received) {
		t.Errorf("placed as %+v", first)
	}
	again := put(t, s, nil, message("h", "a", 3, 100, ""))
	if again[0].Cursor != 1 || !again[0].Received.Equal(first[0].Received) {
		t.Errorf("the same again is placed as %+v", again[0].Entry)
	}
	put(t, s, ErrConflict, message("h", "a", 3, 100, "forged"))
	put(t, s, nil, message("h", "a", 6, 1, ""), message("h", "a", 4, 1, ""))
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{}, "[a3 b7 a6 a4]"},
		{Query{Limit: 2}, "[a3 b7 ...]"},
		{Query{Limit: 2, After: 2}, "[a6 a4]"},
		{Query{Newest: true, Limit: 1}, "[a4 ...]"},
		{Query{Newest: true, Before: 3}, "[b7 a3]"},
		{Query{Camera: "a"}, "[a3 a6 a4]"},
		{Query{Camera: "a", BySeq: true}, "[a3 a4 a6]"},
		{Query{Camera: "a", BySeq: true, From: 4, To: 5, Newest: true}, "[a4]"},
		{Query{Since: first[1].Received}, "[b7 a6 a4]"},
		{Query{Until: first[1].Received}, "[a3]"},
		{Query{Camera: "a", Since: first[1].Received, Newest: true}, "[a4 a6]"},
		{Query{Household: "nobody"}, "[]"},
	} {
		if c.q.Household == "" {
			c.q.Household = "h"
		}
		if c.q.Limit == 0 {
			c.q.Limit = 10
		}
		if got := seqs(t, s, c.q); got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
	}
	missing := func(want ...seal.Range) {
		t.Helper()
		all, err := s.Cameras(t.Context(), "h")
		if err != nil || len(all) != 2 || all[0].ID != "a" || !slices.Equal(all[0].Missing, want) {
			t.Errorf("cameras %+v, %v; want %v missing", all, err, want)
		}
	}
	missing(seal.Range{First: 5, Last: 5})
	if n, _, err := s.Delete(t.Context(), "h", "a", 4, 5); n != 1 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	missing()
	put(t, s, ErrDeleted, message("h", "a", 4, 1, ""), message("h", "a", 5, 1, ""))
	if b, err := s.Get(t.Context(), first[0].Visible.Hash); err != nil || !slices.Equal(b, first[0].Sealed) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := s.Get(t.Context(), message("h", "a", 4, 1, "").Visible.Hash); !errors.Is(err, ErrNotKept) {
		t.Errorf("what was deleted: %v", err)
	}
	if n, _, err := s.Trim(t.Context(), func(h seal.HouseholdID) Policy { return Policy{Bytes: 1} }); n != 4 || err != nil {
		t.Errorf("%d trimmed, %v", n, err)
	}
	missing()
	put(t, s, nil, message("h", "a", 9, 1, ""))
	missing(seal.Range{First: 7, Last: 8})
	if err := s.Wait(t.Context(), "h", 4); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx, "h", 5); !errors.Is(err, context.Canceled) {
		t.Errorf("waits for what is there no more: %v", err)
	}
}
