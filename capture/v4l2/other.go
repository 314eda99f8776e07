//go:build !linux

package v4l2

import (
	"context"
	"errors"

	"github.com/sealcam/sealcam/capture"
)

// Open fails with capture.ErrNoDevice: V4L2 is Linux.
func Open(path string, want Want) (capture.Camera, error) { return nil, elsewhere(path) }

// Devices returns none: V4L2 is Linux.
func Devices() ([]Device, error) { return nil, nil }

// Controls has nothing to control: V4L2 is Linux.
type Controls struct{}

// OpenControls fails with capture.ErrNoDevice.
func OpenControls(path string) (*Controls, error) { return nil, elsewhere(path) }

// Range fails.
func (*Controls) Range(Control) (Range, error) { return Range{}, errors.ErrUnsupported }

// Get fails.
func (*Controls) Get(Control) (int, error) { return 0, errors.ErrUnsupported }

// Set fails.
func (*Controls) Set(Control, int) (int, error) { return 0, errors.ErrUnsupported }

// Close does nothing.
func (*Controls) Close() error { return nil }

// Encoders returns none: V4L2 is Linux.
func Encoders() ([]EncoderInfo, error) { return nil, nil }

// OpenEncoder fails with ErrNoEncoder.
func OpenEncoder(string, EncoderWant) (*Encoder, error) { return nil, ErrNoEncoder }

// Encoder is none: V4L2 is Linux.
type Encoder struct{}

// Info returns nothing.
func (*Encoder) Info() EncoderInfo { return EncoderInfo{} }

// How returns nothing.
func (*Encoder) How() string { return "" }

// String returns nothing.
func (*Encoder) String() string { return "" }

// Format returns nothing.
func (*Encoder) Format() capture.Format { return capture.Format{} }

// Encode fails.
func (*Encoder) Encode(context.Context, *capture.Frame, func(*capture.Frame) error) error {
	return errors.ErrUnsupported
}

// Drain fails.
func (*Encoder) Drain(context.Context, func(*capture.Frame) error) error {
	return errors.ErrUnsupported
}

// Flush fails.
func (*Encoder) Flush() error { return errors.ErrUnsupported }

// Close does nothing.
func (*Encoder) Close() error { return nil }

func elsewhere(path string) error {
	return &capture.SourceError{Source: path, Err: capture.ErrNoDevice, Try: "video devices are read on Linux only; a file, - or scene:walk works everywhere"}
}
