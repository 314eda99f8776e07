package encode

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
)

var small = capture.Format{Pixel: capture.MJPEG, Width: 64, Height: 48}

// shotAt returns a frame of so many bytes that all say its number.
func shotAt(n, size int, at time.Duration) *capture.Frame {
	return &capture.Frame{Format: small, Data: bytes.Repeat([]byte{byte(n)}, size), Seq: uint64(n), Mono: at}
}

func push(tb testing.TB, r *Ring, frames ...*capture.Frame) {
	tb.Helper()
	for _, f := range frames {
		if err := r.Push(f); err != nil {
			tb.Fatal(err)
		}
	}
}

// What is read is what was pushed, and what the ring holds is bounded by time or
// by bytes, whichever comes first, whatever the sizes of frames.
func TestRing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		bytes int
		span  time.Duration
		least int // frames it must hold in the end
		most  int
	}{
		{4 << 20, 5 * time.Second, 50, 52}, // by time
		{256 << 10, 5 * time.Second, 8, 30},
		{100 << 10, 0, 1, 2},
	} {
		r := NewRing(c.bytes, c.span)
		for i := range 1000 {
			push(t, r, shotAt(i, 1+rng.IntN(20000), time.Duration(i)*100*time.Millisecond))
			if s := r.Stats(); s.Bytes > c.bytes || s.Span > c.span+100*time.Millisecond {
				t.Fatalf("%+v: %+v", c, s)
			}
		}
		if s := r.Stats(); s.Frames < c.least || s.Frames > c.most || s.Skipped != 0 || s.Lost != 0 {
			t.Errorf("%+v: %+v", c, s)
		}
		var s shot
		for n := r.oldest; n < r.next; n++ {
			data, what, next, _ := r.read(n, 0, &s, nil)
			if what != foundFrame || next != n+1 || len(data) != s.size || len(data) == 0 || bytes.Count(data, []byte{byte(n)}) != len(data) {
				t.Fatalf("frame %d: %v, %d bytes of %d, first %d", n, what, len(data), s.size, data[0])
			}
		}
		if n, _ := r.start(90 * time.Second); r.at(n).mono > 90*time.Second && n != r.oldest {
			t.Errorf("%+v: a clip of the 90th second starts at %v", c, r.at(n).mono)
		}
	}
}

// Frames that a clip wants stay beyond the span, and go, counted, for want of memory.
func TestRingKeepsWhatIsWanted(t *testing.T) {
	r := NewRing(40*pageSize, time.Second)
	at := func(i int) *capture.Frame { return shotAt(i, 3000, time.Duration(i)*100*time.Millisecond) }
	for i := range 20 {
		push(t, r, at(i))
	}
	first, take := r.start(1500 * time.Millisecond)
	if first != 15 || take != 0 {
		t.Fatalf("starts at frame %d of take %d, want 15 of 0", first, take)
	}
	for i := 20; i < 55; i++ {
		push(t, r, at(i))
	}
	var s shot
	if _, what, _, _ := r.read(15, 0, &s, nil); what != foundFrame || s.mono != 1500*time.Millisecond {
		t.Errorf("the clip's first frame after 4 s: %v, taken at %v", what, s.mono)
	}
	for i := 55; i < 60; i++ {
		push(t, r, at(i))
	}
	if _, what, next, _ := r.read(15, 0, &s, nil); what != foundLost || next != 20 {
		t.Errorf("beyond the ring's memory: %v, next is %d, want lost and 20", what, next)
	}
	if st := r.Stats(); st.Lost != 5 || st.Frames != 40 {
		t.Errorf("%+v, want 5 lost and 40 kept", st)
	}
	r.want(unwanted)
	push(t, r, at(60))
	if st := r.Stats(); st.Frames > 12 {
		t.Errorf("%d frames are kept that nobody wants", st.Frames)
	}
}

// A take ends with a change of size, of the camera, or by Cut; no clip begins
// before it.
func TestTakes(t *testing.T) {
	r := NewRing(1<<20, 10*time.Second)
	for i := range 10 {
		push(t, r, shotAt(i, 1000, time.Duration(i)*time.Second))
	}
	larger := shotAt(10, 1000, 10*time.Second)
	larger.Format.Width = 128
	push(t, r, larger)
	if n, take := r.start(0); n != 10 || take != 1 {
		t.Errorf("after a change of size a clip starts at %d of take %d, want 10 of 1", n, take)
	}
	var s shot
	if _, what, _, why := r.read(10, 0, &s, nil); what != foundEnd || why != EndFormat {
		t.Errorf("reading on in the take before: %v, %v", what, why)
	}
	r.Cut(EndCamera)
	r.Cut(EndStopped) // nothing is left to cut
	if _, what, _, why := r.read(11, 1, &s, nil); what != foundEnd || why != EndCamera {
		t.Errorf("after the camera was lost: %v, %v", what, why)
	}
	push(t, r, shotAt(0, 1000, time.Second)) // another camera, another clock
	if n, take := r.start(0); n != 11 || take != 2 {
		t.Errorf("a clip of the next camera starts at %d of take %d, want 11 of 2", n, take)
	}
	r.Clear()
	if st := r.Stats(); st.Frames != 0 {
		t.Errorf("%d frames after Clear", st.Frames)
	}
	for i, slab := range r.pages.slabs {
		if len(bytes.Trim(slab, "\x00")) != 0 {
			t.Errorf("slab %d still holds bytes of frames", i)
		}
	}
}

func TestRingRefuses(t *testing.T) {
	r := NewRing(8*pageSize, time.Second)
	raw := shotAt(0, 100, 0)
	raw.Format.Pixel = capture.YUYV
	var bad *capture.BadFrame
	if err := r.Push(raw); !errors.As(err, &bad) {
		t.Errorf("a raw frame: %v", err)
	}
	push(t, r, shotAt(1, 9*pageSize, 0))
	if st := r.Stats(); st.Skipped != 1 || st.Frames != 0 {
		t.Errorf("a frame larger than the ring: %+v", st)
	}
}

// Outside of events nothing is allocated, whatever the frames' sizes.
func TestRingAllocatesNothing(t *testing.T) {
	r := NewRing(8<<20, 5*time.Second)
	i := 0
	sizes := []int{90_000, 10, 30_000, 4096, 60_000}
	f := shotAt(0, 100_000, 0)
	all := f.Data
	step := func() {
		f.Data, f.Seq, f.Mono = all[:sizes[i%len(sizes)]], uint64(i), time.Duration(i)*time.Second/30
		push(t, r, f)
		i++
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	t.Logf("%+v", r.Stats())
}

func BenchmarkRing(b *testing.B) {
	r := NewRing(32<<20, 5*time.Second)
	f := shotAt(0, 150_000, 0)
	b.SetBytes(int64(len(f.Data)))
	b.ReportAllocs()
	for b.Loop() {
		f.Seq++
		f.Mono += time.Second / 30
		push(b, r, f)
	}
}
