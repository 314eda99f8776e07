package fleet

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Each is what one camera costs on one side: a whole process over its cameras.
type Each struct {
	Resident   int64         `json:"resident"`     // bytes of RSS, all connected and idle
	InUse      int64         `json:"in_use"`       // of that, heap and stacks after a collection
	End        int64         `json:"resident_end"` // bytes of RSS, when all has arrived
	InUseEnd   int64         `json:"in_use_end"`
	Goroutines float64       `json:"goroutines"`
	Files      float64       `json:"files"`      // open, with connections
	Connect    time.Duration `json:"connect_ns"` // processor time of one connection: the handshake of TLS, and what is sealed and said at first
	CPU        time.Duration `json:"cpu_day_ns"` // processor time of a day
	Sent       int64         `json:"sent_day"`   // bytes of a day on the network, with TLS
}

// costs reckons what one camera costs, from what both sides measured.
func (r *Report) costs() [2]Each {
	n, day := float64(r.Cameras), float64(r.Day)/float64(max(r.Ran, 1))
	one := func(open, idle, end Memory, used Side) Each {
		return Each{
			Resident: int64(float64(idle.Resident) / n), InUse: int64(float64(idle.Heap+idle.Stacks) / n),
			End: int64(float64(end.Resident) / n), InUseEnd: int64(float64(end.Heap+end.Stacks) / n),
			Goroutines: float64(idle.Goroutines) / n, Files: float64(idle.Files) / n,
			Connect: time.Duration(float64(idle.CPU-open.CPU) / n),
			CPU:     time.Duration(float64(used.CPU) / n * day), Sent: int64(float64(used.Out) / n * day),
		}
	}
	return [2]Each{
		one(r.Open.Cameras, r.Idle.Cameras, r.End.Cameras, r.CameraSide),
		one(r.Open.Broker, r.Idle.Broker, r.End.Broker, r.BrokerSide),
	}
}

// writeCosts writes what a camera costs on each side.
func (r *Report) writeCosts(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\ncost of one camera\tits side\tbroker and keeper\t\n")
	for _, row := range []struct {
		name string
		text func(Each) string
	}{
		{"memory, idle", func(e Each) string { return bytesOf(e.Resident) }},
		{"in use after a collection", func(e Each) string { return bytesOf(e.InUse) }},
		{"memory, at the end", func(e Each) string { return bytesOf(e.End) }},
		{"in use after a collection", func(e Each) string { return bytesOf(e.InUseEnd) }},
		{"goroutines", func(e Each) string { return fmt.Sprintf("%.1f", e.Goroutines) }},
		{"open files", func(e Each) string { return fmt.Sprintf("%.1f", e.Files) }},
		{"processor, to connect", func(e Each) string { return fine(e.Connect) }},
		{"processor, a day", func(e Each) string { return fine(e.CPU) }},
		{"sent, a day", func(e Each) string { return bytesOf(e.Sent) }},
	} {
		fmt.Fprintf(w, "%s\t%s\t%s\t\n", row.name, row.text(r.Each[0]), row.text(r.Each[1]))
	}
	return w.Flush()
}

func fine(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

func bytesOf(n int64) string { return size(uint64(max(n, 0))) }

// size is bytes for people.
func size(n uint64) string {
	for _, u := range []struct {
		n    float64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if float64(n) >= u.n {
			return fmt.Sprintf("%.1f %s", float64(n)/u.n, u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
