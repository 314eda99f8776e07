package stream

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/sealcam/sealcam/capture"
)

// aviHeader is what the headers of an AVI say about its first video stream.
type aviHeader struct {
	streams int     // seen so far
	video   int     // the number of the video stream, from 0; -1 for none yet
	codec   string  // its FourCC
	rate    float64 // frames per second; 0 when missing or absurd
}

// isVideo reports whether a chunk of this id holds a frame of the stream: "00dc"
// or "00db", by the stream's number.
func (h *aviHeader) isVideo(id [4]byte) bool {
	return h.video >= 0 && int(id[0])-'0' == h.video/10 && int(id[1])-'0' == h.video%10 && id[2] == 'd' && (id[3] == 'c' || id[3] == 'b')
}

// readHeaders reads up to the list of frames.
func (a *avi) readHeaders() error {
	a.head = aviHeader{video: -1}
	for {
		c, err := a.chunk()
		if err == nil && c.list() {
			var b []byte
			if b, err = a.in.r.Peek(4); err == nil && string(b) == "movi" {
				if err := a.enter(c); err != nil {
					return err
				}
				return a.head.usable(a.in.name)
			}
			if err == nil {
				err = a.enter(c)
			}
		} else if err == nil {
			err = a.headerChunk(c)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return &capture.SourceError{Err: fmt.Errorf("%w: the AVI ends within its headers", capture.ErrNoFormat)}
		}
		if err != nil {
			return err
		}
	}
}

// headerChunk takes in what a chunk in front of the frames says.
func (a *avi) headerChunk(c chunk) error {
	const most = 64 // longer ones hold nothing more for us
	n := min(c.size, most)
	b, err := a.in.r.Peek(int(n))
	if err != nil {
		return err
	}
	switch string(c.id[:]) {
	case "avih":
		if n >= 4 && a.head.rate == 0 {
			a.head.rate = ratio(1e6, binary.LittleEndian.Uint32(b))
		}
	case "strh":
		if n >= 28 && string(b[:4]) == "vids" && a.head.video < 0 {
			a.head.video = a.head.streams
			a.head.codec = string(b[4:8])
			if r := ratio(binary.LittleEndian.Uint32(b[24:]), binary.LittleEndian.Uint32(b[20:])); r > 0 {
				a.head.rate = r
			}
		}
		a.head.streams++
	case "strf":
		if n >= 20 && a.head.video == a.head.streams-1 && a.head.video >= 0 {
			a.head.codec = string(b[16:20])
		}
	}
	return a.skip(c.size)
}

// ratio returns num/den if that can be a rate, else 0.
func ratio(num, den uint32) float64 {
	if den == 0 {
		return 0
	}
	if r := float64(num) / float64(den); r >= 1.0/3600 && r <= maxRate {
		return r
	}
	return 0
}

// usable reports whether there is video that can be read.
func (h *aviHeader) usable(name string) error {
	if h.video < 0 {
		return &capture.SourceError{Err: fmt.Errorf("%w: the AVI has no video", capture.ErrNoFormat)}
	}
	switch strings.ToUpper(h.codec) {
	case "MJPG", "JPEG", "AVRN", "DMB1", "LJPG":
		return nil
	}
	return notMJPEG(name, fmt.Sprintf("AVI with %q video", h.codec))
}
