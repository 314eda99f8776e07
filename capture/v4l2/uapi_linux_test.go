package v4l2

import (
	"testing"
	"unsafe"

	"github.com/blackjack/webcam"
)

// The sizes and offsets that <linux/videodev2.h> has on 64-bit machines and on
// 32-bit ones with a 32-bit time_t, from a C compiler.
func TestLayoutsAreTheKernels(t *testing.T) {
	type layout struct{ capability, pixFormat, width, buffer, timestamp, sequence, length, queryCtrl uintptr }
	want := layout{104, 208, 8, 88, 24, 56, 72, 68}
	if unsafe.Sizeof(uintptr(0)) == 4 {
		want = layout{104, 204, 4, 68, 20, 44, 56, 68}
	}
	got := layout{
		unsafe.Sizeof(capability{}),
		unsafe.Sizeof(pixFormat{}), unsafe.Offsetof(pixFormat{}.Width),
		unsafe.Sizeof(buffer{}), unsafe.Offsetof(buffer{}.Timestamp), unsafe.Offsetof(buffer{}.Sequence), unsafe.Offsetof(buffer{}.Length),
		unsafe.Sizeof(queryCtrl{}),
	}
	if got != want {
		t.Errorf("layouts %+v, want %+v", got, want)
	}
}

// Where webcam has a request number too, ours is the same.
func TestRequestsAreWebcams(t *testing.T) {
	for name, c := range map[string][2]uintptr{
		"QUERYCAP":  {queryCapRequest(), webcam.VIDIOC_QUERYCAP},
		"G_FMT":     {getFormatRequest(), webcam.VIDIOC_S_FMT - 1},
		"DQBUF":     {dequeueRequest(), webcam.VIDIOC_DQBUF},
		"QUERYCTRL": {queryCtrlRequest(), webcam.VIDIOC_QUERYCTRL},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %#x, webcam's %#x", name, c[0], c[1])
		}
	}
}

// The same for memory-to-memory devices; nothing in these but pointers and times is
// wider on one machine than on another.
func TestCodecLayoutsAreTheKernels(t *testing.T) {
	type layout struct {
		formatDesc, piecesFormat, pieces, count, quantization, piece, offset, dataOffset, piecesBuffer, plane, length,
		requestBuffers, streamParm, numerator, selection, encoderCmd, control uintptr
	}
	want := layout{64, 208, 28, 188, 191, 64, 8, 16, 88, 64, 72, 20, 204, 12, 64, 40, 8}
	if unsafe.Sizeof(uintptr(0)) == 4 {
		want = layout{64, 204, 24, 184, 187, 60, 8, 12, 68, 52, 56, 20, 204, 12, 64, 40, 8}
	}
	got := layout{
		unsafe.Sizeof(formatDesc{}), unsafe.Sizeof(piecesFormat{}), unsafe.Offsetof(piecesFormat{}.Pieces), unsafe.Offsetof(piecesFormat{}.Count), unsafe.Offsetof(piecesFormat{}.Quantization),
		unsafe.Sizeof(piece{}), unsafe.Offsetof(piece{}.Offset), unsafe.Offsetof(piece{}.DataOffset),
		unsafe.Sizeof(piecesBuffer{}), unsafe.Offsetof(piecesBuffer{}.Pieces), unsafe.Offsetof(piecesBuffer{}.Length),
		unsafe.Sizeof(requestBuffers{}), unsafe.Sizeof(streamParm{}), unsafe.Offsetof(streamParm{}.Numerator),
		unsafe.Sizeof(selection{}), unsafe.Sizeof(encoderCmd{}), unsafe.Sizeof(control{}),
	}
	if got != want {
		t.Errorf("layouts %+v, want %+v", got, want)
	}
	if unsafe.Offsetof(buffer{}.Offset) != want.plane {
		t.Errorf("where memory is stands at %d of a buffer", unsafe.Offsetof(buffer{}.Offset))
	}
}

// The numbers that a C compiler makes of <linux/videodev2.h> where no structure
// depends on the machine, and webcam's for the others.
func TestCodecRequestsAreTheKernels(t *testing.T) {
	for name, c := range map[string][2]uintptr{
		"ENUM_FMT":    {enumFormatRequest(), 0xc0405602},
		"S_FMT":       {setFormatRequest(), webcam.VIDIOC_S_FMT},
		"S_FMT (mp)":  {vidioc(ioWR, 5, unsafe.Sizeof(piecesFormat{})), webcam.VIDIOC_S_FMT},
		"REQBUFS":     {buffersRequest(), 0xc0145608},
		"QUERYBUF":    {queryBufRequest(), webcam.VIDIOC_QUERYBUF},
		"QBUF":        {queueRequest(), webcam.VIDIOC_QBUF},
		"QBUF (mp)":   {vidioc(ioWR, 15, unsafe.Sizeof(piecesBuffer{})), webcam.VIDIOC_QBUF},
		"STREAMON":    {streamOnRequest(), 0x40045612},
		"STREAMOFF":   {streamOffRequest(), 0x40045613},
		"S_PARM":      {setParmRequest(), 0xc0cc5616},
		"S_CTRL":      {setCtrlRequest(), 0xc008561c},
		"S_SELECTION": {selectionRequest(), 0xc040565f},
		"ENCODER_CMD": {encoderCmdRequest(), 0xc028564d},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %#x, want %#x", name, c[0], c[1])
		}
	}
}
