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
