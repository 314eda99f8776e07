package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const inspectText = `
Says in words what a file shows to everybody: a sealed message (such as a picture or
a part of a clip), a camera's request or hello, a pairing, or the proof of a clip. It needs no key, and so it can prove nothing about whose
camera it was or what can be seen: sealcam verify does.
`

// runInspect is "sealcam inspect".
func runInspect(_ context.Context, env *cli.Env, args []string) error {
	files, err := parseMixed(env.Flags("inspect", "sealcam inspect FILE...", inspectText), args)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return cli.Usagef("no FILE to inspect")
	}
	failed := false
	for i, file := range files {
		if i > 0 {
			fmt.Fprintln(env.Stdout)
		}
		b, err := readBounded(env.Stdin, file, seal.MaxSealed)
		if err != nil {
			return err
		}
		if err := inspect(env, file, b); err != nil {
			failed = true
			fmt.Fprintf(env.Stdout, "%s: %v\n", file, err)
		}
	}
	if failed {
		return &cli.Silent{Code: cli.ExitFailed}
	}
	return nil
}

// fact is one line of what a file shows.
type fact struct{ name, value string }

// inspect finds out what b is and tells what it shows.
func inspect(env *cli.Env, file string, b []byte) error {
	visible, err := seal.Peek(b)
	if err == nil {
		return tell(env, file, "a sealed message", visibleFacts(visible),
			"Its signature fits the key it carries. Nothing is proven about whose camera that is, and\nnothing about the picture: sealcam verify --camera CAMERA does that.")
	}
	if hello, helloErr := seal.OpenHello(b); helloErr == nil {
		return tell(env, file, "a camera's hello", helloFacts(hello), helloProves)
	}
	if hello, requestErr := identity.ParseRequest(b); requestErr == nil {
		return tell(env, file, "a camera's request to be taken in", helloFacts(hello), helloProves)
	}
	if p, pairingErr := identity.ParsePairing(b); pairingErr == nil {
		return tell(env, file, "a pairing", []fact{{"camera", string(p.Camera)}, {"household", string(p.Household)}, {"broker", orNone(p.Broker)}},
			"Nothing in it was checked; the camera does, when it is claimed.")
	}
	if clip.IsProof(b) {
		return inspectProof(env, file, b)
	}
	var refusal *seal.Refusal
	if errors.As(err, &refusal) && refusal.Reason == seal.BrokenSeal {
		return fmt.Errorf("a sealed message that was changed: %s", printable(refusal.Detail, 300))
	}
	return errors.New("neither a sealed message, nor a hello, a request or a pairing")
}

// inspectProof tells which parts of a clip a proof is about.
func inspectProof(env *cli.Env, file string, b []byte) error {
	parts, err := clip.ProofParts(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return errors.New("a proof of a clip, about no part of it")
	}
	words := fmt.Sprintf("%d: %d to %d", len(parts), parts[0]+1, parts[len(parts)-1]+1)
	return tell(env, file, "a proof of a clip", []fact{{"parts", words}}, "Nothing in it was checked; sealcam verify --proof does, with the film beside it.")
}

const helloProves = "It proves that its sender has the camera's key, and nothing about when, or about which camera\nstands in front of you: compare the id with sealcamd id on it."

func tell(env *cli.Env, file, what string, facts []fact, proves string) error {
	fmt.Fprintf(env.Stdout, "%s: %s\n", file, what)
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range facts {
		fmt.Fprintf(w, "  %s\t%s\n", f.name, f.value)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.Stdout, proves)
	return err
}

func visibleFacts(v seal.Visible) []fact {
	facts := []fact{
		{"camera", string(v.Camera)},
		{"household", string(v.Household)},
		{"roster", fmt.Sprintf("sealed under version %d", v.Roster)},
		{"stream", streamWords(v)},
		{"boot", fmt.Sprintf("%x", v.Boot)},
		{"size", fmt.Sprintf("%d bytes", v.Size)},
		{"hash", fmt.Sprintf("%x", v.Hash)},
	}
	if v.Prev != ([32]byte{}) {
		facts = append(facts, fact{"follows", fmt.Sprintf("%x", v.Prev)})
	}
	if !v.Expires.IsZero() {
		facts = append(facts, fact{"expires", v.Expires.UTC().Format(time.RFC3339)})
	}
	return facts
}

func streamWords(v seal.Visible) string {
	switch v.Stream {
	case seal.Durable:
		return fmt.Sprintf("durable: number %d of what must not be lost", v.Seq)
	case seal.Live:
		return fmt.Sprintf("live: number %d, only the newest counts", v.Seq)
	case seal.View:
		return fmt.Sprintf("view: number %d, a frame for those who watch right now", v.Seq)
	}
	return "will: sealed ahead of time, to be published when the camera goes silent"
}

func helloFacts(h *seal.Hello) []fact {
	household := "none yet"
	if h.Household != "" {
		household = fmt.Sprintf("%s, roster %d", h.Household, h.Roster)
	}
	return []fact{{"camera", string(h.Camera)}, {"household", household}, {"model", orNone(h.Model)}, {"firmware", orNone(h.Firmware)}}
}
