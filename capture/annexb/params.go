package annexb

import "bytes"

// Bounds on parameter sets: more, and longer ones, than any camera sends.
const (
	maxSets = 16
	maxSet  = 4 << 10
)

// Params are the parameter sets of a stream, without which nothing of it can be
// decoded. The zero value has none.
type Params struct {
	VPS [][]byte // H.265 only
	SPS [][]byte
	PPS [][]byte
}

// ParamsOf returns copies of the parameter sets in an access unit.
func ParamsOf(c Codec, data []byte) Params {
	var p Params
	s := Scan(data)
	for {
		u, ok := s.Next()
		if !ok {
			return p
		}
		r, ok := RoleOf(c, u)
		if list := p.list(r); ok && list != nil && len(u) <= maxSet && len(*list) < maxSets {
			*list = append(*list, bytes.Clone(u))
		}
	}
}

// list returns where sets of a role are, nil for other units.
func (p *Params) list(r Role) *[][]byte {
	switch r {
	case VPS:
		return &p.VPS
	case SPS:
		return &p.SPS
	case PPS:
		return &p.PPS
	}
	return nil
}

// Complete reports whether a decoder has all it needs.
func (p *Params) Complete(c Codec) bool {
	return len(p.SPS) > 0 && len(p.PPS) > 0 && (c == H264 || len(p.VPS) > 0)
}

// Same reports whether the parameter sets in an access unit are those of p, or
// some of them. It allocates nothing.
func (p *Params) Same(c Codec, data []byte) bool {
	s := Scan(data)
	for {
		u, ok := s.Next()
		if !ok {
			return true
		}
		r, _ := RoleOf(c, u)
		list := p.list(r)
		if r == Slice || r == KeySlice {
			return true
		}
		if list == nil {
			continue
		}
		known := false
		for _, set := range *list {
			known = known || bytes.Equal(set, u)
		}
		if !known {
			return false
		}
	}
}

// Merge returns p with its sets replaced by those that q brings, kind by kind.
func (p Params) Merge(q Params) Params {
	if len(q.VPS) > 0 {
		p.VPS = q.VPS
	}
	if len(q.SPS) > 0 {
		p.SPS = q.SPS
	}
	if len(q.PPS) > 0 {
		p.PPS = q.PPS
	}
	return p
}

// AppendSized appends the units of an access unit to dst, each behind its length
// in four bytes, as MP4 wants them (ISO/IEC 14496-15). Delimiters are left out.
func AppendSized(dst []byte, c Codec, data []byte) []byte {
	s := Scan(data)
	for {
		u, ok := s.Next()
		if !ok {
			return dst
		}
		if r, ok := RoleOf(c, u); ok && r != AUD {
			dst = appendSized(dst, u)
		}
	}
}

// AppendSized appends all sets to dst, each behind its length in four bytes.
func (p *Params) AppendSized(dst []byte) []byte {
	for _, list := range [...][][]byte{p.VPS, p.SPS, p.PPS} {
		for _, u := range list {
			dst = appendSized(dst, u)
		}
	}
	return dst
}

func appendSized(dst, unit []byte) []byte {
	n := len(unit)
	dst = append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(dst, unit...)
}
