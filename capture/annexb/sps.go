package annexb

// maxSide bounds width and height that a parameter set may declare.
const maxSide = 1 << 14

// Size returns the size in pixels that a sequence parameter set declares, after
// cropping. It reports false for a set that is cut short or makes no sense.
// Sources: ITU-T H.264, 7.3.2.1.1 and H.265, 7.3.2.2.1.
func Size(c Codec, sps []byte) (w, h int, ok bool) {
	r := reader(unescape(sps))
	if c == H265 {
		w, h = r.size265()
	} else {
		w, h = r.size264()
	}
	return w, h, !r.short && w > 0 && h > 0 && w <= maxSide && h <= maxSide
}

// unescape removes emulation prevention: the 3 of 0, 0, 3.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

func (r *bitReader) size264() (w, h int) {
	r.skip(8)
	profile := r.u(8)
	r.skip(16) // constraints, level
	r.ue()     // id
	chroma := uint(1)
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		chroma = r.ue()
		if chroma == 3 {
			r.skip(1)
		}
		r.ue()
		r.ue()
		r.skip(1)
		if r.u(1) == 1 {
			r.scalingLists(chroma)
		}
	}
	r.ue() // log2_max_frame_num_minus4
	switch r.ue() {
	case 0:
		r.ue()
	case 1:
		r.skip(1)
		r.ue()
		r.ue()
		for n := r.ue(); n > 0 && !r.short; n-- {
			r.ue()
		}
	}
	r.ue() // max_num_ref_frames
	r.skip(1)
	w, h = int(r.ue()+1)*16, int(r.ue()+1)*16
	fields := 1
	if r.u(1) == 0 { // frame_mbs_only_flag
		fields = 2
		r.skip(1)
	}
	h *= fields
	r.skip(1)
	if r.u(1) == 1 {
		x, y := cropUnits(chroma)
		w, h = w-r.crop(x), h-r.crop(y*fields)
	}
	return w, h
}

func (r *bitReader) scalingLists(chroma uint) {
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if r.u(1) == 0 {
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		last, next := 8, 8
		for range size {
			if next != 0 {
				next = (last + r.se()) & 0xff
			}
			if next != 0 {
				last = next
			}
		}
	}
}

func (r *bitReader) size265() (w, h int) {
	r.skip(16 + 4) // unit header, sps_video_parameter_set_id
	layers := r.u(3)
	r.skip(1)
	r.profile(int(layers))
	r.ue() // id
	chroma := r.ue()
	if chroma == 3 {
		r.skip(1)
	}
	w, h = int(r.ue()), int(r.ue())
	if r.u(1) == 1 {
		x, y := cropUnits(chroma)
		w, h = w-r.crop(x), h-r.crop(y)
	}
	return w, h
}

// profile passes over profile_tier_level of H.265, 7.3.3.
func (r *bitReader) profile(layers int) {
	r.skip(88 + 8)
	var has [8][2]bool
	for i := range layers {
		has[i] = [2]bool{r.u(1) == 1, r.u(1) == 1}
	}
	if layers > 0 {
		r.skip(2 * (8 - layers))
	}
	for _, layer := range has[:layers] {
		if layer[0] {
			r.skip(88)
		}
		if layer[1] {
			r.skip(8)
		}
	}
}

// cropUnits returns the units in which a chroma format is cropped.
func cropUnits(chroma uint) (x, y int) {
	switch chroma {
	case 1:
		return 2, 2
	case 2:
		return 2, 1
	}
	return 1, 1
}

// crop reads two margins and returns their sum in pixels.
func (r *bitReader) crop(unit int) int {
	a, b := r.ue(), r.ue()
	return int(a+b) * unit
}

// bitReader reads the bits of a parameter set. Past the end it reads zeros and
// sets short.
type bitReader struct {
	b     []byte
	at    int // bits
	short bool
}

func reader(b []byte) *bitReader { return &bitReader{b: b} }

func (r *bitReader) skip(n int) {
	if r.at += n; r.at > 8*len(r.b) {
		r.short = true
	}
}

func (r *bitReader) u(n int) (x uint) {
	for range n {
		x <<= 1
		if i := r.at / 8; i < len(r.b) {
			x |= uint(r.b[i]>>(7-r.at%8)) & 1
		} else {
			r.short = true
		}
		r.at++
	}
	return x
}

// ue reads an unsigned Exp-Golomb code (H.264, 9.1) below 1<<20; larger ones
// make the set senseless.
func (r *bitReader) ue() uint {
	zeros := 0
	for r.u(1) == 0 {
		if zeros++; zeros > 20 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// se reads a signed one.
func (r *bitReader) se() int {
	n := r.ue()
	if n&1 == 1 {
		return int(n/2) + 1
	}
	return -int(n / 2)
}
