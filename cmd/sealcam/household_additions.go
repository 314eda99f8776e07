package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// takeAdditions sees to it that no camera of an operator's is dropped only because
// the owner made a roster without knowing of it: an owner takes it in, or is told why
// not, and an operator adds it again. owner is nil for who is none; before is the
// roster that was the newest here.
func (h heard) takeAdditions(out io.Writer, owner *identity.Household, who *identity.Viewer, before *seal.Roster) error {
	if owner == nil {
		added, err := who.AddAgain(before, time.Now())
		for _, c := range added {
			fmt.Fprintf(out, "camera  %s  %s\nadded again, to roster %d: its owner made that one without knowing\n", c.ID, c.Name, who.Roster().Version)
		}
		if seal.ReasonOf(err) != "" { // it may not add any more, and can publish all the same
			fmt.Fprintf(out, "not added again: %v\n", err)
			err = nil
		}
		return err
	}
	var rosters [][]byte
	for _, it := range h.rosters {
		rosters = append(rosters, it.Sealed)
	}
	taken, left, err := owner.TakeAdditions(rosters...)
	if err != nil {
		return err
	}
	for _, a := range taken {
		fmt.Fprintf(out, "camera  %s  %s\nadded by %s to roster %d, and taken in\n", a.Camera.ID, printable(a.Camera.Name, 40), a.Name, a.Roster)
	}
	for _, a := range left {
		fmt.Fprintf(out, "camera  %s  %s\nadded by %s to roster %d, and NOT taken in: %s. If it shall be: sealcam household add-camera\n", a.Camera.ID, printable(a.Camera.Name, 40), a.Name, a.Roster, a.Why)
	}
	if len(taken) > 0 {
		_, err = who.Refresh()
	}
	return err
}
