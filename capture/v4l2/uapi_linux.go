package v4l2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The part of <linux/videodev2.h> that blackjack/webcam does not offer. The
// kernel's layouts follow the machine's word size and the alignment of its
// time stamps; uapi_linux_test.go holds them to the sizes of the C headers.

// capability is struct v4l2_capability.
type capability struct {
	Driver       [16]byte
	Card         [32]byte
	BusInfo      [32]byte
	Version      uint32
	Capabilities uint32 // of the whole physical device
	DeviceCaps   uint32 // of this node
	_            [3]uint32
}

// pixFormat is struct v4l2_format, of which only the single-planar member
// (struct v4l2_pix_format) of the union is named. The union holds pointers, so
// it is aligned like one.
type pixFormat struct {
	Type uint32
	_    [0]uintptr
	Width, Height, PixelFormat, Field,
	BytesPerLine, SizeImage, Colorspace, Priv,
	Flags, YcbcrEnc, Quantization, XferFunc uint32
	_ [200 - 12*4]byte
}

// buffer is struct v4l2_buffer with the time stamp that the kernel gives to
// programs with this machine's struct timeval.
type buffer struct {
	Index, Type, BytesUsed, Flags, Field uint32
	Timestamp                            unix.Timeval
	_                                    [4]uint32 // struct v4l2_timecode
	Sequence, Memory                     uint32
	Offset                               uintptr // union: where it can be mapped
	Length                               uint32
	_                                    uint32
	_                                    uint32
}

// queryCtrl is struct v4l2_queryctrl.
type queryCtrl struct {
	ID, Type                        uint32
	Name                            [32]byte
	Minimum, Maximum, Step, Default int32
	Flags                           uint32
	_                               [2]uint32
}

const (
	bufTypeCapture = 1 // V4L2_BUF_TYPE_VIDEO_CAPTURE
	memoryMmap     = 1 // V4L2_MEMORY_MMAP

	capCapture       = 0x00000001 // V4L2_CAP_VIDEO_CAPTURE
	capOutput        = 0x00000002 // V4L2_CAP_VIDEO_OUTPUT
	capCaptureMplane = 0x00001000 // V4L2_CAP_VIDEO_CAPTURE_MPLANE
	capM2M           = 0x0000c000 // V4L2_CAP_VIDEO_M2M, _M2M_MPLANE
	capMeta          = 0x08800000 // V4L2_CAP_META_CAPTURE, _OUTPUT
	capStreaming     = 0x04000000 // V4L2_CAP_STREAMING
	capDeviceCaps    = 0x80000000 // V4L2_CAP_DEVICE_CAPS

	colorspaceREC709    = 3 // V4L2_COLORSPACE_REC709
	colorspaceJPEG      = 7 // V4L2_COLORSPACE_JPEG
	quantizationDefault = 0 // V4L2_QUANTIZATION_DEFAULT
	quantizationFull    = 1 // V4L2_QUANTIZATION_FULL_RANGE
	quantizationLimited = 2 // V4L2_QUANTIZATION_LIM_RANGE

	flagError         = 0x0040 // V4L2_BUF_FLAG_ERROR
	flagTimestampMask = 0xe000 // V4L2_BUF_FLAG_TIMESTAMP_MASK
	flagMonotonic     = 0x2000 // V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC

	ctrlDisabled = 0x0001 // V4L2_CTRL_FLAG_DISABLED
	ctrlReadOnly = 0x0004 // V4L2_CTRL_FLAG_READ_ONLY
	ctrlInactive = 0x0010 // V4L2_CTRL_FLAG_INACTIVE
)

// The ioctl numbers are composed as all architectures but MIPS, PowerPC and
// SPARC do, where webcam does not work either.
func vidioc(direction, nr, size uintptr) uintptr {
	return direction<<30 | size<<16 | 'V'<<8 | nr
}

const (
	ioR  = 2
	ioWR = 3
)

func queryCapRequest() uintptr  { return vidioc(ioR, 0, unsafe.Sizeof(capability{})) }
func getFormatRequest() uintptr { return vidioc(ioWR, 4, unsafe.Sizeof(pixFormat{})) }
func dequeueRequest() uintptr   { return vidioc(ioWR, 17, unsafe.Sizeof(buffer{})) }
func queryCtrlRequest() uintptr { return vidioc(ioWR, 36, unsafe.Sizeof(queryCtrl{})) }

// ioctl calls the driver with a pointer to arg. The error is a unix.Errno.
func ioctl[T any](fd int, request uintptr, arg *T) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg)))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// text returns a C string of the driver's, fit for a terminal.
func text(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c == 0 {
			break
		}
		if c < 0x20 || c == 0x7f {
			c = '.'
		}
		out = append(out, c)
	}
	return string(out)
}
