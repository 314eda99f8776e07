package agent

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// threadCPU returns the CPU time that the calling thread has used.
func threadCPU() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// ProcessCPU returns the CPU time that this process has used, all threads and
// the kernel's work for them together.
func ProcessCPU() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

// clock reads a clock without telling Go's scheduler, which would get ready for a call that
// waits: none of these does, and there are ten readings for each frame.
func clock(id int32) time.Duration {
	var ts unix.Timespec
	if _, _, errno := syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0 // a kernel without this clock: the figures read 0, nothing else depends on them
	}
	return time.Duration(ts.Nano())
}

// Monotonic returns CLOCK_MONOTONIC, by which V4L2 drivers stamp their frames.
func Monotonic() time.Duration { return clock(unix.CLOCK_MONOTONIC) }

// kernelSynced says whether something (chrony, ntpd, systemd-timesyncd) keeps
// the wall clock set and tells the kernel so, as adjtimex(2) has it. known is
// false where the kernel does not say.
func kernelSynced() (synced, known bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t) // modes 0: it only asks
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, err == nil
}
