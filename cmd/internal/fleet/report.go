package fleet

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Held is what both sides hold in memory at one moment.
type Held struct {
	Cameras Memory `json:"cameras"`
	Broker  Memory `json:"broker"`
}

// Return is how the fleet came back after a fault.
type Return struct {
	Fault  string        `json:"fault"`
	At     time.Duration `json:"at_ns"`
	Away   time.Duration `json:"away_ns"`     // how long the fault lasted
	Took   time.Duration `json:"took_ns"`     // from its end until all cameras were back
	Peak   int           `json:"peak_per_s"`  // connections in the busiest second: of a broker that was started anew, any second, by its own clock
	Turned uint64        `json:"turned_away"` // attempts for which the broker had no room to wait
	Rates  []int         `json:"rates_per_s"` // connections of each second from the fault on
	before sideStats     // of the broker
	from   int           // of the series
}

// Side is what one side has used between the first event and the end.
type Side struct {
	CPU time.Duration `json:"cpu_ns"`
	In  uint64        `json:"bytes_in"`  // over the network, with TLS
	Out uint64        `json:"bytes_out"` //
}

// Report is what a run has found.
type Report struct {
	Cameras    int           `json:"cameras"`
	Households int           `json:"households"`
	For        time.Duration `json:"for_ns"`
	Day        time.Duration `json:"day_ns"`
	Ran        time.Duration `json:"ran_ns"` // with what faults took longer
	Events     float64       `json:"events_per_day"`
	Size       int           `json:"typical_bytes"`
	Seed       uint64        `json:"seed"`
	Spread     time.Duration `json:"spread_ns"`
	Bound      int           `json:"bound_per_s"`

	Lost  uint64 `json:"lost"`  // the first number that must be 0
	Wrong int    `json:"wrong"` // the second

	Sealed       uint64            `json:"sealed"` // durable messages: pictures, and what cameras say about themselves
	SealedBytes  uint64            `json:"sealed_bytes"`
	Arrived      uint64            `json:"arrived"`
	Acknowledged uint64            `json:"acknowledged,omitempty"` // by a broker that is not of the run, in place of Arrived
	Waiting      uint64            `json:"waiting"`                // in spools, at the end
	Dropped      uint64            `json:"dropped"`                // given up by cameras for want of space, and confessed
	Doubtful     uint64            `json:"doubtful"`               // neither kept nor waiting, and in the spool as acknowledged: nobody has asked for it again
	Torn         uint64            `json:"torn"`                   // acknowledged by a broker or a cluster before it or its keeper was killed, and not kept by then
	Unkept       []Unkept          `json:"unkept,omitempty"`
	Verdicts     map[string]uint64 `json:"verdicts"` // of the keeper since its last start
	Refusals     map[string]uint64 `json:"refusals"` // what cameras did not obey, by kind and reason
	Watched      Watched           `json:"watched"`
	Liar         *Lied             `json:"liar,omitempty"` // what viewers saw who read from a keeper that lies
	Returns      []Return          `json:"returns"`

	Connected   time.Duration `json:"connected_ns"` // from the beginning until all cameras were there
	Connections uint64        `json:"connections"`  // made in all
	Resumed     uint64        `json:"resumed"`      // of the broker's handshakes since its start, those that took up a session
	Open        Held          `json:"open"`         // before the first connection, nothing collected
	Idle        Held          `json:"idle"`         // all are there
	End         Held          `json:"end"`          // all has arrived
	CameraSide  Side          `json:"camera_side"`
	BrokerSide  Side          `json:"broker_side"`
	Each        [2]Each       `json:"each"`       // what one camera costs: its own side; broker and keeper
	Peak        int           `json:"peak_per_s"` // of connections, in any second that is counted

	Notes []string `json:"notes,omitempty"`

	start  [2]sideStats
	atKill *tally        // nil when nothing was killed
	spent  time.Duration // of brokers that were killed
}

func newReport(c Config) *Report {
	bound := c.Handshakes
	if c.Broker != "" {
		bound = 0 // its own, which nobody knows
	}
	return &Report{
		Cameras: c.Cameras, Households: c.Homes(), For: c.For, Day: c.Day, Events: c.Events, Size: c.Size, Seed: c.Seed,
		Spread: c.Spread, Bound: bound,
	}
}

// Passed says whether nothing was lost, nothing was shown wrongly, and all that a
// broker had acknowledged and not kept was sent again.
func (r *Report) Passed() bool { return r.Lost == 0 && r.Wrong == 0 && r.Doubtful == 0 }

// before takes down what both sides have used before the first event.
func (r *Report) before(run *run) {
	r.start = [2]sideStats{run.cameras.stats(), run.broker.stats()}
	r.Peak = r.start[1].Busiest
	for _, n := range run.nodes {
		r.spent -= n.cpu()
	}
}

// after takes down what they have used since.
func (r *Report) after(run *run) {
	r.Ran = time.Since(run.first)
	c, b := run.cameras.stats(), run.broker.stats()
	r.CameraSide = Side{CPU: c.CPU - r.start[0].CPU, In: c.In - r.start[0].In, Out: c.Out - r.start[0].Out}
	for _, n := range run.nodes {
		r.spent += n.cpu()
	}
	r.BrokerSide = Side{CPU: r.spent + b.CPU - r.start[1].CPU, In: r.CameraSide.Out, Out: r.CameraSide.In}
}

// returned takes down a return.
func (r *Report) returned(run *run, back Return) {
	if back.Fault == faultRestart || back.Fault == faultKeeper { // another process has used this
		r.spent += run.series.lastCPU
	}
	back.Rates = run.series.rates(back.from)
	for _, n := range back.Rates {
		back.Peak = max(back.Peak, n)
	}
	back.Turned = run.broker.stats().Turned - back.before.Turned
	r.Returns = append(r.Returns, back)
}

// finish fills in what is known at the end.
func (r *Report) finish(run *run) {
	c, b := run.cameras.stats(), run.broker.stats()
	r.Watched = run.screens.watched()
	r.Liar = run.screens.lies()
	r.Wrong = run.screens.wrong() + int(b.Bad)
	r.Refusals = c.Refusals
	r.SealedBytes, r.Connections, r.Resumed, r.Verdicts = c.Bytes, c.Connects, b.Resumed, b.Verdicts
	r.Each = r.costs()
	for i := range r.Returns {
		back := &r.Returns[i]
		if back.Fault == faultRestart { // whose broker knows: samples are not of whole seconds
			back.Peak = b.Busiest
			for k, n := range back.Rates {
				back.Rates[k] = min(n, back.Peak)
			}
		}
		r.Peak = max(r.Peak, back.Peak)
	}
}

// WriteJSON writes r for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteTable writes r for people.
func (r *Report) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, a ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, a...)) }
	line("fleet", "%d cameras of %d households, seed %d", r.Cameras, r.Households, r.Seed)
	line("lasted", "%v, a day is %v; all were there after %v", r.For, r.Day, r.Connected.Round(time.Second))
	if r.Acknowledged > 0 {
		line("sent", "%d messages were acknowledged by the broker; whether it hands them on is not looked at", r.Acknowledged)
	}
	line("sealed", "%d messages, %s; %d arrived, %d wait in spools, %d acknowledged there and not kept, %d given up for want of space", r.Sealed, size(r.SealedBytes), r.Arrived, r.Waiting, r.Doubtful, r.Dropped)
	if r.Torn > 0 {
		line("not kept", "%d messages that were acknowledged before something was killed; %d of them were sent again", r.Torn, r.Torn-min(r.Doubtful, r.Torn))
	}
	if r.Watched.Households > 0 {
		line("watched", "%d households: %d pictures shown, %d still missing; %d messages tampered with, refused %s", r.Watched.Households, r.Watched.Shown, r.Watched.Missing, r.Watched.Tampered, words(r.Watched.Refused))
	}
	if l := r.Liar; l != nil {
		line("lied to", "%d households: %d pictures shown, %d still missing; %d lies, of which %s; refused %s", l.Households, l.Shown, l.Missing, l.Tampered, words(l.Told), words(l.Refused))
	}
	line("not obeyed", "by cameras: %s", words(r.Refusals))
	for _, b := range r.Returns {
		if r.Bound == 0 {
			line("after "+b.Fault, "all back in %v; at most %d connections a second", b.Took.Round(time.Second/10), b.Peak)
			continue
		}
		line("after "+b.Fault, "all back in %v; at most %d connections a second of %d, %d turned away", b.Took.Round(time.Second/10), b.Peak, r.Bound, b.Turned)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := r.writeCosts(out); err != nil {
		return err
	}
	for _, b := range r.Returns {
		if b.Fault == faultRestart || b.Fault == faultNode {
			fmt.Fprintf(out, "\nconnections a second after the "+what(b.Fault)+" was killed\n%s", chart(b.Rates, r.Bound))
		}
	}
	examples := r.Watched.Examples
	if r.Liar != nil {
		examples = slices.Concat(examples, r.Liar.Examples)
	}
	for _, e := range slices.Concat(examples, r.Notes) {
		fmt.Fprintln(out, e)
	}
	for _, u := range r.Unkept[:min(maxExamples, len(r.Unkept))] {
		fmt.Fprintln(out, u)
	}
	_, err := fmt.Fprintf(out, "\nlost %d, wrong %d\n", r.Lost, r.Wrong)
	return err
}

// what is what a fault kills.
func what(fault string) string {
	if fault == faultRestart {
		return "broker"
	}
	return fault
}

// words lists counts by name.
func words[N int | uint64](m map[string]N) string {
	var all []string
	for _, k := range sorted(m) {
		all = append(all, fmt.Sprintf("%d %s", m[k], k))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
