package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/uplink/seal"
)

const settingsAbout = `sealcam settings: what cameras shall be set to, signed

A camera goes by its own file, and over it by what its household wants: for all
cameras, for its groups, for it alone, in this order. It tries what is new, and goes
back to what was before if it then cannot show that it is a camera. What may be set
so is in cmd/internal/desired/README.md.`

// settingsVerbs lists what can be done with settings.
func settingsVerbs() []cli.Command {
	return []cli.Command{
		{Name: "check", Short: "say whether cameras would take a file", Run: settingsCheck},
		{Name: "push", Short: "sign a file, bring it to cameras, and say what becomes of it", Run: settingsPush},
		{Name: "status", Short: "say which camera goes by what, and who refused, and why", Run: settingsStatus},
		{Name: "show", Short: "print what was pushed from here", Run: settingsShow},
		{Name: "publish", Short: "bring what was pushed from here to every camera again", Run: settingsPublish},
	}
}

// runSettings is "sealcam settings".
func runSettings(ctx context.Context, env *cli.Env, args []string) error {
	return cli.Dispatch(ctx, env, "sealcam settings", settingsAbout, settingsVerbs(), args)
}

func settingsCheck(_ context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "settings check", "", `
Reads FILE ("-" for standard input) as a camera would, and says what is wrong with
it, with its line. A camera can still refuse what does not go together with the rest
of its own file.`, []string{"FILE"}, nil)
	if err != nil {
		return err
	}
	_, err = readWanted(env, rest[0])
	return err
}

// readWanted reads settings for cameras, and checks them as a camera does.
func readWanted(env *cli.Env, file string) ([]byte, error) {
	body, err := readBounded(env.Stdin, file, seal.MaxSettings)
	if err != nil {
		return nil, err
	}
	return body, agent.CheckWanted(file, body)
}

// settingsFlags is what the verbs have in common.
type settingsFlags struct {
	dir, name      string
	broker, keeper string
	camera, group  string
	all            bool
	wait           time.Duration
}

func (f *settingsFlags) define(fs *flags) {
	fs.StringVar(&f.dir, "household", "", "the household's `directory`, or an operator's")
	fs.StringVar(&f.name, "viewer", "", "as which viewer to connect; the first one here if empty")
	fs.StringVar(&f.broker, "broker", "", "the broker's `URL`; the household's own if empty")
	fs.DurationVar(&f.wait, "timeout", time.Minute, "how long to wait for cameras")
}

// through adds that a keeper can carry what is pushed, instead of the broker.
func (f *settingsFlags) through(fs *flags) {
	fs.StringVar(&f.keeper, "keeper", "", "a keeper's `URL`, to bring it there instead of to the broker")
}

func (f *settingsFlags) target(fs *flags) {
	fs.StringVar(&f.camera, "camera", "", "for one camera, by `name` or id")
	fs.StringVar(&f.group, "group", "", "for the cameras of the group `name`")
	fs.BoolVar(&f.all, "all", false, "for all cameras of the household")
}

func (f *settingsFlags) check(target bool) error {
	said := 0
	for _, is := range []bool{f.camera != "", f.group != "", f.all} {
		if is {
			said++
		}
	}
	switch {
	case f.dir == "":
		return cli.Usagef("--household is missing")
	case f.broker != "" && f.keeper != "":
		return cli.Usagef("--broker and --keeper are two ways for one thing")
	case target && said != 1:
		return cli.Usagef("for whom? one of --camera NAME, --group NAME, --all")
	}
	return nil
}

func settingsPush(ctx context.Context, env *cli.Env, args []string) error {
	var f settingsFlags
	rest, err := verbArgs(env, args, "settings push", "--household DIR --camera NAME | --group NAME | --all [--timeout TIME] [--viewer NAME] [--broker URL | --keeper URL]", `
Signs FILE ("-" for standard input), with the owner's key or with that of an
operator who may command, and leaves it with the broker for every camera that it is
for; a keeper hands it on to its broker. It takes the place of what was pushed for
the same cameras before: an empty file takes that back. Then it waits for what the
cameras say. One that is away takes it when it is back: see sealcam settings status.`, []string{"FILE"}, func(fs *flags) { f.define(fs); f.through(fs); f.target(fs) })
	if err != nil {
		return err
	}
	if err := f.check(true); err != nil {
		return err
	}
	body, err := readWanted(env, rest[0])
	if err != nil {
		return err
	}
	d, err := openDesk(&f)
	if err != nil {
		return err
	}
	one, err := d.sign(f, body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	return visiting(ctx, d.up, true, func(ctx context.Context, v *visit) error {
		if err := d.send(ctx, v, one); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "signed  settings %s for %s, by %s, for %d %s\n", desired.VersionWords(one.Version), one.words(d.roster()), d.by, len(one.cameras(d.roster())), plural(len(one.cameras(d.roster())), "camera"))
		if !d.watches() {
			fmt.Fprintln(env.Stdout, "What cameras say to it is sealed to those who may watch: sealcam settings status shows it to them.")
			return nil
		}
		return d.answers(ctx, env, v, one)
	})
}

func settingsPublish(ctx context.Context, env *cli.Env, args []string) error {
	var f settingsFlags
	_, err := verbArgs(env, args, "settings publish", "--household DIR [--timeout TIME] [--viewer NAME] [--broker URL | --keeper URL]", `
Leaves all that was pushed from here with the broker again: for a camera that was
taken in or put into a group since, or after the broker has lost what it kept.`, nil, func(fs *flags) { f.define(fs); f.through(fs) })
	if err != nil {
		return err
	}
	if err := f.check(false); err != nil {
		return err
	}
	d, err := openDesk(&f)
	if err != nil {
		return err
	}
	all, err := d.pushed()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	return visiting(ctx, d.up, true, func(ctx context.Context, v *visit) error {
		for _, one := range all {
			if err := d.send(ctx, v, one); err != nil {
				return err
			}
			fmt.Fprintf(env.Stdout, "settings %s  %s  %d %s\n", desired.VersionWords(one.Version), one.words(d.roster()), len(one.cameras(d.roster())), plural(len(one.cameras(d.roster())), "camera"))
		}
		return nil
	})
}

func settingsShow(_ context.Context, env *cli.Env, args []string) error {
	var f settingsFlags
	_, err := verbArgs(env, args, "settings show", "--household DIR [--camera NAME | --group NAME | --all]", `
Prints what was pushed from this directory last: all of it, or what is for one
target.`, nil, func(fs *flags) {
		fs.StringVar(&f.dir, "household", "", "the household's `directory`, or an operator's")
		f.target(fs)
	})
	if err != nil {
		return err
	}
	if err := f.check(false); err != nil {
		return err
	}
	r, err := rosterIn(f.dir)
	if err != nil {
		return err
	}
	all, err := pushedIn(f.dir, r)
	if err != nil {
		return err
	}
	var camera seal.CameraID
	if f.camera != "" {
		c, err := findCamera(r, f.camera)
		if err != nil {
			return err
		}
		camera = c.ID
	}
	for _, one := range all {
		if (f.camera != "" || f.group != "" || f.all) && (one.Camera != camera || one.Group != f.group) {
			continue
		}
		by := "owner"
		if !one.Owner {
			by = printable(one.Name, 40)
		}
		fmt.Fprintf(env.Stdout, "# for %s, %s, by %s\n%s\n", one.words(r), desired.VersionWords(one.Version), by, strings.TrimSpace(string(one.Body)))
	}
	return nil
}

func settingsStatus(ctx context.Context, env *cli.Env, args []string) error {
	var f settingsFlags
	_, err := verbArgs(env, args, "settings status", "--household DIR [--timeout TIME] [--viewer NAME] [--broker URL]", `
Says by which settings each camera goes, as its newest sealed status tells, and
which it has refused or rolled back, and why. It ends with 1 if there are any such.`, nil, func(fs *flags) { f.define(fs) })
	if err != nil {
		return err
	}
	if err := f.check(false); err != nil {
		return err
	}
	d, err := openDesk(&f)
	if err != nil && !errors.Is(err, errMayNot) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	return visiting(ctx, d.up, true, func(ctx context.Context, v *visit) error { return d.overview(ctx, env, v) })
}

// files of pushed settings stand in this directory of a household's.
const settingsDir = "settings"

// pushed is what was signed here.
type pushed struct {
	*seal.Settings
	signed []byte
}

// target returns for whom p is, as a camera names it.
func (p pushed) target() desired.Target {
	switch {
	case p.Camera != "":
		return desired.Camera
	case p.Group != "":
		return desired.Group(p.Group)
	}
	return desired.All
}

// words says for whom p is.
func (p pushed) words(r *seal.Roster) string {
	if p.Camera == "" {
		return string(p.target())
	}
	if c, ok := r.Camera(p.Camera); ok && c.Name != "" {
		return "camera " + c.Name
	}
	return "camera " + string(p.Camera)
}

// cameras returns those of r that p is for.
func (p pushed) cameras(r *seal.Roster) (all []seal.RosterCamera) {
	for _, c := range r.Cameras {
		if p.Camera != "" && c.ID == p.Camera || p.Group != "" && slices.Contains(c.Groups, p.Group) || p.Camera == "" && p.Group == "" {
			all = append(all, c)
		}
	}
	return all
}

// file is where p stands in settingsDir.
func (p pushed) file() string {
	if p.Camera != "" {
		return "camera-" + string(p.Camera)
	}
	return p.target().Topic()
}

// writeWhole replaces a file: it has the old content or the new.
func writeWhole(path string, data []byte) error {
	next := path + ".new"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
