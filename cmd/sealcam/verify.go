package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const verifyText = `
Checks sealed files: that the camera you name sealed them, for this household, and
that nobody changed them. Which camera you expect is for you to say, by its id or
the household's name for it; nothing in a file decides that.

With --proof it checks plain media that sealcam export wrote instead, against the
proof beside it. That takes no household and no key; --camera is an id then.

Of clips it says which parts there are: what is missing, stands twice or in another
order is named, in files of parts and in a film with its proof.

Exit code 0 means that every file is verified, and every clip whole or --partial was
given, 1 that one was not or could not be read, 2 a mistake in the command. It says nothing about when: an old file
verifies like a new one, but a live picture is refused as stale once it has expired.
`

// runVerify is "sealcam verify".
func runVerify(_ context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("verify", "sealcam verify --household DIR [--viewer NAME] --camera CAMERA [--partial] FILE...\n       sealcam verify --proof FILE.proof [--camera ID] [--partial] MEDIA", verifyText)
	dir := fs.String("household", "", "the household's `directory`")
	name := fs.String("viewer", "", "as which viewer; the only one if empty")
	camera := fs.String("camera", "", "id or name of the `camera` that the files must be of")
	proof := fs.String("proof", "", "check MEDIA against this proof `file`, without any key")
	partial := fs.Bool("partial", false, "a clip may lack parts")
	files, err := parseMixed(fs, args)
	switch {
	case err != nil:
		return err
	case *proof != "" && (*dir != "" || *name != ""):
		return cli.Usagef("--proof needs no household: leave out --household and --viewer")
	case *proof != "":
		return verifyProof(env, *proof, *camera, *partial, files)
	case *dir == "":
		return cli.Usagef("--household is missing")
	case *camera == "":
		return cli.Usagef("--camera is missing: of which camera must the files be?")
	case len(files) == 0:
		return cli.Usagef("no FILE to verify")
	}
	who, err := identity.OpenViewer(*dir, *name)
	if err != nil {
		return hintNoHousehold(*dir, err)
	}
	expected, err := findCamera(who.Roster(), *camera)
	if err != nil {
		return err
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: who.Household(), Roster: who.Roster(), Key: who.Key(), Now: time.Now})
	if err != nil {
		return err
	}
	refused, clips := false, clipsOfFiles{env: env, partial: *partial, films: map[clip.Key]*clip.Film{}}
	for _, file := range files {
		b, err := readBounded(env.Stdin, file, seal.MaxSealed)
		if err != nil {
			return err
		}
		v, err := opener.Check(expected.ID, b)
		if err != nil {
			refused = true
			tellRefusal(env, file, err)
			continue
		}
		fmt.Fprintf(env.Stdout, "%s  %s  %s\n", env.Paint(cli.Good, "verified"), file, verifiedWords(v, expected.Name))
		refused = !clips.take(file, v) || refused
	}
	if !clips.end() || refused {
		return &cli.Silent{Code: cli.ExitFailed}
	}
	return nil
}

func tellRefusal(env *cli.Env, file string, err error) {
	var r *seal.Refusal
	if !errors.As(err, &r) {
		r = &seal.Refusal{Reason: seal.Malformed, Err: err}
	}
	fmt.Fprintf(env.Stdout, "%s   %s  %s: %s\n", env.Paint(cli.Bad, "refused"), file, r.Reason, r.Reason.Person())
	detail := strings.TrimPrefix(r.Error(), "refused: "+string(r.Reason))
	if detail = strings.TrimPrefix(detail, ": "); detail != "" {
		fmt.Fprintf(env.Stdout, "          %s\n", printable(detail, 300))
	}
}

// verifiedWords says what was verified.
func verifiedWords(v *seal.Verified, name string) string {
	m := v.Meta()
	_, media := v.Media()
	if name == "" {
		name = string(v.Camera())
	}
	taken := "camera without a clock"
	if m.Clock != seal.ClockNone {
		taken = "taken " + m.Taken.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	what := m.Kind
	if m.Kind == seal.KindClip {
		what = fmt.Sprintf("part %d of the clip of event %d", m.Part+1, m.Event)
	}
	return fmt.Sprintf("%s, %s, %s message %d, %s, %d bytes", name, what, m.Stream, m.Seq, taken, len(media))
}
