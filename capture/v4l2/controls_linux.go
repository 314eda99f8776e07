package v4l2

import (
	"errors"
	"fmt"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// Controls reads and sets a device's controls. It has the device open beside
// whoever captures from it, so it may live on another goroutine than the
// camera; one goroutine uses it at a time. On a USB camera each call is a
// transfer of some milliseconds.
type Controls struct {
	path string
	k    *kernel
}

// OpenControls opens the controls of a device. It fails as Open does.
func OpenControls(path string) (*Controls, error) {
	k, err := openNode(path)
	if err != nil {
		return nil, err
	}
	return &Controls{path: path, k: k}, nil
}

// Range returns what c may be set to; ErrNoControl if the camera lacks it.
func (o *Controls) Range(c Control) (Range, error) {
	q := queryCtrl{ID: uint32(c)}
	if err := ioctl(o.k.fd, queryCtrlRequest(), &q); err != nil {
		return Range{}, o.failed(c, err)
	}
	if q.Flags&ctrlDisabled != 0 {
		return Range{}, o.failed(c, unix.EINVAL)
	}
	return Range{
		Min: int(q.Minimum), Max: int(q.Maximum), Step: int(q.Step), Default: int(q.Default),
		ReadOnly: q.Flags&ctrlReadOnly != 0, Inactive: q.Flags&ctrlInactive != 0,
	}, nil
}

// Get returns the value of c; ErrNoControl if the camera lacks it.
func (o *Controls) Get(c Control) (int, error) {
	v, err := o.k.cam.GetControl(webcam.ControlID(c))
	if err != nil {
		return 0, o.failed(c, err)
	}
	return int(v), nil
}

// Set sets c to the nearest value within its range, and returns that value.
func (o *Controls) Set(c Control, value int) (int, error) {
	r, err := o.Range(c)
	if err != nil {
		return 0, err
	}
	value = fit(value, r.Min, r.Max, r.Step)
	if err := o.k.cam.SetControl(webcam.ControlID(c), int32(value)); err != nil {
		return 0, o.failed(c, err)
	}
	return value, nil
}

// Close closes the device. The controls stay as they were set.
func (o *Controls) Close() error { return o.k.close() }

func (o *Controls) failed(c Control, err error) error {
	if errors.Is(err, unix.EINVAL) {
		err = ErrNoControl
	}
	return fmt.Errorf("%s: %s: %w", o.path, c, err)
}
