package cliptest

import (
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Recorded seals part seq of the boot's recording, which is number n of its take,
// taken at a time (zero for unknown) and names prev as the part before, and recalls
// it again.
func (s *Studio) Recorded(seq uint64, n uint32, taken time.Time, prev [32]byte, data []byte) *seal.Verified {
	s.t.Helper()
	m := seal.Meta{
		Stream: seal.Recording, Kind: seal.KindRecording, Media: "video/mp4", Seq: seq, Part: n, Prev: prev,
		Clock: seal.ClockNone, Mono: time.Duration(seq%1000) * time.Second,
	}
	if !taken.IsZero() {
		m.Clock, m.Taken = seal.ClockRTC, taken
	}
	sealed, err := s.sealer.Seal(m, data)
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := s.opener.Recall(s.Camera, sealed.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}
