package v4l2

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// fakeCodec is a memory-to-memory device that does what its fields say: what the
// kernel's virtual codec, which the lab tries, cannot be brought to do.
type fakeCodec struct {
	Makes, Takes []string
	Adjust       func(side, codecFormat) codecFormat // what it makes of a format; nil: what was asked
	Small        int                                 // bytes that its raw buffers lack
	NoCrop       bool
	NoControls   bool
	Hold         int              // frames that it looks ahead
	Alone        bool             // parameter sets come by themselves
	NoStamps     bool             // it does not copy time stamps
	Silent       bool             // takes frames and gives nothing
	Eats         bool             // gives raw buffers back, and nothing else
	Full         bool             // gives no raw buffer back
	Skip         int              // leaves every so many-th frame out; 0 none
	Damaged      int              // marks the one of this number; 0 none
	Errno        map[string]error // by call: "queue", "dequeue", "wait", "stream", "drain"
	Liar         bool             // announces what it does not have
	Index        int              // added to the numbers of buffers that it gives

	now      time.Duration
	memory   [2][][][]byte
	ready    []int     // coded buffers to be filled
	done     [2][]slot // to be fetched
	inside   []slot    // raw
	streams  [2]int
	frames   int
	controls map[uint32]int32
	last     bool
	calls    []string
	closed   int
}

func (c *fakeCodec) formats(s side) (out []uint32) {
	for _, code := range [2][]string{c.Takes, c.Makes}[s] {
		out = append(out, codeOf(code))
	}
	return out
}

func (c *fakeCodec) setFormat(s side, f codecFormat) (codecFormat, error) {
	c.calls = append(c.calls, fmt.Sprintf("format %d", s))
	if c.Adjust != nil {
		f = c.Adjust(s, f)
	}
	return f, nil
}

func (c *fakeCodec) crop(w, h int) error {
	c.calls = append(c.calls, "crop")
	if c.NoCrop {
		return unix.ENOTTY
	}
	return nil
}

func (c *fakeCodec) setRate(float64) error { c.calls = append(c.calls, "rate"); return unix.ENOTTY }

func (c *fakeCodec) set(id uint32, v int32) error {
	if c.NoControls {
		return unix.EINVAL
	}
	if c.controls == nil {
		c.controls = map[uint32]int32{}
	}
	c.controls[id] = v
	return nil
}

func (c *fakeCodec) allocate(s side, n int) ([][][]byte, error) {
	c.calls = append(c.calls, fmt.Sprintf("buffers %d", s))
	for range n {
		b := [][]byte{make([]byte, 128*128*2), make([]byte, 128*128), make([]byte, 128*128)}
		if s == raw {
			b[0] = b[0][c.Small:]
		}
		c.memory[s] = append(c.memory[s], b)
	}
	return c.memory[s], nil
}

func (c *fakeCodec) stream(s side, on bool) error {
	c.calls = append(c.calls, fmt.Sprintf("stream %d %t", s, on))
	if c.streams[s]++; !on {
		c.done[s], c.last = nil, false
		if s == raw {
			c.inside = nil
		} else {
			c.ready = nil
		}
	}
	return c.Errno["stream"]
}

func (c *fakeCodec) queue(s side, b *slot) error {
	if err := c.Errno["queue"]; err != nil && s == raw {
		return err
	}
	if s == coded {
		c.ready = append(c.ready, b.index)
	} else {
		c.inside = append(c.inside, *b)
	}
	c.work(c.Hold)
	return nil
}

// work compresses all but the last frames: a coded one is a start code, what it is,
// and its number.
func (c *fakeCodec) work(hold int) {
	for !c.Silent && len(c.inside) > hold && len(c.ready) > 1 {
		in := c.inside[0]
		c.inside = c.inside[1:]
		if !c.Full {
			c.done[raw] = append(c.done[raw], slot{index: in.index + c.Index})
		}
		n := c.frames
		if c.frames++; c.Eats {
			continue
		}
		if c.Skip > 0 && n%c.Skip == c.Skip-1 {
			continue
		}
		unit := []byte{0, 0, 1, 0x41, 0x9a, byte(n)}
		if n == 0 {
			sets := []byte{0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2}
			unit[3] = 0x65
			if c.Alone {
				c.give(sets, in.stamp, 0)
			} else {
				unit = append(sets, unit...)
			}
		}
		flags := uint32(0)
		if c.Damaged > 0 && n == c.Damaged {
			flags = flagError
		}
		c.give(unit, in.stamp, flags)
	}
}

func (c *fakeCodec) give(unit []byte, stamp unix.Timeval, flags uint32) {
	i := c.ready[0]
	c.ready = c.ready[1:]
	if c.NoStamps {
		stamp = unix.Timeval{}
	}
	c.done[coded] = append(c.done[coded], slot{index: i + c.Index, used: [3]int{copy(c.memory[coded][i][0], unit)}, stamp: stamp, flags: flags})
}

func (c *fakeCodec) dequeue(s side, b *slot) error {
	if err := c.Errno["dequeue"]; err != nil {
		return err
	}
	if len(c.done[s]) == 0 {
		if s == coded && c.last {
			return unix.EPIPE
		}
		return unix.EAGAIN
	}
	*b = c.done[s][0]
	c.done[s] = c.done[s][1:]
	return nil
}

func (c *fakeCodec) wait(d time.Duration) (bool, error) {
	if err := c.Errno["wait"]; err != nil {
		return false, err
	}
	if len(c.done[raw])+len(c.done[coded]) > 0 || c.Liar || c.last {
		return true, nil
	}
	c.now += max(d, time.Millisecond)
	return false, nil
}

func (c *fakeCodec) drain() error {
	if err := c.Errno["drain"]; err != nil {
		return err
	}
	c.work(0)
	if !c.Silent {
		c.give(nil, unix.Timeval{}, flagLast)
		c.last = true
	}
	return nil
}

func (c *fakeCodec) close() error { c.closed++; return nil }
