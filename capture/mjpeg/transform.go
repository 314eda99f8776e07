package mjpeg

// Constants of the transform, in Q13.
const (
	c0382 = 3135  // 0.382683433
	c0541 = 4433  // 0.541196100
	c0707 = 5793  // 0.707106781
	c1306 = 10703 // 1.306562965
)

// transformBits is how many bits of fraction a block has before its transform.
const transformBits = 2

// transform is the discrete cosine transform of a block, in place, each
// coefficient scaled as scale says.
func transform(b *[64]int32) {
	transformRows(b)
	transformColumns(b)
}

// transformRows transforms each row of b. It and transformColumns are the same but for
// the places, which are constants in each, so that none has to be computed or checked.
func transformRows(b *[64]int32) {
	for i := 0; i < 64; i += 8 {
		r := (*[8]int32)(b[i : i+8])
		v0, v1, v2, v3, v4, v5, v6, v7 := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
		s0, d0 := v0+v7, v0-v7
		s1, d1 := v1+v6, v1-v6
		s2, d2 := v2+v5, v2-v5
		s3, d3 := v3+v4, v3-v4

		e0, e3 := s0+s3, s0-s3
		e1, e2 := s1+s2, s1-s2
		z1 := (e2 + e3) * c0707 >> 13
		r[0], r[4] = e0+e1, e0-e1
		r[2], r[6] = e3+z1, e3-z1

		o0, o1, o2 := d3+d2, d2+d1, d1+d0
		z5 := (o0 - o2) * c0382
		z2 := (o0*c0541 + z5) >> 13
		z4 := (o2*c1306 + z5) >> 13
		z3 := o1 * c0707 >> 13
		p, m := d0+z3, d0-z3
		r[5], r[3] = m+z2, m-z2
		r[1], r[7] = p+z4, p-z4
	}
}

// transformColumns transforms each column of b.
func transformColumns(b *[64]int32) {
	for i := range uint(8) {
		v0, v1, v2, v3 := b[i], b[8+i], b[16+i], b[24+i]
		v4, v5, v6, v7 := b[32+i], b[40+i], b[48+i], b[56+i]
		s0, d0 := v0+v7, v0-v7
		s1, d1 := v1+v6, v1-v6
		s2, d2 := v2+v5, v2-v5
		s3, d3 := v3+v4, v3-v4

		e0, e3 := s0+s3, s0-s3
		e1, e2 := s1+s2, s1-s2
		z1 := (e2 + e3) * c0707 >> 13
		b[i], b[32+i] = e0+e1, e0-e1
		b[16+i], b[48+i] = e3+z1, e3-z1

		o0, o1, o2 := d3+d2, d2+d1, d1+d0
		z5 := (o0 - o2) * c0382
		z2 := (o0*c0541 + z5) >> 13
		z4 := (o2*c1306 + z5) >> 13
		z3 := o1 * c0707 >> 13
		p, m := d0+z3, d0-z3
		b[40+i], b[24+i] = m+z2, m-z2
		b[8+i], b[56+i] = p+z4, p-z4
	}
}
