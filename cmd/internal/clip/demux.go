package clip

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Bounds of a part that is looked into.
const (
	maxFrames = 2048       // as many as a camera puts into one part
	maxTime   = 24 * 3600  // seconds from the clip's first frame to the end of a part
	mostTicks = 10_000_000 // ticks a second
)

// Frame is where one frame of a part lies, and when it is shown.
type Frame struct {
	Offset, Size int    // in the part, bytes
	Length       uint32 // ticks
	Key          bool   // decodes without those before it
}

// Layout is what a part's boxes say of its media.
type Layout struct {
	Codec         string // as browsers want it (RFC 6381): "avc1.64001f", "hev1.1.6.L93"; JPEG for motion JPEG
	Width, Height int    // pixels
	Head          int    // bytes of ftyp and moov
	Scale         uint32 // ticks a second
	Start         uint64 // ticks from the clip's first frame to the part's
	Frames        []Frame
}

// JPEG is the Codec of parts whose frames are JPEG files: object type 6C of MPEG-4
// (the registration authority's list at mp4ra.org).
const JPEG = "mp4v.6c"

// End returns the ticks from the clip's first frame to where the part's last ends.
func (l *Layout) End() uint64 {
	end := l.Start
	for _, f := range l.Frames {
		end += uint64(f.Length)
	}
	return end
}

// Look tells where the frames of a part lie (ISO/IEC 14496-12). It takes the one
// form of fragment that cameras write, and refuses every other: one track, one
// run of frames, each with its length, size and flags, all of them within the
// part. The error wraps ErrPart. Nothing of data is kept.
func Look(data []byte) (*Layout, error) {
	head, body, err := Split(data)
	if err != nil {
		return nil, err
	}
	l := &Layout{Head: len(head)}
	r := reader{}
	r.movie(l, head)
	r.fragment(l, body, len(head))
	if r.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPart, r.err)
	}
	return l, nil
}

// reader reads boxes, and keeps the first thing that is wrong with them.
type reader struct{ err error }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// box returns what is in the first box of a kind in b, and whether it is the only one.
func (r *reader) box(b []byte, kind string) (content []byte) {
	found := false
	for len(b) > 0 {
		if len(b) < 8 {
			r.fail("%d bytes behind the boxes beside %s", len(b), kind)
			return nil
		}
		size := binary.BigEndian.Uint32(b)
		if size < 8 || uint64(size) > uint64(len(b)) {
			r.fail("a box of %d bytes in %d, beside %s", size, len(b), kind)
			return nil
		}
		if string(b[4:8]) == kind {
			if found {
				r.fail("two boxes %s", kind)
				return nil
			}
			content, found = b[8:size], true
		}
		b = b[size:]
	}
	if !found {
		r.fail("no box %s", kind)
	}
	return content
}

// inside is box along a path.
func (r *reader) inside(b []byte, path ...string) []byte {
	for _, kind := range path {
		if b = r.box(b, kind); r.err != nil {
			return nil
		}
	}
	return b
}

// full returns what is behind version and flags of a box of at least n further bytes.
func (r *reader) full(b []byte, n int) (version uint8, flags uint32, content []byte) {
	if len(b) < 4+n {
		r.fail("a box of %d bytes is too short", len(b))
		return 0, 0, make([]byte, n)
	}
	v := binary.BigEndian.Uint32(b)
	return uint8(v >> 24), v & 0xffffff, b[4:]
}

// movie reads moov: what the frames are.
func (r *reader) movie(l *Layout, head []byte) {
	media := r.inside(head, "moov", "trak", "mdia")
	mdhd := r.inside(media, "mdhd")
	version, _, b := r.full(mdhd, 20)
	at := 8 // behind two times of 32 bits
	if version == 1 {
		at = 16
	}
	if l.Scale = binary.BigEndian.Uint32(b[at:]); l.Scale == 0 || l.Scale > mostTicks {
		r.fail("%d ticks a second", l.Scale)
	}
	_, _, entries := r.full(r.inside(media, "minf", "stbl", "stsd"), 4+8)
	if r.err == nil && binary.BigEndian.Uint32(entries) != 1 {
		r.fail("%d descriptions of the media", binary.BigEndian.Uint32(entries))
	}
	if r.err == nil {
		r.entry(l, entries[4:])
	}
}

// visual is the bytes of a VisualSampleEntry in front of its boxes.
const visual = 78

// entry reads the one sample entry: size of the picture, and codec.
func (r *reader) entry(l *Layout, b []byte) {
	kind := string(b[4:8])
	content := r.box(b, kind)
	if r.err != nil || len(content) < visual {
		r.fail("a description of %d bytes", len(content))
		return
	}
	l.Width, l.Height = int(binary.BigEndian.Uint16(content[24:])), int(binary.BigEndian.Uint16(content[26:]))
	switch more := content[visual:]; kind {
	case "avc1", "avc3":
		l.Codec = r.avc(kind, r.box(more, "avcC"))
	case "hvc1", "hev1":
		l.Codec = r.hevc(kind, r.box(more, "hvcC"))
	case "mp4v":
		r.object(r.box(more, "esds"))
		l.Codec = JPEG
	default:
		r.fail("media of the kind %q", kind)
	}
}

func (r *reader) avc(kind string, b []byte) string {
	if len(b) < 4 {
		r.fail("avcC of %d bytes", len(b))
		return ""
	}
	return kind + "." + hex.EncodeToString(b[1:4])
}

// hevc returns the codec by ISO/IEC 14496-15, annex E.3, without the bytes of
// constraints at its end: no browser decides by them.
func (r *reader) hevc(kind string, b []byte) string {
	if len(b) < 13 {
		r.fail("hvcC of %d bytes", len(b))
		return ""
	}
	tier := "L"
	if b[1]&0x20 != 0 {
		tier = "H"
	}
	compatible := strconv.FormatUint(uint64(bits.Reverse32(binary.BigEndian.Uint32(b[2:]))), 16)
	return strings.Join([]string{kind, []string{"", "A", "B", "C"}[b[1]>>6] + strconv.Itoa(int(b[1]&0x1f)), compatible, tier + strconv.Itoa(int(b[12]))}, ".")
}

// object checks that an ES descriptor (ISO/IEC 14496-1, 7.2.6) is of JPEG.
func (r *reader) object(esds []byte) {
	_, _, b := r.full(esds, 0)
	b = r.descriptor(b, 3)
	if len(b) < 3 || b[2] != 0 {
		r.fail("an ES descriptor with options")
		return
	}
	if b = r.descriptor(b[3:], 4); len(b) == 0 || b[0] != 0x6c {
		r.fail("MPEG-4 media that is no JPEG")
	}
}

// descriptor returns what is in the descriptor with a tag that b begins with.
func (r *reader) descriptor(b []byte, tag byte) []byte {
	if len(b) == 0 || b[0] != tag {
		r.fail("no descriptor %d", tag)
		return nil
	}
	size := 0
	for i := 1; i < len(b) && i <= 4; i++ {
		size = size<<7 | int(b[i]&0x7f)
		if b[i]&0x80 == 0 {
			if size > len(b)-i-1 {
				break
			}
			return b[i+1 : i+1+size]
		}
	}
	r.fail("descriptor %d is too long", tag)
	return nil
}

// What the boxes of a fragment have to say, see encode/fmp4.go.
const (
	flagBaseMoof = 0x020000 // of tfhd: offsets count from moof
	flagsRun     = 0x000701 // of trun: data offset; length, size and flags of each
	runEach      = 12       // bytes of a frame in trun
	flagNotSync  = 0x010000 // of a frame
)

// fragment reads moof: where the frames are. at is where body begins in the part.
func (r *reader) fragment(l *Layout, body []byte, at int) {
	if r.err != nil {
		return
	}
	moof := int(binary.BigEndian.Uint32(body)) // Split has seen that it fits
	traf := r.inside(body[:moof], "moof", "traf")
	if _, flags, _ := r.full(r.inside(traf, "tfhd"), 4); flags != flagBaseMoof {
		r.fail("tfhd with flags %#x", flags)
	}
	version, _, b := r.full(r.inside(traf, "tfdt"), 4)
	if version != 1 || len(b) != 8 {
		r.fail("tfdt of version %d", version)
	}
	_, flags, run := r.full(r.inside(traf, "trun"), 8)
	if flags != flagsRun {
		r.fail("trun with flags %#x", flags)
	}
	if r.err != nil {
		return
	}
	l.Start = binary.BigEndian.Uint64(b)
	n, offset := binary.BigEndian.Uint32(run), binary.BigEndian.Uint32(run[4:])
	if n == 0 || n > maxFrames || len(run) != 8+int(n)*runEach {
		r.fail("trun of %d frames in %d bytes", n, len(run))
		return
	}
	if offset != uint32(moof)+8 {
		r.fail("media %d bytes behind a moof of %d", offset, moof)
		return
	}
	r.frames(l, run[8:], at+moof+8, at+len(body))
}

// frames reads the entries of trun; their media lies between from and to.
func (r *reader) frames(l *Layout, run []byte, from, to int) {
	limit := maxTime * uint64(l.Scale)
	if l.Start > limit {
		r.fail("a part that begins %d ticks after its clip", l.Start)
		return
	}
	end := l.Start
	for ; len(run) > 0; run = run[runEach:] {
		be := binary.BigEndian
		f := Frame{Offset: from, Length: be.Uint32(run), Key: be.Uint32(run[8:])&flagNotSync == 0}
		size := be.Uint32(run[4:])
		if uint64(size) > uint64(to-from) || size == 0 || f.Length == 0 {
			r.fail("a frame of %d bytes and %d ticks", size, f.Length)
			return
		}
		f.Size = int(size)
		from += f.Size
		end += uint64(f.Length)
		l.Frames = append(l.Frames, f)
	}
	switch {
	case from != to:
		r.fail("%d bytes behind the last frame", to-from)
	case !l.Frames[0].Key:
		r.fail("a part that does not begin with a key frame")
	case end > limit:
		r.fail("a part that ends %d ticks after its clip's begin", end)
	}
}
