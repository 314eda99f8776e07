//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// Numbers and structures are those of linux/videodev2.h, for kernels of both
// word sizes.
const (
	bufCapture = 1 // V4L2_BUF_TYPE_VIDEO_CAPTURE
	bufOutput  = 2 // V4L2_BUF_TYPE_VIDEO_OUTPUT
	memoryMap  = 1 // V4L2_MEMORY_MMAP

	ctrlNext     = 0x80000000 // V4L2_CTRL_FLAG_NEXT_CTRL
	ctrlDisabled = 0x0001     // V4L2_CTRL_FLAG_DISABLED
	ctrlClass    = 6          // V4L2_CTRL_TYPE_CTRL_CLASS
)

type pixFormat struct {
	Width, Height, PixelFormat, Field, BytesPerLine, SizeImage uint32
	Colorspace, Priv, Flags, YCbCr, Quantization, Transfer     uint32
}

// format is struct v4l2_format; its union holds pointers, so it starts on a
// word.
type format struct {
	Type uint32
	_    [0]uintptr
	Pix  pixFormat
	_    [200 - 48]byte
}

type requestBuffers struct {
	Count, Type, Memory, Capabilities uint32
	_                                 [4]byte
}

type queryControl struct {
	ID, Type           uint32
	Name               [32]byte
	Min, Max, Step, Is int32
	Flags              uint32
	_                  [2]uint32
}

type control struct {
	ID    uint32
	Value int32
}

// Request numbers within V4L2's ioctl group 'V'.
const (
	nrSetFormat      = 5
	nrRequestBuffers = 8
	nrGetControl     = 27
	nrSetControl     = 28
	nrQueryControl   = 36
)

// ioctl makes a read-write V4L2 request: _IOWR('V', nr, T).
func ioctl[T any](f *os.File, nr uintptr, arg *T) error {
	request := 3<<30 | unsafe.Sizeof(*arg)<<16 | 'V'<<8 | nr
	for {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(arg)))
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
			continue
		}
		return errno
	}
}

// openDevice opens a device without os.OpenFile, which would hand it to Go's
// poller: to the kernel's videobuf2 a poll of an idle device asks for a stream
// to read from, and every later request finds it busy.
func openDevice(path string) (*os.File, error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// hold owns a device's buffers until ctx ends, as another program that
// streams would.
func hold(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("hold takes one device\n%s", usage)
	}
	f, err := openDevice(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	if err := ioctl(f, nrRequestBuffers, &requestBuffers{Count: 2, Type: bufCapture, Memory: memoryMap}); err != nil {
		return fmt.Errorf("%s: taking buffers: %w", args[0], err)
	}
	fmt.Fprintln(stdout, "holding", args[0])
	<-ctx.Done()
	return nil
}

// each calls do with every control of a device until it returns false.
func each(f *os.File, do func(name string, q queryControl) bool) {
	q := queryControl{ID: ctrlNext}
	for ioctl(f, nrQueryControl, &q) == nil {
		if q.Flags&ctrlDisabled == 0 && q.Type != ctrlClass && !do(controlName(q.Name[:]), q) {
			return
		}
		q = queryControl{ID: q.ID | ctrlNext}
	}
}

// controlName turns "Percentage of Dropped Buffers" into
// "percentage_of_dropped_buffers", as v4l2-ctl does.
func controlName(raw []byte) string {
	name, _, _ := strings.Cut(string(raw), "\x00")
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimSuffix(b.String(), "_")
}

// controls lists a device's controls, one "name=value min..max" a line.
// Buttons and strings have no value that could be read as a number.
func controls(args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("controls takes one device\n%s", usage)
	}
	f, err := openDevice(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	each(f, func(name string, q queryControl) bool {
		c := control{ID: q.ID}
		if ioctl(f, nrGetControl, &c) != nil {
			fmt.Fprintln(stdout, name)
		} else {
			fmt.Fprintf(stdout, "%s=%d %d..%d\n", name, c.Value, q.Min, q.Max)
		}
		return true
	})
	return nil
}

// set sets controls in the order given. A button is pressed by any value.
func set(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("set takes a device and NAME=VALUE\n%s", usage)
	}
	f, err := openDevice(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	for _, arg := range args[1:] {
		want, text, _ := strings.Cut(arg, "=")
		value, err := strconv.ParseInt(text, 0, 32)
		if err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		var c *control
		each(f, func(name string, q queryControl) bool {
			if name == want {
				c = &control{ID: q.ID, Value: int32(value)}
			}
			return c == nil
		})
		if c == nil {
			return fmt.Errorf("%s has no control %s", args[0], want)
		}
		if err := ioctl(f, nrSetControl, c); err != nil {
			return fmt.Errorf("%s: setting %s: %w", args[0], arg, err)
		}
	}
	return nil
}
