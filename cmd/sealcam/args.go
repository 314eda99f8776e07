package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/seal"
)

// parseMixed parses flags that may stand before, between and after the other
// arguments, which it returns. What follows "--" is never a flag.
func parseMixed(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := cli.Parse(fs, args); err != nil {
			return nil, err
		}
		used := len(args) - fs.NArg()
		if used > 0 && args[used-1] == "--" {
			return append(rest, fs.Args()...), nil
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// readBounded reads the file at path, or in when path is "-", and refuses more
// than limit bytes.
func readBounded(in io.Reader, path string, limit int) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes, which none of these files is", path, limit)
	}
	return data, nil
}

// findCamera returns the camera of the roster that a person means: by id, or by
// the household's own name for it.
func findCamera(r *seal.Roster, said string) (seal.RosterCamera, error) {
	if id, err := seal.ParseCameraID(said); err == nil {
		if c, ok := r.Camera(id); ok {
			return c, nil
		}
		// Not in the roster: the seal package says so about each message.
		return seal.RosterCamera{ID: id}, nil
	}
	var found []seal.RosterCamera
	for _, c := range r.Cameras {
		if c.Name == said {
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return seal.RosterCamera{}, cli.Hint(fmt.Errorf("%d cameras of the household are called %q", len(found), said),
		"sealcam household show lists them; a camera's id always works")
}

// verbArgs parses the arguments of a verb, such as "household create": flags, and
// exactly the named others.
func verbArgs(env *cli.Env, args []string, verb, flags, text string, names []string, define func(*flag.FlagSet)) ([]string, error) {
	synopsis := "sealcam " + verb
	for _, n := range names {
		synopsis += " " + n
	}
	if flags != "" {
		synopsis += " " + flags
	}
	fs := env.Flags(verb, synopsis, text)
	if define != nil {
		define(fs)
	}
	rest, err := parseMixed(fs, args)
	if err != nil {
		return nil, err
	}
	if len(rest) != len(names) {
		return nil, cli.Usagef("expected: %s", synopsis)
	}
	return rest, nil
}
