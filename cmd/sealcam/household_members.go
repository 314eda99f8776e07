package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

type flags = flag.FlagSet

// maxRequest bounds what is read as a camera's request.
const maxRequest = 2 * seal.MaxHello

// hintNoHousehold says how to get a household.
func hintNoHousehold(dir string, err error) error {
	if errors.Is(err, identity.ErrNoHousehold) {
		return cli.Hint(err, "make one with: sealcam household create %s", dir)
	}
	return err
}

const aclText = "A broker with access rules must be given the new ones: sealcam household acl %s\n"

func householdAddCamera(ctx context.Context, env *cli.Env, args []string) error {
	var name, out string
	rest, err := verbArgs(env, args, "household add-camera", "--name NAME [--out FILE]", `
Takes the camera in whose request is in the file REQUEST ("-" for standard input),
as sealcamd request prints it, and writes the pairing that makes the camera the
household's: sealcamd claim FILE on the camera takes it.

A request proves that it comes from the camera it names, and not that this is the
camera in front of you: compare the id that is printed with sealcamd id on it.`,
		[]string{"DIR", "REQUEST"}, func(fs *flags) {
			fs.StringVar(&name, "name", "", "what the household calls the camera")
			fs.StringVar(&out, "out", "-", "`file` for the pairing; - is standard output")
		})
	if err != nil {
		return err
	}
	if name == "" {
		return cli.Usagef("--name is missing: what shall the camera be called?")
	}
	text, err := readBounded(env.Stdin, rest[1], maxRequest)
	if err != nil {
		return err
	}
	hello, err := identity.ParseRequest(text)
	if err != nil {
		return fmt.Errorf("%s: %w", rest[1], err)
	}
	h, err := openOwner(rest[0])
	if errors.Is(err, identity.ErrNotOwner) {
		return addAsOperator(ctx, env, rest[0], hello, name, err)
	}
	if err != nil {
		return err
	}
	if hello.Household != "" && hello.Household != h.ID() {
		return cli.Hint(fmt.Errorf("camera %s belongs to household %s", hello.Camera, hello.Household), "reset it first: sealcamd reset -yes on the camera")
	}
	if err := h.AddCamera(hello.Camera, name); err != nil {
		return hintKnown(rest[0], err)
	}
	if err := writePairing(env, h, hello.Camera, hello.CSR, out); err != nil {
		return err
	}
	// Standard output may be carrying the pairing.
	fmt.Fprintf(env.Stderr, "camera  %s  %s\n", hello.Camera, name)
	if h.Broker() == "" {
		fmt.Fprintln(env.Stderr, "The household names no broker: the camera's settings must (uplink.broker), or run sealcam household broker first.")
	}
	return spread(ctx, env.Stderr, rest[0]) // the camera itself has it in its pairing
}

// hintKnown says what to do about a camera that is in the household.
func hintKnown(dir string, err error) error {
	if errors.Is(err, identity.ErrKnownCamera) {
		return cli.Hint(err, "write its pairing again with: sealcam household pair %s CAMERA; if an operator has taken it in, with --request FILE", dir)
	}
	return err
}

// writePairing writes the pairing of a camera to a file, or to standard output.
func writePairing(env *cli.Env, h *identity.Household, id seal.CameraID, csr []byte, out string) error {
	p, err := h.Pair(id, csr)
	if err != nil {
		return err
	}
	text, err := p.MarshalText()
	if err != nil {
		return err
	}
	if out == "-" {
		_, err = env.Stdout.Write(text)
		return err
	}
	return os.WriteFile(out, text, 0o644)
}

func householdPair(_ context.Context, env *cli.Env, args []string) error {
	var out, request string
	rest, err := verbArgs(env, args, "household pair", "[--request FILE] [--out FILE]", `
Writes the pairing of a camera of the household again: after a change of the
broker, for example. CAMERA is its id or its name. One that an operator has taken in
has none yet: for that the owner needs the camera's request, as sealcamd request
prints it. It holds no secret, and neither does the pairing.`,
		[]string{"DIR", "CAMERA"}, func(fs *flags) {
			fs.StringVar(&out, "out", "-", "`file` for the pairing; - is standard output")
			fs.StringVar(&request, "request", "", "`file` with the camera's request, - for standard input; that of the last time if empty")
		})
	if err != nil {
		return err
	}
	h, id, err := ownCamera(rest[0], rest[1])
	if err != nil {
		return err
	}
	if request == "" {
		err := writePairing(env, h, id, nil, out)
		if errors.Is(err, fs.ErrNotExist) {
			return cli.Hint(fmt.Errorf("camera %s has not asked this directory for a pairing yet", id), "give its request: sealcamd request on the camera, then --request FILE")
		}
		return err
	}
	text, err := readBounded(env.Stdin, request, maxRequest)
	if err != nil {
		return err
	}
	hello, err := identity.ParseRequest(text)
	if err != nil {
		return fmt.Errorf("%s: %w", request, err)
	}
	if hello.Camera != id {
		return fmt.Errorf("%s is the request of camera %s, not of %s", request, hello.Camera, id)
	}
	return writePairing(env, h, id, hello.CSR, out)
}

// ownCamera opens a household and finds a camera of it.
func ownCamera(dir, said string) (*identity.Household, seal.CameraID, error) {
	h, err := openOwner(dir)
	if err != nil {
		return nil, "", err
	}
	r, _, err := h.Roster()
	if err != nil {
		return nil, "", err
	}
	c, err := findCamera(r, said)
	return h, c.ID, err
}

func householdRemoveCamera(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household remove-camera", "", `
Lets a camera go: what it seals from now on is refused by everybody who has the new
roster. Before you hand it to somebody else, reset it: sealcamd reset -yes. CAMERA
is its id or its name.`, []string{"DIR", "CAMERA"}, nil)
	if err != nil {
		return err
	}
	h, id, err := ownCamera(rest[0], rest[1])
	if err != nil {
		return err
	}
	if err := h.RemoveCamera(id); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "removed  %s\n", id)
	return spread(ctx, env.Stdout, rest[0])
}

func householdAddViewer(ctx context.Context, env *cli.Env, args []string) error {
	var export string
	rest, err := verbArgs(env, args, "household add-viewer", "[--export NEWDIR]", `
Makes keys for one more viewer. Cameras seal to it from their next message on; what
was sealed before it cannot open. NAME is of a-z, 0-9 and dashes.`,
		[]string{"DIR", "NAME"}, func(fs *flags) {
			fs.StringVar(&export, "export", "", "new `directory` for what this viewer needs, to be carried to where it looks")
		})
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	if _, err := h.AddViewer(rest[1]); err != nil {
		return err
	}
	if export != "" {
		if err := h.ExportViewer(rest[1], export); err != nil {
			return err
		}
	}
	fmt.Fprintf(env.Stdout, "viewer  %s\n"+aclText, rest[1], rest[0])
	return spread(ctx, env.Stdout, rest[0])
}

func householdExportViewer(_ context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household export-viewer", "", `
Writes everything that the viewer NAME needs into NEWDIR, and no owner key: sealcam
watch, view and verify take that directory as their household. It holds the
viewer's secret: carry it by hand.`, []string{"DIR", "NAME", "NEWDIR"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	return h.ExportViewer(rest[1], rest[2])
}

func householdRemoveViewer(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household remove-viewer", "", `
Stops a viewer: a camera that has the new roster seals nothing to it any more. What
was sealed before stays readable to it.`, []string{"DIR", "NAME"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	r, _, err := h.Roster()
	if err != nil {
		return err
	}
	if len(r.Viewers) == 1 && r.Viewers[0].Name == rest[1] {
		return cli.Hint(errors.New("this is the household's only viewer: without any, its cameras would seal nothing"),
			"add another one first: sealcam household add-viewer %s NAME", rest[0])
	}
	if err := h.RemoveViewer(rest[1]); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "removed  %s\n"+aclText, rest[1], rest[0])
	return spread(ctx, env.Stdout, rest[0])
}
