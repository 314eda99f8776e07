package mqtt

import (
	"syscall"
	"time"
)

// Options of linux/tcp.h that package syscall does not name.
const (
	tcpUserTimeout  = 0x12 // TCP_USER_TIMEOUT, since Linux 2.6.37
	tcpNotSentLowat = 0x19 // TCP_NOTSENT_LOWAT, since Linux 3.12
)

// Unanswered data ends the connection after userTimeout instead of the
// kernel's quarter of an hour. And no more than lowat bytes wait unsent in the
// kernel: what has been written there cannot be overtaken, and on a link of 64
// kbit/s the kernel's usual 4 MB would make a status wait for eight minutes.
const (
	userTimeout = 30 * time.Second
	lowat       = 64 << 10
)

// tuneSocket is a net.Dialer's Control. A kernel without these options is
// slower to notice and to overtake, and otherwise fine, so nothing is reported.
func tuneSocket(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(userTimeout.Milliseconds()))
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, lowat)
	})
}
