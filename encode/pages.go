package encode

// Sizes of a Ring's memory. A frame takes whole pages, so half a page is wasted
// on each; slabs are what is asked of the system at a time.
const (
	pageSize  = 4 << 10
	slabPages = 64
)

// pages is memory for frames of any size, in chains of pages. It never moves or
// gives back what it has, and asks for more only until its bound: frames that
// come and go make neither holes nor garbage.
type pages struct {
	slabs [][]byte
	next  []int32 // of each page, the one behind it in its chain; -1 for none
	free  int32   // chain of free pages
	spare int     // pages in it
	most  int     // bound on pages
}

// newPages returns room for at most so many bytes, and at least one page.
func newPages(bytes int) pages {
	return pages{free: -1, most: max(1, bytes/pageSize)}
}

// takes returns how many pages n bytes take.
func takes(n int) int { return (n + pageSize - 1) / pageSize }

// room returns how many pages can be had.
func (p *pages) room() int { return p.spare + p.most - len(p.next) }

// grow asks the system for a slab.
func (p *pages) grow() {
	n := min(slabPages, p.most-len(p.next))
	p.slabs = append(p.slabs, make([]byte, n*pageSize))
	for range n {
		p.next = append(p.next, p.free)
		p.free = int32(len(p.next) - 1)
	}
	p.spare += n
}

// put copies data into a chain of pages, for which there must be room, and
// returns the first of them, -1 for no data.
func (p *pages) put(data []byte) (first int32) {
	first = -1
	for end := &first; len(data) > 0; {
		if p.free < 0 {
			p.grow()
		}
		i := p.free
		p.free, p.spare = p.next[i], p.spare-1
		data = data[copy(p.page(i), data):]
		*end, p.next[i] = i, -1
		if len(data) > 0 {
			end = &p.next[i]
			// next may move when it grows.
			if p.free < 0 {
				p.grow()
				end = &p.next[i]
			}
		}
	}
	return first
}

// appendTo appends the size bytes of a chain to dst.
func (p *pages) appendTo(dst []byte, first int32, size int) []byte {
	for i := first; size > 0; i = p.next[i] {
		n := min(size, pageSize)
		dst = append(dst, p.page(i)[:n]...)
		size -= n
	}
	return dst
}

// release gives a chain back.
func (p *pages) release(first int32) {
	for first >= 0 {
		next := p.next[first]
		p.next[first], p.free = p.free, first
		p.spare++
		first = next
	}
}

func (p *pages) page(i int32) []byte {
	at := int(i) % slabPages * pageSize
	return p.slabs[i/slabPages][at : at+pageSize]
}
