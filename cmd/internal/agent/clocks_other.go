//go:build !linux

package agent

import "time"

// threadCPU is known on Linux only; elsewhere the figures per stage read 0.
func threadCPU() time.Duration { return 0 }

// ProcessCPU is known on Linux only; elsewhere it reads 0.
func ProcessCPU() time.Duration { return 0 }

// Monotonic returns the time since 1970: elsewhere than on Linux nothing is
// stamped by a driver's clock, and a bench does not sleep.
func Monotonic() time.Duration { return time.Duration(time.Now().UnixNano()) }

// kernelSynced says that nothing is known.
func kernelSynced() (synced, known bool) { return false, false }
