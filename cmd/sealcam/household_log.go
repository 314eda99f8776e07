package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

func householdLog(_ context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household log", "", `
Lists every roster that this directory has had, what it changed, when, and which
owner key signed it, and what operators added. All of it is read from the signed
rosters in DIR/rosters, each of which names the one before it. It fails if two of
them do not follow each other.`, []string{"DIR"}, nil)
	if err != nil {
		return err
	}
	all, err := identity.ReadHistory(rest[0])
	if err != nil {
		return hintNoHousehold(rest[0], err)
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	holes := 0
	for i, c := range all {
		head := fmt.Sprintf("%d\t%s\t%.8s", c.Version, moment(c.Issued), c.Signer)
		if c.Follows != "" {
			fmt.Fprintf(w, "%s\t%s\n", head, c.Follows)
			head = "\t\t"
			if i > 0 {
				holes++
			}
		}
		if len(c.What) == 0 && c.Follows == "" {
			fmt.Fprintf(w, "%s\tnothing changed\n", head)
		}
		for _, what := range c.What {
			fmt.Fprintf(w, "%s\t%s\n", head, printable(what, 200))
			head = "\t\t"
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if holes > 0 {
		return fmt.Errorf("of %d rosters, %d cannot be seen to follow the one before", len(all), holes)
	}
	return nil
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// addAsOperator takes a camera in as a viewer that may add. There is no certificate
// for the broker in it, which only the owner can sign: the camera brings one of its
// own, or gets its pairing from the owner.
func addAsOperator(ctx context.Context, env *cli.Env, dir string, hello *seal.Hello, name string, notOwner error) error {
	who, err := identity.OpenViewer(dir, "")
	if err != nil {
		return err
	}
	if v, ok := who.Roster().Viewer(who.Key().ID()); !ok || !v.May(seal.MayAdd) {
		return cli.Hint(notOwner, "an owner can let this viewer add cameras: sealcam household roles DIR %s watch,add", who.Name())
	}
	if hello.Household != "" && hello.Household != who.Household() {
		return errors.New("this camera belongs to another household: reset it first")
	}
	unlock, err := who.Lock()
	if err != nil {
		return err
	}
	err = who.AddCamera(hello.Camera, name, nil, time.Now())
	unlock()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "camera  %s  %s\nadded by %s to roster %d, until the owner's next one takes it in\n", hello.Camera, name, who.Name(), who.Roster().Version)
	fmt.Fprintf(env.Stdout, "Its pairing, with a certificate for the broker, the owner writes from the same request: sealcam household pair DIR CAMERA --request FILE\n")
	return spread(ctx, env.Stdout, dir)
}
