package v4l2

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// webcam v0.6.1 keeps its file descriptor and its mapped buffers to itself, and
// without them there are no time stamps, no sequence numbers, no error flags and
// no way to learn the format. This file is the only one that looks inside;
// reach_linux_test.go pins what it finds there.

// descriptor returns the file descriptor of an open webcam.
func descriptor(w *webcam.Webcam) (int, error) {
	f := reflect.ValueOf(w).Elem().FieldByName("fd")
	if f.Kind() != reflect.Uintptr {
		return 0, fmt.Errorf("this build has another webcam library than v0.6.1: field fd is %v", f.Kind())
	}
	return int(f.Uint()), nil
}

// mappings returns the buffers that StartStreaming mapped, also when it failed
// half-way. They are valid until StopStreaming.
func mappings(w *webcam.Webcam) ([][]byte, error) {
	f := reflect.ValueOf(w).Elem().FieldByName("buffers")
	if !f.IsValid() || f.Type() != reflect.TypeFor[[][]byte]() {
		return nil, fmt.Errorf("this build has another webcam library than v0.6.1: no field buffers")
	}
	out := make([][]byte, f.Len())
	for i := range out {
		out[i] = f.Index(i).Bytes()
	}
	return out, nil
}

// start is StartStreaming with the two things it lacks: after a failure nothing
// stays mapped, and the error has its errno again.
func start(w *webcam.Webcam) error {
	err := w.StartStreaming()
	if err == nil {
		return nil
	}
	if mapped, mapErr := mappings(w); mapErr == nil {
		for _, m := range mapped {
			if m != nil {
				// What cannot be unmapped now is unmapped when the process ends.
				_ = unix.Munmap(m)
			}
		}
	}
	return withErrno(err)
}

// withErrno finds the errno that webcam turned into text at the end of err.
func withErrno(err error) error {
	for _, errno := range []unix.Errno{unix.EBUSY, unix.ENOSPC, unix.ENODEV, unix.ENOMEM, unix.EIO,
		unix.EINVAL, unix.EPROTO, unix.ETIMEDOUT, unix.EPIPE, unix.ENOTTY, unix.EPERM, unix.EACCES, unix.EBADF, unix.ENOSYS} {
		if strings.HasSuffix(err.Error(), ": "+errno.Error()) {
			return fmt.Errorf("%s: %w", strings.TrimSuffix(err.Error(), ": "+errno.Error()), errno)
		}
	}
	return err
}
