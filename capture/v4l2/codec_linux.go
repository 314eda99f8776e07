package v4l2

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// side is one of the two queues of a memory-to-memory device. V4L2 calls them by
// the application's view: raw frames are its output.
type side int

const (
	raw   side = iota // V4L2's OUTPUT
	coded             // V4L2's CAPTURE
)

// slot is a buffer on its way to or from the driver.
type slot struct {
	index int
	used  [3]int // bytes in each piece
	skip  int    // of those, in front of what counts
	flags uint32
	stamp unix.Timeval
}

// codecFormat is the format of a queue.
type codecFormat struct {
	code          uint32
	width, height int
	pieces        int
	stride, size  [3]int
	full          bool // raw: the range of the samples
}

// codec is an open memory-to-memory device: what Encoder needs of the kernel. The
// errors are unix.Errno, EAGAIN where dequeue has nothing.
type codec interface {
	formats(side) []uint32
	setFormat(side, codecFormat) (codecFormat, error)
	crop(width, height int) error // the picture within raw frames
	setRate(fps float64) error
	set(control uint32, value int32) error // as near as it can be; EINVAL if there is none
	allocate(side, int) (memory [][][]byte, err error)
	stream(side, bool) error
	queue(side, *slot) error
	dequeue(side, *slot) error
	wait(time.Duration) (ready bool, err error) // also ready when there is an error to fetch
	drain() error
	close() error
}

// m2m is a node of the running kernel.
type m2m struct {
	fd     int
	pieces bool // the multi-planar interface
	poll   [1]unix.PollFd
	mapped [][]byte

	// Of the last call; here so that no call allocates.
	one    buffer
	many   piecesBuffer
	planes [maxPieces]piece
}

// openCodec opens a node that is a memory-to-memory device by its capabilities.
func openCodec(path string) (*m2m, capability, error) {
	caps, err := probe(path)
	if err != nil {
		return nil, caps, err
	}
	own := caps.own()
	if own&capM2M == 0 || own&capStreaming == 0 {
		return nil, caps, ErrNoEncoder
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, caps, err
	}
	m := &m2m{fd: fd, pieces: own&capM2MSingle == 0}
	m.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}
	return m, caps, nil
}

// kind returns the buffer type of a queue.
func (m *m2m) kind(s side) uint32 {
	if m.pieces {
		return [2]uint32{bufTypeOutputPieces, bufTypeCapturePieces}[s]
	}
	return [2]uint32{bufTypeOutput, bufTypeCapture}[s]
}

// maxFormats bounds what a driver may enumerate.
const maxFormats = 256

func (m *m2m) formats(s side) (codes []uint32) {
	for i := range uint32(maxFormats) {
		d := formatDesc{Index: i, Type: m.kind(s)}
		if ioctl(m.fd, enumFormatRequest(), &d) != nil {
			break
		}
		if (d.Flags&flagCompressed != 0) == (s == coded) {
			codes = append(codes, d.PixelFormat)
		}
	}
	return codes
}

func (m *m2m) setFormat(s side, f codecFormat) (codecFormat, error) {
	quantization, colorspace := uint32(0), uint32(0)
	if s == raw {
		if colorspace, quantization = colorspaceREC709, quantizationLimited; f.full {
			quantization = quantizationFull
		}
	}
	if !m.pieces {
		p := pixFormat{
			Type: m.kind(s), Width: uint32(f.width), Height: uint32(f.height), PixelFormat: f.code, Field: fieldNone,
			BytesPerLine: uint32(f.stride[0]), SizeImage: uint32(f.size[0]), Priv: pixPrivMagic, Colorspace: colorspace, Quantization: quantization,
		}
		err := ioctl(m.fd, setFormatRequest(), &p)
		return codecFormat{
			code: p.PixelFormat, width: int(p.Width), height: int(p.Height), pieces: 1,
			stride: [3]int{int(p.BytesPerLine)}, size: [3]int{int(p.SizeImage)},
		}, err
	}
	p := piecesFormat{
		Type: m.kind(s), Width: uint32(f.width), Height: uint32(f.height), PixelFormat: f.code, Field: fieldNone,
		Count: uint8(f.pieces), Colorspace: colorspace, Quantization: uint8(quantization),
	}
	for i := range f.pieces {
		p.Pieces[i] = pieceFormat{SizeImage: uint32(f.size[i]), BytesPerLine: uint32(f.stride[i])}
	}
	err := ioctl(m.fd, setFormatRequest(), &p)
	got := codecFormat{code: p.PixelFormat, width: int(p.Width), height: int(p.Height), pieces: int(p.Count)}
	for i := range min(got.pieces, len(got.size)) {
		got.stride[i], got.size[i] = int(p.Pieces[i].BytesPerLine), int(p.Pieces[i].SizeImage)
	}
	return got, err
}

// crop sets what of the raw frames is the picture. V4L2 wants the single-planar
// type here for either interface.
func (m *m2m) crop(width, height int) error {
	s := selection{Type: bufTypeOutput, Target: selectCrop, Width: uint32(width), Height: uint32(height)}
	if err := ioctl(m.fd, selectionRequest(), &s); err != nil {
		return err
	}
	if int(s.Width) != width || int(s.Height) != height || s.Left != 0 || s.Top != 0 {
		return fmt.Errorf("the driver makes it %dx%d", s.Width, s.Height)
	}
	return nil
}

func (m *m2m) setRate(fps float64) error {
	p := streamParm{Type: m.kind(raw), Numerator: 1000, Denominator: uint32(fps*1000 + 0.5)}
	return ioctl(m.fd, setParmRequest(), &p)
}

func (m *m2m) set(id uint32, value int32) error {
	q := queryCtrl{ID: id}
	if err := ioctl(m.fd, queryCtrlRequest(), &q); err != nil {
		return err
	}
	if q.Flags&(ctrlDisabled|ctrlReadOnly) != 0 {
		return unix.EINVAL
	}
	if q.Maximum > q.Minimum {
		value = min(max(value, q.Minimum), q.Maximum)
	}
	return ioctl(m.fd, setCtrlRequest(), &control{ID: id, Value: value})
}

// allocate has the driver make n buffers, or as many as it will, and maps them.
func (m *m2m) allocate(s side, n int) ([][][]byte, error) {
	r := requestBuffers{Count: uint32(n), Type: m.kind(s), Memory: memoryMmap}
	if err := ioctl(m.fd, buffersRequest(), &r); err != nil {
		return nil, err
	}
	if r.Count == 0 || r.Count > maxBuffers {
		return nil, fmt.Errorf("the driver made %d buffers of %d", r.Count, n)
	}
	all := make([][][]byte, r.Count)
	for i := range all {
		m.fill(s, &slot{index: i})
		if err := m.call(queryBufRequest()); err != nil {
			return nil, err
		}
		pieces := []piece{{Length: m.one.Length, Offset: m.one.Offset}}
		if m.pieces {
			if m.many.Length < 1 || m.many.Length > 3 {
				return nil, fmt.Errorf("the driver wants %d pieces of memory for a frame", m.many.Length)
			}
			pieces = m.planes[:m.many.Length]
		}
		for _, p := range pieces {
			b, err := unix.Mmap(m.fd, int64(p.Offset), int(p.Length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				return nil, err
			}
			m.mapped = append(m.mapped, b)
			all[i] = append(all[i], b)
		}
	}
	return all, nil
}

// maxBuffers is more than any driver asks for.
const maxBuffers = 64

func (m *m2m) stream(s side, on bool) error {
	request, kind := streamOffRequest(), m.kind(s)
	if on {
		request = streamOnRequest()
	}
	return ioctl(m.fd, request, &kind)
}

// fill prepares the structure of the next call from s.
func (m *m2m) fill(q side, s *slot) {
	if !m.pieces {
		m.one = buffer{
			Index: uint32(s.index), Type: m.kind(q), BytesUsed: uint32(s.used[0]), Field: fieldNone, Timestamp: s.stamp, Memory: memoryMmap,
		}
		return
	}
	m.planes = [maxPieces]piece{}
	for i, n := range s.used {
		m.planes[i].BytesUsed = uint32(n)
	}
	m.many = piecesBuffer{
		Index: uint32(s.index), Type: m.kind(q), Field: fieldNone, Timestamp: s.stamp, Memory: memoryMmap, Pieces: &m.planes, Length: maxPieces,
	}
}

// call makes a request with the prepared structure.
func (m *m2m) call(request uintptr) error {
	if m.pieces {
		return ioctl(m.fd, request, &m.many)
	}
	return ioctl(m.fd, request, &m.one)
}

func (m *m2m) queue(q side, s *slot) error {
	m.fill(q, s)
	return m.call(queueRequest())
}

func (m *m2m) dequeue(q side, s *slot) error {
	m.fill(q, &slot{})
	if err := m.call(dequeueRequest()); err != nil {
		return err
	}
	if !m.pieces {
		*s = slot{index: int(m.one.Index), used: [3]int{int(m.one.BytesUsed)}, flags: m.one.Flags, stamp: m.one.Timestamp}
		return nil
	}
	*s = slot{index: int(m.many.Index), skip: int(m.planes[0].DataOffset), flags: m.many.Flags, stamp: m.many.Timestamp}
	for i := range s.used {
		s.used[i] = int(m.planes[i].BytesUsed)
	}
	return nil
}

func (m *m2m) wait(d time.Duration) (bool, error) {
	m.poll[0].Revents = 0
	n, err := unix.Poll(m.poll[:], int(d.Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n > 0, err
}

func (m *m2m) drain() error { return ioctl(m.fd, encoderCmdRequest(), &encoderCmd{Cmd: cmdStop}) }

func (m *m2m) close() error {
	for _, b := range m.mapped {
		// Unmapping what was mapped does not fail.
		_ = unix.Munmap(b)
	}
	m.mapped = nil
	return unix.Close(m.fd)
}
