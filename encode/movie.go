package encode

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// trackID is the number of the one track.
const trackID = 1

// movieHead returns the boxes that every part of a clip begins with, ftyp and
// moov, which say how its media is decoded. They are the same for all parts.
// This is the one place that knows the MP4 library.
func movieHead(f capture.Format, p *annexb.Params) ([]byte, error) {
	var codec mp4.Codec
	switch f.Pixel {
	case capture.MJPEG:
		codec = &mp4.CodecMJPEG{Width: f.Width, Height: f.Height}
	case capture.H264:
		codec = &mp4.CodecH264{SPS: p.SPS[0], PPS: p.PPS[0]}
	case capture.H265:
		codec = &mp4.CodecH265{VPS: p.VPS[0], SPS: p.SPS[0], PPS: p.PPS[0]}
	default:
		return nil, fmt.Errorf("no clip can be made of %s frames", f.Pixel)
	}
	var b seekablebuffer.Buffer
	init := fmp4.Init{Tracks: []*fmp4.InitTrack{{ID: trackID, TimeScale: Timescale, Codec: codec}}}
	if err := init.Marshal(&b); err != nil {
		return nil, fmt.Errorf("clip of %s: %w", f, err)
	}
	return b.Bytes(), nil
}
