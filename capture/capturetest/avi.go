package capturetest

import (
	"encoding/binary"
	"math"
)

// AVI returns a motion JPEG AVI of frames of w x h pixels at rate frames per
// second, without an index.
func AVI(w, h int, rate float64, frames ...[]byte) []byte {
	var movi []byte
	for _, f := range frames {
		movi = append(movi, Chunk("00dc", f)...)
	}
	avih := make([]byte, 56)
	put(avih, 0, uint32(math.Round(1e6/rate)), 16, uint32(len(frames)), 24, 1, 32, uint32(w), 36, uint32(h))
	strh := make([]byte, 56)
	copy(strh, "vidsMJPG")
	put(strh, 20, 1000, 24, uint32(math.Round(1000*rate)), 32, uint32(len(frames)))
	strf := make([]byte, 40)
	put(strf, 0, 40, 4, uint32(w), 8, uint32(h), 12, 1|24<<16)
	copy(strf[16:], "MJPG")
	return List("RIFF", "AVI ",
		List("LIST", "hdrl", Chunk("avih", avih), List("LIST", "strl", Chunk("strh", strh), Chunk("strf", strf))),
		List("LIST", "movi", movi))
}

// Chunk returns a RIFF chunk, padded to an even length.
func Chunk(id string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(data)))
	out = append(out, data...)
	return append(out, make([]byte, len(data)%2)...)
}

// List returns a RIFF list: a chunk with a kind and chunks in it.
func List(id, kind string, parts ...[]byte) []byte {
	data := []byte(kind)
	for _, p := range parts {
		data = append(data, p...)
	}
	return Chunk(id, data)
}

// put writes pairs of offset and value.
func put(b []byte, pairs ...uint32) {
	for i := 0; i < len(pairs); i += 2 {
		binary.LittleEndian.PutUint32(b[pairs[i]:], pairs[i+1])
	}
}
