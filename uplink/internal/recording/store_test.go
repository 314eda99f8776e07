package recording

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	boot1 = [16]byte{1}
	boot2 = [16]byte{2}
)

// part returns part n of a boot, of a second, whose bytes no other has.
func part(boot [16]byte, n int, size int) Part {
	b := bytes.Repeat([]byte{byte(n)}, size)
	binary.BigEndian.PutUint64(b, uint64(n)<<8|uint64(boot[0]))
	mono := time.Duration(n) * time.Second
	return Part{Boot: boot, Seq: uint64(n), Taken: start.Add(mono), Mono: mono, Length: time.Second, Bytes: b}
}

// open opens a store whose segments are small: limits are for people.
func open(t testing.TB, d FS, budget, each int64) *Store {
	t.Helper()
	s, err := Open(Config{FS: d, Budget: MinBudget})
	if err != nil {
		t.Fatal(err)
	}
	s.conf.Budget, s.each = budget, each
	return s
}

// read returns what a span gives: parts as "boot:number", holes as "why from-to".
func read(t testing.TB, s *Store, from, to int, now Now) (got []string) {
	t.Helper()
	c := s.Read(start.Add(time.Duration(from)*time.Second), start.Add(time.Duration(to)*time.Second), now, true)
	defer c.Close()
	for it, ok := c.Next(); ok; it, ok = c.Next() {
		if it.Hole {
			got = append(got, fmt.Sprintf("%v %.0f-%.0f", it.Why, it.From.Sub(start).Seconds(), it.To.Sub(start).Seconds()))
			continue
		}
		if want := part(it.Part.Boot, int(it.Part.Seq), len(it.Part.Bytes)); !bytes.Equal(want.Bytes, it.Part.Bytes) || it.Size != len(it.Part.Bytes) {
			t.Fatalf("part %d has other bytes", it.Part.Seq)
		}
		got = append(got, fmt.Sprintf("%d:%d", it.Part.Boot[0], it.Part.Seq))
	}
	return got
}

func fill(t testing.TB, s *Store, boot [16]byte, from, to, size int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := s.Append(part(boot, n, size), time.Duration(n)*time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

// A span gives the parts that overlap it, once each and in order, and says of each
// hole why it is there: over restarts, closings, and what was left out.
func TestSpans(t *testing.T) {
	d := newDisk()
	s := open(t, d, 1<<20, 3000)
	fill(t, s, boot1, 1, 9, 1000)
	if err := s.Mark(boot1, start.Add(10*time.Second), 10*time.Second, WhyPrivate); err != nil {
		t.Fatal(err)
	}
	fill(t, s, boot1, 20, 22, 1000)
	fill(t, s, boot1, 30, 31, 1000) // 23 to 29 were left out
	s = open(t, d, 1<<20, 3000)     // without an end: the power went
	fill(t, s, boot2, 50, 52, 1000)
	if err := errors.Join(s.Mark(boot2, start.Add(53*time.Second), 53*time.Second, WhyStopped), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, d, 1<<20, 3000)
	now := Now{Boot: [16]byte{3}, Wall: start.Add(time.Hour), Mono: time.Minute}
	for _, c := range []struct {
		from, to int
		want     []string
	}{
		{3, 5, []string{"1:3", "1:4"}},
		{8, 23, []string{"1:8", "1:9", "private 10-20", "1:20", "1:21", "1:22"}},
		{21, 33, []string{"1:21", "1:22", "limit 23-30", "1:30", "1:31"}},
		{31, 53, []string{"1:31", "power 32-50", "2:50", "2:51", "2:52"}},
		{-60, 3, []string{"never -60-1", "1:1", "1:2"}},
		{52, 70, []string{"2:52", "stopped 53-70"}},
		{33, 40, []string{"power 33-40"}},
		{12, 15, []string{"private 12-15"}},
		{5000, 5010, []string{"never 5000-5010"}},
	} {
		if got := read(t, s, c.from, c.to, now); !slices.Equal(got, c.want) {
			t.Errorf("%d to %d: %q, want %q", c.from, c.to, got, c.want)
		}
	}
	if st := s.Stats(); st.Parts != 17 || !st.Oldest.Equal(start.Add(time.Second)) || !st.Newest.Equal(start.Add(53*time.Second)) || st.Healed != 0 || st.Bytes != d.bytes() {
		t.Errorf("%+v, %d bytes on the disk", st, d.bytes())
	}
}

// What the camera is recording now is not missing: it is not there yet.
func TestYet(t *testing.T) {
	s := open(t, newDisk(), 1<<20, 3000)
	fill(t, s, boot1, 1, 5, 900)
	now := Now{Boot: boot1, Wall: start.Add(9 * time.Second), Mono: 9 * time.Second}
	if got, want := read(t, s, 4, 9, now), []string{"1:4", "1:5", "yet 6-9"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	now.Wall, now.Mono = start.Add(200*time.Second), 200*time.Second
	if got, want := read(t, s, 4, 100, now), []string{"1:4", "1:5", "power 6-100"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Parts of before the clock was known are found by the monotonic clock, in the
// boot that is running, and in no other.
func TestWithoutClock(t *testing.T) {
	s := open(t, newDisk(), 1<<20, 3000)
	for n := 1; n <= 5; n++ {
		p := part(boot1, n, 900)
		p.Taken = time.Time{}
		if err := s.Append(p, p.Mono); err != nil {
			t.Fatal(err)
		}
	}
	now := Now{Boot: boot1, Wall: start.Add(1000 * time.Second), Mono: 10 * time.Second} // so part 1 was at 991
	if got, want := read(t, s, 992, 995, now), []string{"1:2", "1:3", "1:4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	now.Boot = boot2
	if got, want := read(t, s, 992, 995, now), []string{"never 992-995"}; !slices.Equal(got, want) {
		t.Errorf("in another boot %q, want %q", got, want)
	}
}

// Never more than the budget is on the disk, not for one call, and the oldest go
// first.
func TestBudget(t *testing.T) {
	const budget = 40_000
	d := newDisk()
	s := open(t, d, budget, 8_000)
	for n := 1; n <= 200; n++ {
		if err := s.Append(part(boot1, n, 500+n*37%3000), time.Duration(n)*time.Second); err != nil {
			t.Fatal(err)
		}
		if got := d.bytes(); got > budget || got != s.Stats().Bytes {
			t.Fatalf("%d bytes after part %d, counted %d", got, n, s.Stats().Bytes)
		}
	}
	got := read(t, s, 0, 300, Now{Boot: boot1, Wall: start.Add(201 * time.Second), Mono: 201 * time.Second})
	if len(got) < 10 || got[0] != fmt.Sprintf("overwritten 0-%d", 203-len(got)) {
		t.Errorf("%d items, the first are %q", len(got), got[:2])
	}
	if st := s.Stats(); st.Evicted == 0 || st.Parts+int(st.Evicted) != 200 {
		t.Errorf("%+v", st)
	}
	// A smaller budget at the next start.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, d, 20_000, 8_000)
	fill(t, s, boot2, 300, 300, 100)
	if d.bytes() > 20_000 {
		t.Errorf("%d bytes", d.bytes())
	}
}

// A segment that is torn at any byte gives the parts before the tear, is never
// given out as something else, and costs the next one nothing.
func TestTornAtEveryByte(t *testing.T) {
	d := newDisk()
	s := open(t, d, 1<<20, 1<<20)
	fill(t, s, boot1, 1, 4, 150)
	name := s.segments[0].name()
	whole := slices.Clone(d.files[name].data)
	for cut := range len(whole) {
		for _, rest := range [][]byte{nil, make([]byte, 40), bytes.Repeat([]byte{0xff}, 300)} {
			d := newDisk()
			d.files[name] = &powerFile{disk: d, data: append(slices.Clone(whole[:cut]), rest...)}
			s := open(t, d, 1<<20, 1<<20)
			fill(t, s, boot2, 10, 10, 150)
			var want []string
			for n := range cut / (headSize + 150) {
				want = append(want, fmt.Sprintf("1:%d", n+1))
			}
			if len(want) > 0 {
				want = append(want, fmt.Sprintf("power %d-10", len(want)+1))
			} else {
				want = []string{"never 1-10"}
				if len(d.files) > 1 {
					want[0] = "never 1-10"
				}
			}
			want = append(want, "2:10")
			if got := read(t, s, 1, 11, Now{Boot: boot2, Wall: start.Add(12 * time.Second), Mono: 12 * time.Second}); !slices.Equal(got, want) {
				t.Fatalf("torn at %d: %q, want %q", cut, got, want)
			}
			if n := len(d.files[name].data); n != cut/(headSize+150)*(headSize+150) {
				t.Fatalf("torn at %d: %d bytes are left", cut, n)
			}
		}
	}
}

// One power cut at every call of a life, and four kinds of disk after each: what
// was synced is there, all that is there is right, and it goes on.
func TestPowerCutAtEveryCall(t *testing.T) {
	life := func(d *powerDisk) (synced int) {
		s := open(t, d, 30_000, 6_000)
		for n := 1; n <= 45; n++ {
			if err := s.Append(part(boot1, n, 1_000), time.Duration(n)*time.Second); err != nil {
				return synced
			}
			if !s.dirty && s.late == nil {
				synced = n
			}
		}
		_ = s.Close()
		return synced
	}
	d := newDisk()
	if life(d) < 40 {
		t.Fatal("hardly anything is ever synced")
	}
	calls := d.calls
	for cut := 1; cut <= calls; cut++ {
		for _, left := range []string{"nothing", "half", "garbage", "all"} {
			d := newDisk()
			d.cut = cut
			synced := life(d)
			d = d.after(left)
			s := open(t, d, 30_000, 6_000)
			if d.bytes() > 30_000 {
				t.Fatalf("cut at %d, %s: %d bytes", cut, left, d.bytes())
			}
			fill(t, s, boot2, 60, 61, 1_000)
			got := read(t, s, 0, 62, Now{Boot: boot2, Wall: start.Add(62 * time.Second), Mono: 62 * time.Second})
			if synced > 0 && !slices.Contains(got, fmt.Sprintf("1:%d", synced)) {
				t.Fatalf("cut at %d, %s: part %d was synced and is gone: %q", cut, left, synced, got)
			}
			if !slices.Equal(got[len(got)-2:], []string{"2:60", "2:61"}) {
				t.Fatalf("cut at %d, %s: it does not go on: %q", cut, left, got)
			}
			before := 0
			for _, it := range got { // one after the other, none twice
				var n int
				if _, err := fmt.Sscanf(it, "1:%d", &n); err == nil {
					if n <= before || before > 0 && n != before+1 {
						t.Fatalf("cut at %d, %s: %q", cut, left, got)
					}
					before = n
				}
			}
		}
	}
}

// A disk that is smaller than the budget, one that refuses for a while, and one
// that takes nothing: what is lost is said, and it goes on when it can.
func TestRefusals(t *testing.T) {
	d := newDisk()
	d.room = 20_000
	s := open(t, d, 1<<20, 4_000)
	for n := 1; n <= 60; n++ {
		if err := s.Append(part(boot1, n, 1_000), time.Duration(n)*time.Second); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	if got := read(t, s, 58, 61, Now{}); !slices.Equal(got, []string{"1:58", "1:59", "1:60"}) {
		t.Errorf("on a disk that is full: %q", got)
	}
	d.refuse = syscall.EROFS
	if err := s.Append(part(boot1, 61, 1_000), time.Minute); !errors.Is(err, ErrReadOnly) {
		t.Errorf("on a disk that is read-only: %v", err)
	}
	if got := read(t, s, 59, 61, Now{}); !slices.Equal(got, []string{"1:59", "1:60"}) {
		t.Errorf("what was there cannot be read any more: %q", got)
	}
	d.refuse = nil
	fill(t, s, boot1, 62, 62, 1_000)
	if got := read(t, s, 60, 63, Now{}); !slices.Equal(got, []string{"1:60", "1:62"}) {
		t.Errorf("when it takes again: %q", got)
	}
	if got := d.bytes(); got != s.Stats().Bytes {
		t.Errorf("%d bytes on the disk, counted %d", got, s.Stats().Bytes)
	}
	for _, size := range []int{0, maxPart + 1} {
		if s.Append(Part{Bytes: make([]byte, size)}, 0) == nil {
			t.Errorf("%d bytes are taken", size)
		}
	}
}

// Where the power cuts cost at most SyncEvery, the disk is made to write no more
// often than that asks for.
func TestSyncs(t *testing.T) {
	d := newDisk()
	s := open(t, d, 1<<30, 8<<20)
	fill(t, s, boot1, 1, 120, 20_000)
	if d.syncs > 2*120/int(SyncEvery.Seconds())+2 || uint64(d.syncs) != s.Stats().Syncs {
		t.Errorf("%d times in two minutes, counted %d", d.syncs, s.Stats().Syncs)
	}
	for name, f := range d.files {
		if late := len(f.data) - f.synced; late > 11*(20_000+headSize) {
			t.Errorf("%s: %d bytes are not synced", name, late)
		}
	}
}

// Whatever somebody has put on the card: opening ends, the budget holds, what is
// read is what a record says, and new parts are kept.
func FuzzSegment(f *testing.F) {
	d := newDisk()
	s := open(f, d, 1<<20, 1<<20)
	fill(f, s, boot1, 1, 3, 100)
	live := slices.Clone(d.files[s.segments[0].name()].data)
	if err := errors.Join(s.Mark(boot1, start, time.Second, WhyCamera), s.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(live, "0000000000000001.rec")
	f.Add(d.files["0000000000000001.rec"].data, "0000000000000001.rec")
	f.Add(live[:100], "fffffffffffffff0.rec")
	f.Add([]byte("SCR1"), "0000000000000000.rec")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		d := newDisk()
		d.files[name] = &powerFile{disk: d, data: slices.Clone(data)}
		s := open(t, d, 1<<20, 1<<20)
		if err := s.Append(part(boot2, 7, 100), 7*time.Second); err != nil && len(data) < 1<<19 {
			t.Fatal(err)
		}
		c := s.Read(start.Add(-1000*time.Hour), start.Add(1000*time.Hour), Now{Boot: boot2, Wall: start.Add(time.Minute), Mono: time.Minute}, true)
		defer c.Close()
		found := false
		for items := 0; ; items++ {
			it, ok := c.Next()
			if !ok {
				break
			}
			if items > len(data)/headSize*2+10 || !it.Hole && len(it.Part.Bytes) > len(data)+100 || it.To.Before(it.From) {
				t.Fatalf("%d items of %d bytes: %v", items, len(data), it)
			}
			found = found || it.Part.Boot == boot2 && it.Part.Seq == 7
		}
		if !found && len(data) < 1<<19 {
			t.Fatal("a new part is not there")
		}
	})
}

// BenchmarkAppend stores parts of a second of 4 Mbit/s on the disk of this
// machine.
func BenchmarkAppend(b *testing.B) {
	d, err := Disk(b.TempDir(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(Config{FS: d, Budget: 256 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p := part(boot1, 1, 500_000)
	b.SetBytes(int64(len(p.Bytes)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		p.Seq, p.Mono, p.Taken = uint64(n), time.Duration(n)*time.Second, start.Add(time.Duration(n)*time.Second)
		if err := s.Append(p, p.Mono); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(s.Stats().Syncs)*60/float64(n), "syncs/minute")
}
