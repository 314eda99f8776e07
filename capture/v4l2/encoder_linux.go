package v4l2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/annexb"
)

const (
	// encoderPatience is how long an encoder may take frames and give nothing, or not
	// take one, until it counts as stuck. The slowest that keeps up with a camera needs
	// a tenth of it.
	encoderPatience = 3 * time.Second
	// maxInside is how many frames may be in an encoder: more than any needs to look
	// ahead.
	maxInside = 32
	// maxHeader bounds what may come in front of a picture by itself.
	maxHeader = 64 << 10
)

// Encoder compresses raw frames with a stateful memory-to-memory device, as the
// kernel's "Memory-to-Memory Stateful Video Encoder Interface" describes it. One
// goroutine uses it at a time; it allocates nothing per frame.
//
// It may hold frames back for a while, and gives them in the order in which they
// came. No call takes much longer than three seconds, unless the driver does not
// return from a system call.
type Encoder struct {
	info     EncoderInfo
	dev      codec
	clock    func() time.Duration
	patience time.Duration
	linger   time.Duration

	in     capture.Format // of frames that it takes
	out    capture.Format
	makes  string // FourCC
	code   annexb.Codec
	feeds  samples // layout of raw; the planes are of the last frame
	height int     // of raw frames in memory
	stride [3]int
	used   [3]int // bytes of a raw frame

	memory [2][][][]byte // of each side: buffer, piece
	free   []int         // raw buffers that are ours
	buf    slot

	inside  [maxInside]ticket // of frames that went in and have not come out, from first on
	first   int
	count   int
	moved   time.Duration // clock when something came out, or went into an empty encoder
	faults  int           // announcements in a row with nothing behind them
	stopped bool          // the last buffer of a drain has come

	keyEvery time.Duration
	forces   bool          // key frames can be asked for
	keyAt    time.Duration // Frame.Mono of the last one that was, or that came

	seq    uint64
	header []byte // came by itself, and belongs in front of the next picture
	joined []byte
	frame  capture.Frame // that each is called with
	bad    error         // of this call: frames that were lost
	closed bool
}

// ticket is what Encoder remembers of a frame.
type ticket struct {
	stamp unix.Timeval
	mono  time.Duration
	light capture.Light
}

// Info says what the encoder is.
func (e *Encoder) Info() EncoderInfo { return e.info }

// Format is that of the frames that come out. Its Pixel is 0 for what only
// EncoderWant.Makes can ask for.
func (e *Encoder) Format() capture.Format { return e.out }

// How says in a few words what goes in and what comes out: "NV12 to H264".
func (e *Encoder) How() string { return e.feeds.code + " to " + e.makes }

// String says what the encoder is and does.
func (e *Encoder) String() string { return e.info.String() + ", " + e.How() }

// Encode compresses f, of which it keeps nothing, and calls each for what has come
// out meanwhile: access units, counted in Seq without gaps unless one was lost,
// with the Mono and Light of the frame that they are of. Their data is valid until
// each returns, and an error of each ends the call.
//
// The error is a *capture.BadFrame for a frame that is not of the format that the
// encoder was opened for, or when the device could not compress one: the next may
// be good. After any other error, such as one that wraps ErrEncoderStuck or
// ErrEncoderGone, Close the encoder.
func (e *Encoder) Encode(ctx context.Context, f *capture.Frame, each func(*capture.Frame) error) error {
	if e.closed {
		return os.ErrClosed
	}
	if g := f.Format; g.Pixel != e.in.Pixel || g.Width != e.in.Width || g.Height != e.in.Height {
		return &capture.BadFrame{Reason: "format", Err: fmt.Errorf("%s in an encoder of %s", g, e.in)}
	}
	src, err := from(f)
	if err != nil {
		return err
	}
	e.bad = nil
	for began := e.clock(); len(e.free) == 0; {
		if err := e.step(ctx, pollTime, each); err != nil {
			return err
		}
		if len(e.free) == 0 && e.clock()-began > e.patience {
			return e.stuck()
		}
	}
	if err := e.put(f, &src); err != nil {
		return err
	}
	for until := e.clock() + e.linger; e.count > 0; {
		left := until - e.clock()
		if err := e.step(ctx, max(0, left), each); err != nil {
			return err
		}
		if left <= 0 {
			break
		}
	}
	if e.count > 0 && e.clock()-e.moved > e.patience {
		return e.stuck()
	}
	return e.bad
}

// put gives a frame to the driver.
func (e *Encoder) put(f *capture.Frame, src *samples) error {
	if e.count == maxInside {
		return e.stuck()
	}
	if e.forces && (f.Mono-e.keyAt >= e.keyEvery || f.Mono < e.keyAt) {
		// A wish: what comes out says whether it was one.
		_ = e.dev.set(ctrlForceKey, 1)
		e.keyAt = f.Mono
	}
	i := e.free[len(e.free)-1]
	var mem [3][]byte
	copy(mem[:], e.memory[raw][i])
	e.feeds.place(mem, e.stride, e.height)
	convert(&e.feeds, src, e.in.Width, e.in.Height)
	e.buf = slot{index: i, used: e.used, stamp: unix.NsecToTimeval(int64(f.Mono))}
	if err := e.dev.queue(raw, &e.buf); err != nil {
		return e.lost("giving a frame", err)
	}
	e.free = e.free[:len(e.free)-1]
	if e.count == 0 {
		e.moved = e.clock()
	}
	e.inside[(e.first+e.count)%maxInside] = ticket{e.buf.stamp, f.Mono, f.Light}
	e.count++
	return nil
}

// step waits for the device, at most so long, and fetches all that it has done.
func (e *Encoder) step(ctx context.Context, wait time.Duration, each func(*capture.Frame) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ready, err := e.dev.wait(min(wait, pollTime))
	if err != nil {
		return e.lost("waiting", err)
	}
	if !ready {
		return nil
	}
	fetched := false
	for _, s := range [...]side{coded, raw} {
		for {
			err := e.dev.dequeue(s, &e.buf)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if s == coded && errors.Is(err, unix.EPIPE) {
				e.stopped = true
				break
			}
			if err != nil {
				return e.lost("fetching", err)
			}
			if fetched = true; e.buf.index >= len(e.memory[s]) {
				return e.lost("fetching", fmt.Errorf("the driver names buffer %d of %d", e.buf.index, len(e.memory[s])))
			}
			if s == raw {
				e.free = append(e.free, e.buf.index)
				continue
			}
			if err := e.come(each); err != nil {
				return err
			}
			if e.stopped {
				break
			}
		}
	}
	return e.pause(fetched)
}

// pause keeps a driver that announces what it does not have from taking all of the
// processor, and gives it up in the end.
func (e *Encoder) pause(fetched bool) error {
	if fetched || e.stopped {
		e.faults = 0
		return nil
	}
	if e.faults++; e.faults > maxFaults {
		return e.lost("fetching", errors.New("the driver announces frames and has none"))
	}
	time.Sleep(time.Duration(e.faults) * time.Millisecond)
	return nil
}

// come takes what is in e.buf, and gives the buffer back.
func (e *Encoder) come(each func(*capture.Frame) error) error {
	b := e.buf
	e.moved = e.clock()
	e.stopped = e.stopped || b.flags&flagLast != 0
	m := e.memory[coded][b.index][0]
	var err error
	switch {
	case b.flags&flagError != 0:
		e.match(b.stamp)
		e.seq++ // what is behind it may stand on it
		e.keyAt = -e.keyEvery
		e.bad = &capture.BadFrame{Reason: "encoder", Err: errors.New("the encoder marks what it made as damaged")}
	case b.used[0] == 0: // the end of a drain
	case b.used[0] > len(m) || b.skip > b.used[0]:
		return e.lost("fetching", fmt.Errorf("%d bytes in a buffer of %d", b.used[0], len(m)))
	default:
		err = e.hand(m[b.skip:b.used[0]], b.stamp, each)
	}
	if e.stopped {
		return err
	}
	e.buf = slot{index: b.index}
	if back := e.dev.queue(coded, &e.buf); back != nil && err == nil {
		err = e.lost("giving a buffer back", back)
	}
	return err
}

// hand calls each with an access unit. What comes without a picture is kept for the
// next: some encoders give parameter sets by themselves.
func (e *Encoder) hand(data []byte, stamp unix.Timeval, each func(*capture.Frame) error) error {
	key := false
	if e.code != 0 {
		info, err := annexb.Inspect(e.code, data)
		if err == annexb.ErrNoPicture && len(e.header)+len(data) <= maxHeader {
			e.header = append(e.header, data...)
			return nil
		}
		key = err == nil && info.Key
	}
	if len(e.header) > 0 {
		e.joined = append(append(e.joined[:0], e.header...), data...)
		data, e.header = e.joined, e.header[:0]
	}
	t := e.match(stamp)
	if key {
		e.keyAt = t.mono
	}
	e.frame = capture.Frame{Format: e.out, Data: data, Seq: e.seq, Mono: t.mono, Light: t.light}
	e.seq++
	return each(&e.frame)
}

// match returns the ticket of the frame with the stamp, and forgets it with those
// that went in before: the encoder has left them out. Drivers that do not copy the
// stamp give frames in their order.
func (e *Encoder) match(stamp unix.Timeval) (t ticket) {
	if e.count == 0 {
		return ticket{mono: time.Duration(stamp.Nano()), stamp: stamp}
	}
	at := 0
	for i := range e.count {
		if e.inside[(e.first+i)%maxInside].stamp == stamp {
			at = i
			break
		}
	}
	t = e.inside[(e.first+at)%maxInside]
	e.first, e.count = (e.first+at+1)%maxInside, e.count-at-1
	return t
}

// Drain has the encoder finish the frames that it holds, and calls each for them.
// Nothing can be encoded after that but behind Flush.
func (e *Encoder) Drain(ctx context.Context, each func(*capture.Frame) error) error {
	if e.closed {
		return os.ErrClosed
	}
	e.bad, e.stopped = nil, false
	if err := e.dev.drain(); err != nil {
		return e.lost("draining", err)
	}
	for began := e.clock(); !e.stopped; {
		if err := e.step(ctx, pollTime, each); err != nil {
			return err
		}
		if !e.stopped && e.clock()-max(began, e.moved) > e.patience {
			return e.stuck()
		}
	}
	return e.bad
}

// Flush forgets the frames that the encoder holds. The next one begins a stream
// that stands on none before.
func (e *Encoder) Flush() error {
	if e.closed {
		return os.ErrClosed
	}
	for _, s := range [...]side{raw, coded} {
		if err := e.dev.stream(s, false); err != nil {
			return e.lost("stopping", err)
		}
	}
	return e.start()
}

// start gives the driver all buffers for coded frames and lets it run.
func (e *Encoder) start() error {
	e.first, e.count, e.stopped, e.header, e.faults = 0, 0, false, e.header[:0], 0
	e.keyAt = -e.keyEvery
	e.free = e.free[:0]
	for i := range e.memory[raw] {
		e.free = append(e.free, i)
	}
	for i := range e.memory[coded] {
		e.buf = slot{index: i}
		if err := e.dev.queue(coded, &e.buf); err != nil {
			return e.lost("starting", err)
		}
	}
	for _, s := range [...]side{raw, coded} {
		if err := e.dev.stream(s, true); err != nil {
			return e.lost("starting", err)
		}
	}
	return nil
}

// Close gives the device back. Frames that it holds are lost.
func (e *Encoder) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	return e.dev.close()
}

func (e *Encoder) stuck() error {
	return &capture.SourceError{
		Source: e.info.Path, Err: fmt.Errorf("%w: %d frames are in it, and nothing has come out for %v", ErrEncoderStuck, e.count, e.patience),
	}
}

// lost is the error of a device that must be opened again.
func (e *Encoder) lost(doing string, err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		err = ErrEncoderGone
	}
	return &capture.SourceError{Source: e.info.Path, Err: fmt.Errorf("%s: %w", doing, err)}
}
