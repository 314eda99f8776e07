package uplink

import (
	"testing"

	"github.com/sealcam/sealcam/encode"
)

// An exam seals and opens, and leaves no trace: nothing is stored, counted or sent.
func TestExam(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		up := h.up
		before := up.Stats()
		p := encode.Picture{Kind: encode.Snapshot, Media: "image/jpeg", Data: []byte("a picture"), Cause: encode.CausePeriod}
		for range 2 {
			h.do(up.Exam(p))
		}
		if after := up.Stats(); after.Sealed != before.Sealed || after.Head != before.Head || after.Bytes != before.Bytes {
			t.Errorf("it left a trace: %+v, before %+v", after, before)
		}
		p.Media = ""
		if err := up.Exam(p); err == nil {
			t.Error("what cannot be sealed passes")
		}
	})
}
