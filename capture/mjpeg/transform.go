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
	transformLines(b, 8, 1)
	transformLines(b, 1, 8)
}

// transformLines transforms eight lines of b: next is from one to the next, step
// from one value to the next in it.
func transformLines(b *[64]int32, next, step uint) {
	for i := range uint(8) {
		at := i * next
		p1, p2, p3, p4 := at+step, at+2*step, at+3*step, at+4*step
		p5, p6, p7 := at+5*step, at+6*step, at+7*step
		v0, v1, v2, v3 := b[at&63], b[p1&63], b[p2&63], b[p3&63]
		v4, v5, v6, v7 := b[p4&63], b[p5&63], b[p6&63], b[p7&63]

		s0, d0 := v0+v7, v0-v7
		s1, d1 := v1+v6, v1-v6
		s2, d2 := v2+v5, v2-v5
		s3, d3 := v3+v4, v3-v4

		e0, e3 := s0+s3, s0-s3
		e1, e2 := s1+s2, s1-s2
		z1 := (e2 + e3) * c0707 >> 13
		b[at&63], b[p4&63] = e0+e1, e0-e1
		b[p2&63], b[p6&63] = e3+z1, e3-z1

		o0, o1, o2 := d3+d2, d2+d1, d1+d0
		z5 := (o0 - o2) * c0382
		z2 := (o0*c0541 + z5) >> 13
		z4 := (o2*c1306 + z5) >> 13
		z3 := o1 * c0707 >> 13
		p, m := d0+z3, d0-z3
		b[p5&63], b[p3&63] = m+z2, m-z2
		b[p1&63], b[p7&63] = p+z4, p-z4
	}
}
