package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
)

// flip damages one byte of the stored message, dead in its middle.
func flip(t *testing.T, s *Store, m Message) {
	t.Helper()
	r, err := s.locate(m.Visible.Hash)
	if err != nil {
		t.Fatal(err)
	}
	seg, _ := s.file(r.Segment)
	f, err := os.OpenFile(filepath.Join(s.config.Dir, seg.name()), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xAA}, r.At+int64(r.Head)+int64(m.Visible.Size)/2); err != nil {
		t.Fatal(err)
	}
}

// What a disk has lost is told by name, erased, and asked for again; when it
// comes it is taken.
func TestCheckRepairs(t *testing.T) {
	c := Config{Dir: t.TempDir(), segment: 64 << 10}
	s := open(t, c)
	var all []Message
	for seq := range uint64(40) {
		all = append(all, put(t, s, nil, message("h", "a", seq+1, 9_000, ""))...)
	}
	if _, _, err := s.Delete(t.Context(), "h", "a", 20, 22); err != nil {
		t.Fatal(err)
	}
	flip(t, s, all[9])
	flip(t, s, all[39]) // the last one
	r, _ := s.locate(all[2].Visible.Hash)
	gone, _ := s.file(r.Segment)
	_ = s.Close()
	if err := os.Remove(filepath.Join(c.Dir, gone.name())); err != nil {
		t.Fatal(err)
	}
	var lost []uint64
	for _, repair := range []bool{false, true, true} {
		report, err := Check(t.Context(), c.tested(t), repair)
		if err != nil {
			t.Fatal(err)
		}
		if repair && lost == nil || report.Clean() {
			if !report.Clean() || report.Messages != 37-uint64(len(lost)) {
				t.Errorf("after the repair: %+v", report)
			}
			break
		}
		lost = nil
		for _, l := range report.Named {
			lost = append(lost, l.Seq)
			if l.Hash != all[l.Seq-1].Visible.Hash || l.Household != "h" || l.Camera != "a" {
				t.Errorf("%+v", l)
			}
		}
		slices.Sort(lost)
		if !slices.Contains(lost, 3) || !slices.Contains(lost, 10) || !slices.Contains(lost, 40) || slices.Contains(lost, 21) || uint64(len(lost)) != report.Lost {
			t.Errorf("lost %v, %+v", lost, report)
		}
	}
	s = open(t, c)
	cameras, err := s.Cameras(t.Context(), "h")
	if err != nil || len(cameras) != 1 || cameras[0].Last != 40 {
		t.Fatalf("%+v, %v", cameras, err)
	}
	for _, seq := range lost {
		if !Ranges(cameras[0].Missing).Has(seq) {
			t.Errorf("%d is lost and not missing: %v", seq, cameras[0].Missing)
		}
		put(t, s, nil, message("h", "a", seq, 9_000, ""))
	}
	put(t, s, ErrDeleted, message("h", "a", 21, 9_000, ""))
	cameras, _ = s.Cameras(t.Context(), "h")
	if len(cameras[0].Missing) != 0 || cameras[0].Count != 37 {
		t.Errorf("%+v", cameras[0])
	}
	everything(t, s)
}

func TestCheckOfDamagedHousehold(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	s := open(t, c)
	put(t, s, nil, message("h", "a", 1, 10, ""), message("i", "b", 1, 10, ""))
	if err := s.SetRoster(t.Context(), "h", []byte("roster")); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	path := filepath.Join(c.Dir, houseName("h"))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[3] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, c)
	errs, err := s.Put(t.Context(), []Message{message("h", "a", 2, 10, ""), message("i", "b", 2, 10, "")})
	if err != nil || !errors.Is(errs[0], ErrDamaged) || errs[1] != nil {
		t.Errorf("%v, %v: messages of a household whose deletions are unknown are not taken, those of others are", errs, err)
	}
	_ = s.Close()
	report, err := Check(t.Context(), c.tested(t), true)
	if err != nil || !slices.Equal(report.Households, []seal.HouseholdID{"h"}) || report.Clean() {
		t.Fatalf("%+v, %v", report, err)
	}
	put(t, open(t, c), nil, message("h", "a", 2, 10, ""))
}

// A segment that somebody has renamed cannot be read; it is not thrown away, and
// is read again under its own name.
func TestRenamedSegmentStays(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	s := open(t, c)
	put(t, s, nil, message("h", "a", 1, 10, ""))
	_ = s.Close()
	seg := s.files[1]
	other := segment{ID: 1, Salt: [8]byte{1}}
	swap := func(from, to segment) {
		t.Helper()
		if err := errors.Join(os.Rename(filepath.Join(c.Dir, from.name()), filepath.Join(c.Dir, to.name())), os.Remove(filepath.Join(c.Dir, indexFile))); err != nil {
			t.Fatal(err)
		}
	}
	swap(seg, other)
	s = open(t, c)
	if got := seqs(t, s, Query{Household: "h", Limit: 9}); got != "[]" {
		t.Errorf("reads %s", got)
	}
	_ = s.Close()
	swap(other, seg)
	if got := everything(t, open(t, c)); got != "[a1]" {
		t.Errorf("reads %s", got)
	}
}
