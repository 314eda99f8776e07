package fleet

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// clockTick is what /proc counts processor time in: USER_HZ, which Linux has
// fixed at 100 for every architecture that Go runs on.
const clockTick = time.Second / 100

// cpuTime is what a process has used, "self" for this one; 0 where there is no /proc.
func cpuTime(pid string) time.Duration {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything; see proc_pid_stat(5).
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

// resident is the memory of this process, 0 where there is no /proc.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// files is how many files and connections this process has open, 0 where there is no
// /proc.
func files() int {
	all, _ := os.ReadDir("/proc/self/fd")
	return max(len(all)-1, 0) // the directory itself
}

// usage says what this process uses as it runs.
func usage() *Memory {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &Memory{
		Resident: resident(), Heap: int64(m.HeapAlloc), Stacks: int64(m.StackInuse), Goroutines: runtime.NumGoroutine(), Files: files(), CPU: cpuTime("self"),
	}
}

// measure collects garbage and says what is left. RSS and processor time are of
// before: what the process takes as it runs.
func measure() *Memory {
	before := usage()
	runtime.GC()
	m := usage()
	m.Resident, m.CPU = before.Resident, before.CPU
	return m
}
