package qr

// penalty counts what makes a code hard to read (ISO/IEC 18004, 7.8.3.1): runs
// and squares of one colour, rows that look like a finder pattern, and too much
// of either colour.
func penalty(c *Code) int {
	n, sum, dark := c.Size(), 0, 0
	for y := range n {
		sum += lines(n, func(x int) bool { return c.Dark(x, y) })
		sum += lines(n, func(x int) bool { return c.Dark(y, x) })
		for x := range n {
			d := c.Dark(x, y)
			if d {
				dark++
			}
			if x+1 < n && y+1 < n && d == c.Dark(x+1, y) && d == c.Dark(x, y+1) && d == c.Dark(x+1, y+1) {
				sum += 3
			}
		}
	}
	off := dark*20 - n*n*10
	return sum + max(off, -off)/(n*n)*10
}

// finderRow is a finder pattern's row with the light modules at one of its
// sides; mirroredRow has them at the other.
const (
	finderRow   = 0b10111010000
	mirroredRow = 0b00001011101
)

// lines counts runs of five and more, and finder-like rows, in one row or
// column.
func lines(n int, dark func(int) bool) (sum int) {
	run, window := 0, 0
	for i := range n {
		if i > 0 && dark(i) == dark(i-1) {
			run++
		} else {
			run = 1
		}
		switch {
		case run == 5:
			sum += 3
		case run > 5:
			sum++
		}
		window = window << 1 & 0x7ff
		if dark(i) {
			window |= 1
		}
		if i >= 10 && (window == finderRow || window == mirroredRow) {
			sum += 40
		}
	}
	return sum
}
