//go:build !linux

package mqtt

import "syscall"

// tuneSocket does nothing here: cameras run Linux.
func tuneSocket(_, _ string, _ syscall.RawConn) error { return nil }
