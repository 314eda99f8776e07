package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/ota/tuf/repo"
)

const releaseAbout = `sealcam release: sign what cameras may install, and for whom

A repository is a directory. Its folder public is what cameras read: copy it to any
server of static files. Its keys stay: those of root and targets best in a folder
of their own (--offline DIR), such as a card in a safe.`

// releaseVerbs lists what can be done with a repository, in the order in which its
// maker comes to it.
func releaseVerbs() []cli.Command {
	return []cli.Command{
		{Name: "init", Short: "make a repository, and its keys", Run: releaseInit},
		{Name: "add", Short: "take a file in as a release", Run: releaseAdd},
		{Name: "publish", Short: "make public what was added, changed and removed", Run: releasePublish},
		{Name: "share", Short: "say how many of the cameras get a release", Run: releaseShare},
		{Name: "remove", Short: "withdraw a release", Run: releaseRemove},
		{Name: "list", Short: "list releases, and how the roles stand", Run: releaseList},
		{Name: "renew", Short: "sign again what ends soon (every few days, by a timer)", Run: releaseRenew},
		{Name: "expire", Short: "say for how long a role signs, and sign again", Run: releaseExpire},
		{Name: "rotate", Short: "replace the keys of a role", Run: releaseRotate},
		{Name: "serve", Short: "serve a repository to cameras", Run: releaseServe},
		{Name: "check", Short: "say what a camera would get", Run: releaseCheck},
	}
}

// runRelease is "sealcam release".
func runRelease(ctx context.Context, env *cli.Env, args []string) error {
	return cli.Dispatch(ctx, env, "sealcam release", releaseAbout, releaseVerbs(), args)
}

const offlineText = "`folder` with the keys of root and targets, if it is not DIR/keys"

// openRelease parses the arguments of a verb that changes the repository in the
// first of them, and opens it.
func openRelease(env *cli.Env, args []string, verb, synopsis, text string, names []string, define func(*flags)) (*repo.Repo, []string, error) {
	var offline string
	rest, err := verbArgs(env, args, "release "+verb, strings.TrimSpace(synopsis+" [--offline DIR]"), text, append([]string{"DIR"}, names...), func(fs *flags) {
		fs.StringVar(&offline, "offline", "", offlineText)
		if define != nil {
			define(fs)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	r, err := repo.Open(rest[0], offline, time.Now)
	return r, rest[1:], err
}

func releaseInit(_ context.Context, env *cli.Env, args []string) error {
	o := repo.Options{}
	rest, err := verbArgs(env, args, "release init", "[--root-keys N --root-threshold M] [--offline DIR]", `
Makes a repository without releases, and keys for its four roles. A new root, which
alone can replace lost or stolen keys, needs M of the N root keys: give each of
three people one, and two can act.`,
		[]string{"DIR"}, func(fs *flags) {
			fs.IntVar(&o.RootKeys, "root-keys", 1, "how many root `keys` to make")
			fs.IntVar(&o.RootThreshold, "root-threshold", 1, "how `many` of them must sign a new root")
			fs.StringVar(&o.Offline, "offline", "", "`folder` for the keys of root and targets, if not DIR/keys")
		})
	if err != nil {
		return err
	}
	r, err := repo.Init(rest[0], o, time.Now)
	if err != nil {
		return err
	}
	if err := printRoles(env, r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "\nNext: build cameras with %s/public/metadata/1.root.json as their root, and add a release.\n"+
		"  sealcam release add %s FILE --arch armv7 --version v1.0.0 --number 1\n", rest[0], rest[0])
	return err
}

func releaseAdd(_ context.Context, env *cli.Env, args []string) error {
	release := repo.Release{}
	var boards string
	r, rest, err := openRelease(env, args, "add", "--arch ARCH --version VERSION --number N [--board NAME,...] [--kind agent|system] [--channel NAME] [--share PERCENT]", `
Takes FILE in as a release; publish then makes it public. Numbers order releases: a
camera installs none that is not above the one it has confirmed.`,
		[]string{"FILE"}, func(fs *flags) {
			fs.StringVar(&release.Kind, "kind", "agent", "`what` it replaces: agent, or system for a whole root file system")
			fs.StringVar(&boards, "board", "*", "`names` of the boards it is for, with commas between them; * for all")
			fs.StringVar(&release.Arch, "arch", "", "`architecture`: armv6, armv7, arm64, riscv64 or amd64")
			fs.StringVar(&release.Channel, "channel", "stable", "`name` of the channel it is in")
			fs.StringVar(&release.Version, "version", "", "its `name` for people, such as v1.4.0")
			fs.Uint64Var(&release.Number, "number", 0, "its `number`, above that of every earlier release")
			fs.IntVar(&release.Share, "share", 100, "how many of the cameras get it, in `percent`")
		})
	if err != nil {
		return err
	}
	release.Boards = strings.Split(boards, ",")
	e, err := r.Add(rest[0], release)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "added  %s  %d bytes, %d %% of the cameras; not public yet\n", e.Path, e.Size, e.Share)
	return err
}

func releasePublish(_ context.Context, env *cli.Env, args []string) error {
	r, _, err := openRelease(env, args, "publish", "", `
Signs what was added, changed and removed since, and makes it public. It is read
first as cameras will read it, by two readers that share no code: what either
refuses is not published.`, nil, nil)
	if err == nil {
		err = r.Publish()
	}
	if err != nil {
		return err
	}
	return printRoles(env, r)
}

func releaseShare(_ context.Context, env *cli.Env, args []string) error {
	r, rest, err := openRelease(env, args, "share", "", `
Says how many percent of the cameras get a release; publish then makes it so. Who is
in it stays in it when it grows.`, []string{"RELEASE", "PERCENT"}, nil)
	if err != nil {
		return err
	}
	share, err := strconv.Atoi(strings.TrimSuffix(rest[1], "%"))
	if err != nil {
		return cli.Usagef("%q is no percentage", rest[1])
	}
	if err := r.SetShare(rest[0], share); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "share  %s  %d %%; not public yet\n", rest[0], share)
	return err
}

func releaseRemove(_ context.Context, env *cli.Env, args []string) error {
	r, rest, err := openRelease(env, args, "remove", "", `
Withdraws a release; publish then makes it so. Cameras that run it go on running it.`, []string{"RELEASE"}, nil)
	if err == nil {
		err = r.Remove(rest[0])
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "removed  %s; still public\n", rest[0])
	return err
}

func releaseList(_ context.Context, env *cli.Env, args []string) error {
	r, _, err := openRelease(env, args, "list", "", `
Lists the releases that publish makes public, and the roles with their keys.`, nil, nil)
	if err != nil {
		return err
	}
	if err := printRoles(env, r); err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for i, e := range r.Entries() {
		if i == 0 {
			fmt.Fprintf(w, "\nrelease\tnumber\tboards\tshare\tbytes\n")
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d %%\t%d\n", e.Path, e.Number, strings.Join(e.Boards, ","), e.Share, e.Size)
	}
	return w.Flush()
}

// printRoles prints one line for each role.
func printRoles(env *cli.Env, r *repo.Repo) error {
	states, err := r.States()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "role\tversion\tends\tkeys\n")
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d of %d sign, %d here\n", s.Role, s.Version, s.Expires.UTC().Format(time.DateOnly), s.Threshold, s.Keys, s.Here)
	}
	return w.Flush()
}

func releaseRenew(_ context.Context, env *cli.Env, args []string) error {
	r, _, err := openRelease(env, args, "renew", "", `
Signs the timestamp again, and what has less than half of its time left, as far as
the keys for it are here. Cameras take a repository that is not renewed for frozen.`, nil, nil)
	if err == nil {
		err = r.Renew()
	}
	if err != nil {
		return err
	}
	return printRoles(env, r)
}

func releaseExpire(_ context.Context, env *cli.Env, args []string) error {
	r, rest, err := openRelease(env, args, "expire", "", `
Has ROLE (root, targets, snapshot or timestamp) sign for TIME from now on, such as
720h, and signs again what it said. The timestamp's is how long somebody who stands
before the repository can show cameras an old one.`, []string{"ROLE", "TIME"}, nil)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(rest[1])
	if err != nil {
		return cli.Usagef("%q is no time such as 720h", rest[1])
	}
	if err := r.SetLifetime(rest[0], d); err != nil {
		return err
	}
	if err := r.Resign(rest[0]); err != nil {
		return err
	}
	return printRoles(env, r)
}

func releaseRotate(_ context.Context, env *cli.Env, args []string) error {
	r, rest, err := openRelease(env, args, "rotate", "", `
Replaces the keys of ROLE (root, targets, snapshot or timestamp) by new ones, in a
new root, and signs again what they signed. The root's keys are needed. Cameras
follow by themselves; what was signed by the old keys counts for nothing then.`, []string{"ROLE"}, nil)
	if err != nil {
		return err
	}
	made, err := r.Rotate(rest[0])
	if err != nil {
		return err
	}
	for _, path := range made {
		fmt.Fprintf(env.Stdout, "new key  %s\n", path)
	}
	return printRoles(env, r)
}
