package encode

import "encoding/binary"

// Timescale is the ticks a second of a clip's MP4: fine enough for every frame
// rate, and what video has always been counted in.
const Timescale = 90000

// Sizes of boxes in bytes (ISO/IEC 14496-12).
const (
	boxHead  = 8
	mfhdSize = boxHead + 8
	tfhdSize = boxHead + 8
	tfdtSize = boxHead + 12
	trunHead = boxHead + 12
	trunEach = 12
)

// sample is a frame within a fragment.
type sample struct {
	at   uint64 // ticks since the clip's first frame
	size int    // bytes
	key  bool
}

// fragmentSize returns the bytes of moof and of mdat's head for n samples.
func fragmentSize(n int) int {
	return boxHead + mfhdSize + boxHead + tfhdSize + tfdtSize + trunHead + n*trunEach + boxHead
}

// appendFragment appends the boxes that stand in front of a fragment's media:
// moof, and the head of an mdat for size bytes. Fragment number counts from 1,
// end is the ticks at which the last sample ends. It is written here and not by
// the MP4 library because that one wants the media in its hands, and copies it
// three times.
func appendFragment(dst []byte, number uint32, samples []sample, end uint64, size int) []byte {
	be := binary.BigEndian
	box := func(kind string, bytes int) {
		dst = append(be.AppendUint32(dst, uint32(bytes)), kind...)
	}
	traf := boxHead + tfhdSize + tfdtSize + trunHead + len(samples)*trunEach
	box("moof", boxHead+mfhdSize+traf)
	box("mfhd", mfhdSize)
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, number)
	box("traf", traf)
	box("tfhd", tfhdSize)
	dst = be.AppendUint32(dst, 0x020000) // offsets count from this moof
	dst = be.AppendUint32(dst, trackID)
	box("tfdt", tfdtSize)
	dst = be.AppendUint32(dst, 1<<24) // version 1: 64 bits
	dst = be.AppendUint64(dst, samples[0].at)
	box("trun", trunHead+len(samples)*trunEach)
	dst = be.AppendUint32(dst, 0x000701) // offset; each sample's duration, size and flags
	dst = be.AppendUint32(dst, uint32(len(samples)))
	dst = be.AppendUint32(dst, uint32(fragmentSize(len(samples))))
	for i, s := range samples {
		next := end
		if i+1 < len(samples) {
			next = samples[i+1].at
		}
		flags := uint32(0x02000000) // depends on no other
		if !s.key {
			flags = 0x01010000 // depends on others, and is no place to begin
		}
		dst = be.AppendUint32(dst, uint32(next-s.at))
		dst = be.AppendUint32(dst, uint32(s.size))
		dst = be.AppendUint32(dst, flags)
	}
	box("mdat", boxHead+size)
	return dst
}
