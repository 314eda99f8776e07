package seal

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const snapshotSize = 300_000

func snapshot() []byte {
	b := make([]byte, snapshotSize)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// ratio compares an operation with what no seal can do without: one SHA-256 and
// one ChaCha20-Poly1305 over the same bytes. Both are run in turn and their
// fastest runs compared, so that a busy machine does not show.
type ratio struct {
	media    []byte
	out      []byte
	op, bare time.Duration
}

func newRatio() *ratio {
	return &ratio{media: snapshot(), op: time.Hour, bare: time.Hour}
}

func (r *ratio) run(b *testing.B, op func()) {
	start := time.Now()
	op()
	r.op = min(r.op, time.Since(start))
	b.StopTimer()
	aead, err := chacha20poly1305.New(make([]byte, 32))
	must(b, err)
	start = time.Now()
	sum := sha256.Sum256(r.media)
	r.out = aead.Seal(r.out[:0], make([]byte, aead.NonceSize()), r.media, sum[:])
	r.bare = min(r.bare, time.Since(start))
	b.StartTimer()
}

func (r *ratio) report(b *testing.B) {
	b.ReportMetric(float64(r.op)/float64(r.bare), "x-bare")
	b.ReportMetric(float64(r.op.Microseconds()), "best-us")
	b.ReportMetric(float64(r.bare.Microseconds()), "bare-us")
}

func (h *home) meta(seq uint64) Meta {
	return Meta{
		Stream: Durable, Seq: seq, Kind: KindSnapshot, Media: "image/jpeg", Taken: h.now, Mono: time.Minute,
		Clock: ClockNTP, Cause: "motion", Light: "day", Event: 1, Width: 1920, Height: 1080,
	}
}

func BenchmarkSeal(b *testing.B) {
	h, r := newHome(b), newRatio()
	s, m := h.sealer(b), h.meta(1)
	b.SetBytes(snapshotSize)
	b.ReportAllocs()
	for b.Loop() {
		r.run(b, func() {
			if _, err := s.Seal(m, r.media); err != nil {
				b.Fatal(err)
			}
		})
	}
	r.report(b)
}

func BenchmarkOpen(b *testing.B) {
	h, r := newHome(b), newRatio()
	sealed, err := h.sealer(b).Seal(h.meta(1), r.media)
	must(b, err)
	o := h.opener(b)
	b.SetBytes(snapshotSize)
	b.ReportAllocs()
	for b.Loop() {
		r.run(b, func() {
			o.cameras = map[CameraID]*history{}
			if _, err := o.Open(h.cameraID, sealed.Bytes); err != nil {
				b.Fatal(err)
			}
		})
	}
	r.report(b)
}

// BenchmarkOpenSmall is dominated by one signature and one decapsulation.
func BenchmarkOpenSmall(b *testing.B) {
	h := newHome(b)
	sealed, err := h.sealer(b).Seal(h.meta(1), []byte("small"))
	must(b, err)
	o := h.opener(b)
	b.ReportAllocs()
	for b.Loop() {
		o.cameras = map[CameraID]*history{}
		if _, err := o.Open(h.cameraID, sealed.Bytes); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuseWrongCamera is what a cache that swaps pictures costs a viewer.
func BenchmarkRefuseWrongCamera(b *testing.B) {
	h, media := newHome(b), snapshot()
	sealed, err := h.sealer(b).Seal(h.meta(1), media)
	must(b, err)
	o, other := h.opener(b), CameraID(formatID([32]byte{1}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Open(other, sealed.Bytes); ReasonOf(err) != WrongCamera {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenRoster opens the largest roster.
func BenchmarkOpenRoster(b *testing.B) {
	h := newHome(b)
	r := Roster{Version: 1}
	for i := range MaxViewers {
		k, err := NewViewerKey(nil)
		must(b, err)
		v := k.Public()
		v.Name = fmt.Sprint("viewer ", i)
		r.Viewers = append(r.Viewers, v)
	}
	signed, err := SignRoster(h.owner, r)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenRoster(h.id, signed); err != nil {
			b.Fatal(err)
		}
	}
}
