//go:build unix

package identity_test

import "syscall"

func setUmask() { syscall.Umask(0) }
