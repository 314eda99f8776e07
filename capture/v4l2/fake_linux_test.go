package v4l2

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fake is a node that does what its fields say.
type fake struct {
	Offers   []Offer
	SetErr   map[uint32]error              // by code
	Driver   func(set pixFormat) pixFormat // what it makes of S_FMT; nil: what was asked
	Fps      float64
	RateErr  error
	StartErr error
	Events   []event // what wait and dequeue give, in order; then silence
	WaitErr  error
	FreeErr  error

	set      pixFormat
	asked    float64
	released []uint32
	closed   int
}

// event is one announced frame.
type event struct {
	err error
	buf buffer
}

func (n *fake) offers() []Offer { return n.Offers }

func (n *fake) setFormat(code uint32, w, h int) error {
	if err := n.SetErr[code]; err != nil {
		return err
	}
	n.set = pixFormat{Width: uint32(w), Height: uint32(h), PixelFormat: code, SizeImage: uint32(4 * w * h)}
	if n.Driver != nil {
		n.set = n.Driver(n.set)
	}
	return nil
}

func (n *fake) format() (pixFormat, error) { return n.set, nil }
func (n *fake) setRate(fps float64) error  { n.asked = fps; return n.RateErr }
func (n *fake) rate() float64              { return n.Fps }

func (n *fake) start() ([][]byte, error) {
	mem := make([][]byte, buffers)
	for i := range mem {
		mem[i] = make([]byte, 100)
		mem[i][0] = byte(i)
	}
	return mem, n.StartErr
}

func (n *fake) wait(d time.Duration) (bool, error) {
	if n.WaitErr != nil || len(n.Events) > 0 {
		return true, n.WaitErr
	}
	time.Sleep(d)
	return false, nil
}

func (n *fake) dequeue(b *buffer) error {
	e := n.Events[0]
	if len(n.Events) > 1 || e.err == nil { // an error at the end stays
		n.Events = n.Events[1:]
	}
	*b = e.buf
	return e.err
}

func (n *fake) release(i uint32) error { n.released = append(n.released, i); return n.FreeErr }
func (n *fake) close() error           { n.closed++; return nil }

const (
	codeMJPG = 0x47504a4d
	codeYUYV = 0x56595559
	codeNV12 = 0x3231564e
	codeH264 = 0x34363248
	codeHEVC = 0x43564548
)

func webcamNode() *fake {
	return &fake{Fps: 29.97003, Offers: []Offer{
		offer("MJPG", codeMJPG, one(640, 480), one(1920, 1080)), offer("YUYV", codeYUYV, one(640, 480)),
	}}
}

// noon is the fake's time: an hour after the machine's start.
func noon() time.Duration { return time.Hour }

func frame(index, sequence, used uint32, flags uint32, at time.Duration) event {
	return event{buf: buffer{Index: index, Sequence: sequence, BytesUsed: used, Flags: flags, Timestamp: unix.NsecToTimeval(int64(at))}}
}

func mustBegin(t testing.TB, n *fake, w Want) *camera {
	t.Helper()
	c, err := begin("/dev/video0", n, w, noon)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
