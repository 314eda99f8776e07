//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// buffer is struct v4l2_buffer, with the kernel's word-sized time.
type buffer struct {
	Index, Type, BytesUsed, Flags, Field uint32
	Seconds, Micros                      int
	_                                    [4]uint32 // timecode
	Sequence, Memory                     uint32
	Offset                               uintptr // a union: its first 4 bytes (all lab kernels are little-endian)
	Length                               uint32
	_                                    [2]uint32
}

const (
	nrQueryBuffer   = 9
	nrQueueBuffer   = 15
	nrDequeueBuffer = 17
	streamOn        = 1<<30 | 4<<16 | 'V'<<8 | 18 // VIDIOC_STREAMON
)

// look streams a few frames and prints what the driver said of each buffer.
// It judges nothing: it shows what a program that captures has to deal with.
func look(args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("look", flag.ContinueOnError)
	frames := fs.Int("frames", 5, "stop after so many")
	size := fs.String("size", "1920x1080", "width and height to ask for")
	fourcc := fs.String("pixel", "YUYV", "four characters to ask for")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var w, h uint32
	if n, err := fmt.Sscanf(*size, "%dx%d", &w, &h); n != 2 || err != nil || len(*fourcc) != 4 || fs.NArg() != 1 {
		return fmt.Errorf("look takes one device\n%s", usage)
	}
	f, err := openDevice(fs.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	c := *fourcc
	got := format{Type: bufCapture, Pix: pixFormat{Width: w, Height: h,
		PixelFormat: uint32(c[0]) | uint32(c[1])<<8 | uint32(c[2])<<16 | uint32(c[3])<<24}}
	if err := ioctl(f, nrSetFormat, &got); err != nil {
		return fmt.Errorf("%s: setting %s %s: %w", fs.Arg(0), c, *size, err)
	}
	fmt.Fprintf(stdout, "format %dx%d bytes=%d\n", got.Pix.Width, got.Pix.Height, got.Pix.SizeImage)
	maps, err := startStream(f)
	if err != nil {
		return fmt.Errorf("%s: %w", fs.Arg(0), err)
	}
	for range *frames {
		b := buffer{Type: bufCapture, Memory: memoryMap}
		if err := ioctl(f, nrDequeueBuffer, &b); err != nil {
			return fmt.Errorf("%s: taking a buffer: %w", fs.Arg(0), err)
		}
		fmt.Fprintf(stdout, "sequence=%d bytes=%d flags=%#x begins=%x\n", b.Sequence, b.BytesUsed, b.Flags, maps[b.Index][:2])
		if err := ioctl(f, nrQueueBuffer, &b); err != nil {
			return fmt.Errorf("%s: giving a buffer back: %w", fs.Arg(0), err)
		}
	}
	return nil
}

// startStream maps and queues four buffers and starts the stream. Everything
// ends with the process.
func startStream(f *os.File) (maps [][]byte, err error) {
	r := requestBuffers{Count: 4, Type: bufCapture, Memory: memoryMap}
	if err := ioctl(f, nrRequestBuffers, &r); err != nil {
		return nil, fmt.Errorf("asking for buffers: %w", err)
	}
	for i := range r.Count {
		b := buffer{Index: i, Type: bufCapture, Memory: memoryMap}
		if err := ioctl(f, nrQueryBuffer, &b); err != nil {
			return nil, fmt.Errorf("buffer %d: %w", i, err)
		}
		m, err := syscall.Mmap(int(f.Fd()), int64(uint32(b.Offset)), int(b.Length), syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			return nil, fmt.Errorf("mapping buffer %d: %w", i, err)
		}
		maps = append(maps, m)
		if err := ioctl(f, nrQueueBuffer, &b); err != nil {
			return nil, fmt.Errorf("queueing buffer %d: %w", i, err)
		}
	}
	kind := int32(bufCapture)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), streamOn, uintptr(unsafe.Pointer(&kind))); errno != 0 {
		return nil, fmt.Errorf("starting the stream: %w", errno)
	}
	return maps, nil
}
