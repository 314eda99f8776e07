package model_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"github.com/sealcam/sealcam/capture/model"
	mt "github.com/sealcam/sealcam/capture/model/modeltest"
)

// TestSameEverywhere runs whole networks and compares every layer, to the last
// bit, with what one machine calculated: processors of 32 and 64 bits, with and
// without fused multiplication, must agree. The test against TensorFlow Lite says
// that it is right.
func TestSameEverywhere(t *testing.T) {
	for _, c := range []struct {
		name string
		kind int
		q    mt.Quant
		want string
	}{
		{"float32", mt.Float32, mt.Quant{}, "bca578355a6dd6edc95c5a3fd163def2"},
		{"int8", mt.Int8, mt.Q(0.05, 3), "cc83abc5c2bed5dda3ae8102ef433660"},
		{"uint8", mt.Uint8, mt.Q(0.05, 130), "45843d98d4d41b26175b3a93e5ee8ba1"},
	} {
		net, _ := mt.MobileNetFile(c.kind, 32, 3, 0.25, 5)
		if got := digest(t, net.Bytes(), 32*32*3, c.kind)[:16] + digest(t, everything(c.kind, c.q), 6*6*3, c.kind)[:16]; got != c.want {
			t.Errorf("%s: %s, elsewhere %s", c.name, got, c.want)
		}
	}
}

// digest returns the hash of all outputs for a fixed input of n numbers.
func digest(t *testing.T, file []byte, n, kind int) string {
	t.Helper()
	var in []byte
	for i := range n {
		b := byte(i * 73)
		if kind == mt.Float32 {
			f := math.Float32bits(float32(int8(b)) / 64)
			in = append(in, byte(f), byte(f>>8), byte(f>>16), byte(f>>24))
		} else {
			in = append(in, b)
		}
	}
	out, err := model.Evaluate(t.Context(), file, in)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, o := range out {
		h.Write(o.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
