package drill

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Row says what came of one kind of attack.
type Row struct {
	Tried   int            `json:"tried"`
	Refused map[string]int `json:"refused"` // by reason
	Shown   int            `json:"shown"`   // rightly: what arrived was authentic, and new to the viewer
	// Reported are clips that were told of as lacking parts, rightly: which ones.
	Reported int `json:"reported,omitempty"`
	Wrong    int `json:"shown_wrongly"`    // the number that must be 0
	Alarms   int `json:"alarms,omitempty"` // refusals in which the viewer noticed a copied or set back camera
}

// Report is what a drill has found.
type Report struct {
	Deliveries int `json:"deliveries"`
	WrongShown int `json:"wrong_shown"`

	AuthenticSent        int            `json:"authentic_sent"`        // by cameras to their household's viewers, once per viewer
	AuthenticShown       int            `json:"authentic_shown"`       //
	AuthenticAccounted   map[string]int `json:"authentic_accounted"`   // not shown, and why not
	AuthenticUnaccounted int            `json:"authentic_unaccounted"` // the other number that must be 0

	// Forwarded are authentic messages that arrived as they should; the others
	// are among the attacks that they met.
	Forwarded Row `json:"forwarded"`
	// Clips are those that nothing was done to on purpose, or in the end: here they
	// are tried by being looked at.
	Clips   Row            `json:"clips"`
	Attacks map[string]Row `json:"attacks"`
	Keeper  Keeper         `json:"keeper"`

	Seed       uint64   `json:"seed"`
	Households int      `json:"households"`
	Cameras    int      `json:"cameras"`  // of each household
	Sessions   int      `json:"sessions"` // of viewers
	Viewer     string   `json:"viewer"`
	Broker     string   `json:"broker,omitempty"`
	Seconds    float64  `json:"seconds"`
	Examples   []string `json:"examples,omitempty"` // of what went wrong
}

// Keeper says what came of viewers that were away, and then read from a hostile keeper
// what they had missed.
type Keeper struct {
	Viewers int            `json:"viewers"`
	Lies    map[string]Row `json:"lies"` // Tried are lies told, Reported what the viewer then knew to be missing

	WrongShown           int            `json:"wrong_shown"`
	AuthenticSent        int            `json:"authentic_sent"`
	AuthenticShown       int            `json:"authentic_shown"`
	AuthenticAccounted   map[string]int `json:"authentic_accounted"`
	AuthenticUnaccounted int            `json:"authentic_unaccounted"`
}

// Passed reports whether no picture was shown wrongly, and no authentic message
// is unaccounted for.
func (r *Report) Passed() bool {
	return r.WrongShown == 0 && r.AuthenticUnaccounted == 0 && r.Keeper.WrongShown == 0 && r.Keeper.AuthenticUnaccounted == 0
}

// maxExamples bounds what is told in detail.
const maxExamples = 20

// tally adds up what happens in sessions.
type tally struct {
	deliveries int
	forwarded  Row
	clips      Row
	rows       [len(table)]Row
	lies       []Row // as lies
	sent       int
	fates      [fates]int
	examples   []string
}

func newTally() *tally {
	t := &tally{lies: make([]Row, len(lies)), forwarded: Row{Refused: map[string]int{}}, clips: Row{Refused: map[string]int{}}}
	for i := range t.rows {
		t.rows[i].Refused = map[string]int{}
	}
	for i := range t.lies {
		t.lies[i].Refused = map[string]int{}
	}
	return t
}

func (t *tally) row(attack int) *Row {
	switch {
	case attack == honest:
		return &t.forwarded
	case attack >= len(table):
		return &t.lies[attack-len(table)]
	}
	return &t.rows[attack]
}

func (t *tally) example(s string) { t.examples = append(t.examples, s) }

// add adds what u has counted.
func (t *tally) add(u *tally) {
	t.deliveries += u.deliveries
	t.forwarded.add(&u.forwarded)
	t.clips.add(&u.clips)
	for i := range t.rows {
		t.rows[i].add(&u.rows[i])
	}
	for i := range t.lies {
		t.lies[i].add(&u.lies[i])
	}
	t.sent += u.sent
	for i, n := range u.fates {
		t.fates[i] += n
	}
	// The same ones in whatever order sessions end.
	t.examples = append(t.examples, u.examples...)
	slices.Sort(t.examples)
	t.examples = t.examples[:min(len(t.examples), maxExamples)]
}

func (r *Row) add(s *Row) {
	r.Tried += s.Tried
	r.Shown += s.Shown
	r.Reported += s.Reported
	r.Wrong += s.Wrong
	r.Alarms += s.Alarms
	for reason, n := range s.Refused {
		r.Refused[reason] += n
	}
}

func (t *tally) wrong() (n int) {
	n = t.forwarded.Wrong + t.clips.Wrong
	for i := range t.rows {
		n += t.rows[i].Wrong
	}
	for i := range t.lies {
		n += t.lies[i].Wrong
	}
	return n
}

// report fills in r.
func (t *tally) report(r *Report) {
	r.Forwarded, r.Clips, r.Attacks = t.forwarded, t.clips, map[string]Row{}
	r.Deliveries, r.WrongShown = t.deliveries, t.wrong()
	for i, row := range t.rows {
		r.Attacks[table[i].name] = row
	}
	r.AuthenticSent, r.AuthenticShown = t.sent, t.fates[shown]
	r.AuthenticAccounted, r.AuthenticUnaccounted = t.account()
	r.Examples = t.examples
}

// account adds up what was not shown, and why not.
func (t *tally) account() (accounted map[string]int, unaccountedFor int) {
	return map[string]int{
		"superseded": t.fates[superseded], "expired": t.fates[expired],
		"known_missing": t.fates[missing], "forgotten": t.fates[forgotten],
	}, t.fates[unaccounted] + t.fates[refused]
}

// reportKeeper fills in r.Keeper; t is of those viewers alone.
func (t *tally) reportKeeper(r *Report, viewers int) {
	k := Keeper{Viewers: viewers, Lies: map[string]Row{}, WrongShown: t.wrong(), AuthenticSent: t.sent, AuthenticShown: t.fates[shown]}
	k.AuthenticAccounted, k.AuthenticUnaccounted = t.account()
	for i, row := range t.lies {
		k.Lies[lies[i].name] = row
	}
	r.Keeper = k
	r.Examples = append(r.Examples, t.examples...)
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "attack\ttried\tshown wrongly\tauthentic\treported\trefused\n")
	line := func(name string, row Row) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\n", name, row.Tried, row.Wrong, row.Shown, row.Reported, reasons(row))
	}
	for _, a := range table {
		line(a.name, r.Attacks[a.name])
	}
	line("none: forwarded as it came", r.Forwarded)
	line("none: clips as they came", r.Clips)
	for _, l := range lies {
		line("keeper: "+l.name, r.Keeper.Lies[l.name])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	a := r.AuthenticAccounted
	if _, err := fmt.Fprintf(w, `
deliveries   %d, to %d viewers of %d households with %d cameras each, in %v
wrong        %d shown
authentic    %d sent: %d shown, %d superseded by a newer live picture, %d expired before they came,
             %d withheld and known to be missing, %d withheld from a viewer that then lost its memory,
             %d unaccounted for
`, r.Deliveries, r.Sessions, r.Households, r.Cameras, time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond),
		r.WrongShown, r.AuthenticSent, r.AuthenticShown, a["superseded"], a["expired"], a["known_missing"], a["forgotten"], r.AuthenticUnaccounted); err != nil {
		return err
	}
	k := r.Keeper
	a = k.AuthenticAccounted
	if _, err := fmt.Fprintf(w, `keeper       %d viewers were away and read from a hostile one: %d shown wrongly; %d authentic sent: %d shown,
             %d expired, %d withheld and known to be missing, %d unaccounted for
`, k.Viewers, k.WrongShown, k.AuthenticSent, k.AuthenticShown, a["superseded"]+a["expired"], a["known_missing"], k.AuthenticUnaccounted); err != nil {
		return err
	}
	for _, e := range r.Examples {
		if _, err := fmt.Fprintf(w, "wrong        %s\n", e); err != nil {
			return err
		}
	}
	return nil
}

// reasons lists why something was refused, the most frequent first.
func reasons(row Row) string {
	var all []string
	for reason := range row.Refused {
		all = append(all, reason)
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(row.Refused[b], row.Refused[a]), strings.Compare(a, b))
	})
	for i, reason := range all {
		all[i] = fmt.Sprintf("%s %d", reason, row.Refused[reason])
	}
	if row.Alarms > 0 {
		all = append(all, fmt.Sprintf("alarm in %d", row.Alarms))
	}
	return strings.Join(all, ", ")
}

func nameOf(attack int) string {
	switch {
	case attack == honest:
		return "forwarded as it came"
	case attack >= len(table):
		return "keeper: " + lies[attack-len(table)].name
	}
	return table[attack].name
}
