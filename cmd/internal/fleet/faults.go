package fleet

import (
	"fmt"
	"slices"
	"time"
)

// The kinds of trouble.
const (
	faultCut     = "cut"     // the network of a part of the cameras is gone for a while
	faultFlap    = "flap"    // connections of a part are ended, and may come back at once
	faultRestart = "restart" // the broker and its keeper are killed, and started again
	faultNode    = "node"    // one node of the cluster is killed, and started again
	faultKeeper  = "keeper"  // the cluster's keeper is
	faultClock   = "clock"   // some cameras' clocks are wrong, from the start
	faultRelay   = "relay"   // who stands between broker and viewers swaps, replays and changes messages
	faultLiar    = "liar"    // a keeper between the true one and viewers lies
)

// FaultNames returns every kind of trouble.
func FaultNames() []string {
	return []string{faultCut, faultFlap, faultRestart, faultNode, faultKeeper, faultClock, faultRelay, faultLiar}
}

// chosen checks names.
func chosen(names []string) (map[string]bool, error) {
	set := map[string]bool{}
	for _, n := range names {
		if !slices.Contains(FaultNames(), n) {
			return nil, fmt.Errorf("fault %.40q: expected some of %v", n, FaultNames())
		}
		set[n] = true
	}
	return set, nil
}

// fault is one trouble that begins and ends.
type fault struct {
	Kind   string
	At     time.Duration // from the moment when all were there
	Lasts  time.Duration
	Groups []int // of cameras that it befalls, out of groups
}

// groups is how many parts a fleet has for faults; a camera is in one, by chance.
const groups = 20

// plan returns what happens in a run, by the seed: a flap and a cut of some of the
// cameras first, then the broker, or what stands in its place, once all are back,
// and never two at a time.
func (c Config) plan() (all []fault) {
	on, _ := chosen(c.Faults)
	rng := numbers(c.Seed, "faults", 0)
	some := func(n int) []int { return rng.Perm(groups)[:n] }
	part := func(p float64) time.Duration { return time.Duration(p * float64(c.For)) }
	if on[faultFlap] {
		all = append(all, fault{Kind: faultFlap, At: part(.05 + .03*rng.Float64()), Groups: some(2)})
	}
	if on[faultCut] {
		all = append(all, fault{Kind: faultCut, At: part(.12 + .05*rng.Float64()), Lasts: part(.08), Groups: some(5)})
	}
	if on[faultKeeper] && c.Nodes > 0 {
		all = append(all, fault{Kind: faultKeeper, At: part(.30)})
	}
	if on[faultNode] && c.Nodes > 0 {
		all = append(all, fault{Kind: faultNode, At: part(.35), Lasts: part(.15), Groups: []int{rng.IntN(c.Nodes)}})
	}
	if on[faultRestart] && c.Nodes == 0 {
		// Early enough for all to be back within the run.
		all = append(all, fault{Kind: faultRestart, At: part(.35), Lasts: min(part(.03), 10*time.Second)})
	}
	return all
}

// group is the part of the fleet that camera number i is in.
func (c Config) group(i int) int { return numbers(c.Seed, "group", i).IntN(groups) }

// clockError is by how much the clock of camera number i is wrong. Zero for most;
// of the others some lag or lead by hours, others by months, and some begin in 1970.
func (c Config) clockError(i int) (off time.Duration, lost bool) {
	if !slices.Contains(c.Faults, faultClock) {
		return 0, false
	}
	rng := numbers(c.Seed, "clock", i)
	switch p := rng.Float64(); {
	case p < .80:
		return 0, false
	case p < .90:
		return time.Duration((rng.Float64()*2 - 1) * float64(3*time.Hour)), false
	case p < .95:
		return time.Duration((rng.Float64()*2 - 1) * float64(300*24*time.Hour)), false
	}
	return 0, true
}
