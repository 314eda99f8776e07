package recording

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A segment is a file of records, one behind the other: a head of headSize bytes,
// and for a part its sealed message. The last record of a segment that was ended
// in order is its summary. Integers are little-endian:
//
//	 0  magic of the record's kind, 4 bytes
//	 4  size of what follows; of a summary the number of parts; of a mark the reason
//	 8  CRC-32C of what follows; of a summary the milliseconds of wall clock that it spans
//	12  boot id, 16 bytes
//	28  number of the part; of a summary that of its last one
//	36  wall clock, microseconds since 1970; 0 for unknown; of a summary the earliest
//	44  monotonic clock, microseconds; of a summary of its first part
//	52  length, microseconds; of a summary from its first part to its last one's end
//	60  CRC-32C of these 60 bytes
const headSize = 64

// kind is what a record is, by its magic.
type kind uint32

const (
	kindPart    kind = 0x31524353 // SCR1
	kindMark    kind = 0x4d524353 // SCRM: nothing was kept from here on, and why
	kindSummary kind = 0x53524353 // SCRS
)

// head is the head of a record.
type head struct {
	kind   kind
	size   uint32
	sum    uint32
	boot   [16]byte
	seq    uint64
	taken  int64 // microseconds
	mono   int64
	length int64
}

const (
	maxMicros = 1 << 53
	// maxPart bounds a sealed message, as the seal does.
	maxPart = 8 << 20
)

func (h *head) put(b *[headSize]byte) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(h.kind))
	le.PutUint32(b[4:], h.size)
	le.PutUint32(b[8:], h.sum)
	copy(b[12:], h.boot[:])
	le.PutUint64(b[28:], h.seq)
	le.PutUint64(b[36:], uint64(h.taken))
	le.PutUint64(b[44:], uint64(h.mono))
	le.PutUint64(b[52:], uint64(h.length))
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
}

// parseHead reads the head of a record. It reports false for what no camera
// writes: a checksum proves nothing against somebody who has had the card in hand.
func parseHead(b []byte) (h head, ok bool) {
	le := binary.LittleEndian
	if len(b) < headSize || le.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return h, false
	}
	h = head{kind: kind(le.Uint32(b)), size: le.Uint32(b[4:]), sum: le.Uint32(b[8:]), seq: le.Uint64(b[28:])}
	copy(h.boot[:], b[12:])
	h.taken, h.mono, h.length = int64(le.Uint64(b[36:])), int64(le.Uint64(b[44:])), int64(le.Uint64(b[52:]))
	for _, us := range []int64{h.taken, h.mono, h.length} {
		if us < 0 || us > maxMicros {
			return h, false
		}
	}
	switch h.kind {
	case kindPart:
		ok = h.size > 0 && h.size <= maxPart
	case kindMark, kindSummary:
		ok = true
	}
	return h, ok && h.seq <= maxMicros
}

// after returns how many bytes belong to the record behind its head.
func (h *head) after() int64 {
	if h.kind == kindPart {
		return int64(h.size)
	}
	return 0
}

// Part is one sealed message of the recording.
type Part struct {
	Boot   [16]byte
	Seq    uint64
	Taken  time.Time     // of its first frame; zero when the clock was not known
	Mono   time.Duration // the same, since the system's start
	Length time.Duration
	Bytes  []byte
}

func (p *Part) head() head {
	h := head{
		kind: kindPart, size: uint32(len(p.Bytes)), sum: crc32.Checksum(p.Bytes, castagnoli), boot: p.Boot, seq: p.Seq,
		mono: p.Mono.Microseconds(), length: p.Length.Microseconds(),
	}
	if !p.Taken.IsZero() {
		h.taken = max(0, p.Taken.UnixMicro())
	}
	return h
}

func (h *head) part() Part {
	p := Part{Boot: h.boot, Seq: h.seq, Mono: micros(h.mono), Length: micros(h.length)}
	if h.taken != 0 {
		p.Taken = time.UnixMicro(h.taken).UTC()
	}
	return p
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// Why says why nothing was kept from some moment on.
type Why uint8

// The reasons. WhyPower is found, not written: nothing says why the records of a
// boot end.
const (
	WhyPower   Why = iota // the power went, or the program was ended
	WhyPrivate            // the camera was closed
	WhyStopped            // the program was stopped in order
	WhyCamera             // the camera gave no frames
	WhyLimit              // more than may be written
	WhyDisk               // the disk took nothing, or too slowly
	WhyOver               // it was overwritten: what comes later stands in its place
	WhyDamaged            // it cannot be read any more
	WhyNever              // it is from before the recording began, or from after its end
	WhyYet                // it is being recorded now
	whys
)

// String returns the word that travels in an answer.
func (w Why) String() string {
	return [whys + 1]string{"power", "private", "stopped", "camera", "limit", "disk", "overwritten", "damaged", "never", "yet", "unknown"}[min(w, whys)]
}

// summary is what a segment says of itself.
type summary struct {
	boot     [16]byte
	parts    int
	last     uint64 // number of the last part
	from, to int64  // wall clock that its parts span, as far as they know it; 0 for not at all
	mono     int64  // of the first part
	end      int64  // monotonic, of the last part
}

func (s *summary) add(h *head) {
	if h.kind != kindPart {
		return
	}
	if s.parts == 0 {
		s.boot, s.mono = h.boot, h.mono
	}
	if h.taken != 0 {
		if s.from == 0 || h.taken < s.from {
			s.from = h.taken
		}
		s.to = max(s.to, h.taken+h.length)
	}
	s.parts++
	s.last, s.end = h.seq, max(s.end, h.mono+h.length)
}

// head returns the summary as a record; milliseconds of wall clock stand where
// others have a checksum.
func (s *summary) head() head {
	return head{
		kind: kindSummary, size: uint32(s.parts), sum: uint32(min((s.to-s.from+999)/1000, 1<<32-1)), boot: s.boot, seq: s.last,
		taken: s.from, mono: s.mono, length: max(0, s.end-s.mono),
	}
}

func summaryOf(h *head) summary {
	s := summary{boot: h.boot, parts: int(h.size), last: h.seq, from: h.taken, mono: h.mono, end: h.mono + h.length}
	if s.from != 0 {
		s.to = s.from + int64(h.sum)*1000
	}
	return s
}

// same reports whether a part's bytes are those that were written.
func (h *head) same(b []byte) bool {
	return len(b) == int(h.size) && crc32.Checksum(b, castagnoli) == h.sum
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
