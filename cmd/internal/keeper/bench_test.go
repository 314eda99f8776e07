package keeper

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// BenchmarkCheck is the keeper's check of a message of 100 KB beside the least that
// any check could do: one P-256 verification, and SHA-256 over the same bytes. Both
// run in turn, so that a busy machine is busy for both; "ratio" is the bare rate's
// share that the check keeps.
func BenchmarkCheck(b *testing.B) {
	w := newHome(b, 1, newKey(b))
	c := w.cameras[0]
	sealed := c.seal(seal.Durable, string(make([]byte, 100_000)))
	k := benchKeeper(b, w)
	digest := sha256.Sum256(sealed.Bytes)
	signature, err := ecdsa.SignASN1(nil, c.key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(sealed.Bytes)))
	b.ReportAllocs()
	item := feed.Item{Camera: c.id, Kind: feed.Media, Sealed: sealed.Bytes}
	var check, bare time.Duration
	for b.Loop() {
		began := time.Now()
		v, err := seal.Peek(item.Sealed)
		if verdict, err := k.check(item, v, err); verdict != "" {
			b.Fatal(verdict, err)
		}
		middle := time.Now()
		sum := sha256.Sum256(item.Sealed)
		if !ecdsa.VerifyASN1(&c.key.PublicKey, sum[:], signature) {
			b.Fatal("not verified")
		}
		check += middle.Sub(began)
		bare += time.Since(middle)
	}
	b.ReportMetric(float64(bare)/float64(check), "ratio")
}

func benchKeeper(b *testing.B, h *home) *Keeper {
	b.Helper()
	k, err := New(b.Context(), Config{Key: newKey(b), Store: &store.Memory{Now: time.Now}, Source: FromFeed(new(feed.Fake))})
	if err != nil {
		b.Fatal(err)
	}
	id := h.opened.Keepers[0].ID()
	k.rosters.self, k.id = id, id
	if _, err := k.rosters.take(h.signed, false); err != nil {
		b.Fatal(err)
	}
	return k
}
