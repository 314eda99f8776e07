package stream

import (
	"context"
	"fmt"
	"io"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

// maxBlind is how many pictures without parameter sets are passed over before a
// stream is given up: more than any camera sends between two key frames.
const maxBlind = 1200

// units is a source of H.264 or H.265 access units. Its first frame is a key
// frame that follows parameter sets: a stream that is joined in its middle is
// passed over up to there.
type units struct {
	in     *input
	split  *annexb.Splitter
	codec  annexb.Codec
	opt    Options
	n      uint64
	format capture.Format // size of the newest parameter sets; zero before the first
	begun  bool           // a key frame has come
}

// codecOf tells what a stream that begins with a start code is, by its first NAL
// unit: 0 for neither. The header of H.265's parameter sets and delimiters is none that H.264
// allows or uses.
func codecOf(head []byte) annexb.Codec {
	s := annexb.Scan(head)
	u, ok := s.Next()
	if !ok || len(u) < 2 {
		return 0
	}
	switch r, ok := annexb.RoleOf(annexb.H265, u); {
	case !ok:
		return 0
	case (r == annexb.VPS || r == annexb.SPS || r == annexb.PPS || r == annexb.AUD) && u[0]&1 == 0 && u[1]>>3 == 0 && u[1]&7 != 0:
		return annexb.H265
	}
	if r, ok := annexb.RoleOf(annexb.H264, u); ok && r != annexb.Other {
		return annexb.H264
	}
	return 0
}

func openUnits(in *input, c annexb.Codec, opt Options) *units {
	return &units{in: in, split: annexb.NewSplitter(in, c, opt.MaxFrame), codec: c, opt: opt}
}

func (s *units) next(ctx context.Context, f *capture.Frame) error {
	s.in.use(ctx)
	for blind := 0; ; blind++ {
		data, err := s.split.Next()
		if err == nil {
			var key bool
			if key, err = s.look(data); err == nil && !key && !s.begun {
				if blind == maxBlind {
					return s.noParams()
				}
				continue
			}
		}
		if err == annexb.ErrReordered {
			return s.unusable(annexb.ErrReordered, "switch B-frames off at the encoder: ffmpeg -bf 0, x264 --bframes 0")
		}
		if err == io.EOF && !s.begun {
			return s.noParams()
		}
		if bad, ok := err.(annexb.Error); ok {
			s.n++
			return &capture.BadFrame{Reason: string(bad), Err: bad}
		}
		if err != nil {
			return err
		}
		s.begun = true
		f.Format, f.Data, f.Mono = s.format, data, after(s.n, s.opt.Rate)
		s.n++
		return nil
	}
}

// look reads the size that an access unit declares, and reports whether decoding
// can begin with it.
func (s *units) look(data []byte) (key bool, err error) {
	info, err := annexb.Inspect(s.codec, data)
	if err != nil {
		return false, err
	}
	if info.Reordered {
		return false, annexb.ErrReordered
	}
	if info.Params {
		p := annexb.ParamsOf(s.codec, data)
		if len(p.SPS) > 0 {
			w, h, ok := annexb.Size(s.codec, p.SPS[0])
			if !ok {
				return false, annexb.ErrCorrupt
			}
			s.format = capture.Format{Pixel: capture.H264, Width: w, Height: h}
			if s.codec == annexb.H265 {
				s.format.Pixel = capture.H265
			}
			if !s.in.live { // what a pipe really delivers, its writer decides
				s.format.Rate = s.opt.Rate
			}
		}
	}
	return info.Key && s.format.Pixel != 0, nil
}

func (s *units) noParams() error {
	return s.unusable(annexb.ErrNoParams, "let the camera repeat them with every key frame, as rpicam-vid --inline does")
}

func (s *units) unusable(why annexb.Error, try string) error {
	return &capture.SourceError{Source: s.in.name, Err: fmt.Errorf("%w: %s: %w", capture.ErrNoFormat, s.codec, why), Try: try}
}

func (s *units) rewind() error {
	if err := s.in.rewind(); err != nil {
		return err
	}
	// Another writer's stream begins with parameter sets of its own.
	s.n, s.begun, s.format = 0, false, capture.Format{}
	s.split = annexb.NewSplitter(s.in, s.codec, s.opt.MaxFrame)
	return nil
}

func (s *units) rate() float64 { return 0 }
func (s *units) close() error  { return s.in.close() }
