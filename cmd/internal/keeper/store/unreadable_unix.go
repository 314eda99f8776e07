//go:build unix

package store

import (
	"errors"
	"syscall"
)

// unreadable says that a disk has bytes that it cannot give: they are lost, and
// those behind them need not be.
func unreadable(err error) bool { return errors.Is(err, syscall.EIO) }
