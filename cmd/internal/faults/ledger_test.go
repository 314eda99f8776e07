package faults

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
)

const door seal.CameraID = "door"

func said(seq int, hash byte) string {
	return fmt.Sprintf("time=2026-11-23T01:57:26.810Z level=DEBUG msg=sealed part=uplink seq=%d hash=%s kind=snapshot\n", seq, strings.Repeat(fmt.Sprintf("%02x", hash), 32))
}

// show is what a viewer would have noted.
func (l *Ledger) show(seq uint64, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account(door).shown[seq] = times
}

// What the log says is sealed; every number that is neither verified nor
// confessed is lost, also one that the log does not have.
func TestLedgerCounts(t *testing.T) {
	l := NewLedger()
	w := l.Log(door)
	text := said(1, 1) + "level=INFO msg=connected\n" + said(2, 2) + said(3, 3) + said(6, 6)
	for _, part := range strings.SplitAfter(text, "hash=") { // as a pipe gives it
		fmt.Fprint(w, part)
	}
	l.show(1, 1)
	l.show(2, 3)
	l.mu.Lock()
	l.account(door).confessed = map[uint64]bool{2: true, 4: true}
	l.mu.Unlock()
	if got, want := l.Count(door), (Count{Sealed: 4, Verified: 2, Doubled: 2, Confessed: 1, Lost: 3, Denied: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := fmt.Sprint(l.Missing(door)); got != "[3 5 6]" {
		t.Errorf("missing %s", got)
	}
	if !l.Said(door, "msg=connected") || l.Said(door, "sealed") || len(l.Contradictions()) != 0 {
		t.Errorf("log %q, contradictions %q", l.Tail(door), l.Contradictions())
	}
	l.Until(door, 2)
	if got := l.Total(); got.Lost != 0 || got.Sealed != 2 {
		t.Errorf("up to 2: %+v", got)
	}
}

// A number that is used twice is told, and so is a log that cannot be read.
func TestLedgerContradictions(t *testing.T) {
	l := NewLedger()
	fmt.Fprint(l.Log(door), said(1, 1)+said(1, 1))
	if got := l.Contradictions(); len(got) != 0 {
		t.Errorf("the same message twice: %q", got)
	}
	fmt.Fprint(l.Log(door), said(1, 2)+"level=DEBUG msg=sealed seq=x hash=0\n")
	if got := l.Contradictions(); len(got) != 2 || !strings.Contains(got[0], "number 1 is 01010101") || !strings.Contains(got[1], "cannot read") {
		t.Errorf("%q", got)
	}
}
