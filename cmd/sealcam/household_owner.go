package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

func householdRotateOwner(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household rotate-owner", "", `
Replaces the owner key: the present one names a new one and is withdrawn, in one
roster. Do this when somebody may have seen owner.key. Cameras and viewers follow
when they get the roster; a camera that is switched off obeys the old key until
then. The household's id and its recovery files stay, and so does its certificate
authority: who has ca.key can connect to the broker, where everything is sealed.`, []string{"DIR"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	if err := h.RotateOwner(); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, "The owner key was replaced. Exports made before can look, and change nothing any more: make a new one.")
	return spread(ctx, env.Stdout, rest[0])
}

const recoveryAbout = `sealcam household recovery: control without the owner's directory

A recovery file holds a second owner key, encrypted under a code. Keep the file
in one place and the code in another, neither beside the owner's directory.`

func householdRecovery(ctx context.Context, env *cli.Env, args []string) error {
	return cli.Dispatch(ctx, env, "sealcam household recovery", recoveryAbout, []cli.Command{
		{Name: "create", Short: "write a recovery file", Run: recoveryCreate},
		{Name: "withdraw", Short: "make all recovery files worthless", Run: recoveryWithdraw},
	}, args)
}

func recoveryCreate(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household recovery create", "", `
Makes a second owner key, writes it into the new file FILE with what else it takes,
and prints the code that FILE is encrypted under. sealcam household recover takes
both. FILE is an armored age file.`, []string{"DIR", "FILE"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	if err := writeBackup(env, rest[1], h.CreateRecovery); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "If the owner's directory is lost: sealcam household recover %s NEWDIR\n", rest[1])
	return spread(ctx, env.Stdout, rest[0])
}

// writeBackup makes a code, has write fill the file at path under it, and prints
// it.
func writeBackup(env *cli.Env, path string, write func(w io.Writer, code string) error) error {
	code, err := seal.NewBackupCode(nil)
	if err != nil {
		return err
	}
	if err := identity.WriteBackupFile(path, func(w io.Writer) error { return write(w, code) }); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "file  %s\ncode  %s\n\nWrite the code down and keep it apart from the file. Nobody can open the file without it.\n", path, env.Paint(cli.Bold, code))
	return nil
}

func recoveryWithdraw(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household recovery withdraw", "", `
Withdraws every owner key but the one in DIR: recovery files that were lost, or
seen by others, are worthless then.`, []string{"DIR"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	n, err := h.WithdrawOthers()
	if err != nil {
		return err
	}
	if n == 0 {
		fmt.Fprintln(env.Stdout, "There is no other owner key.")
		return nil
	}
	fmt.Fprintf(env.Stdout, "withdrawn  %d owner %s\n", n, plural(n, "key"))
	return spread(ctx, env.Stdout, rest[0])
}

func householdRecover(ctx context.Context, env *cli.Env, args []string) error {
	var name, from, codeFile string
	rest, err := verbArgs(env, args, "household recover", "[--viewer NAME] [--from DIR] [--code FILE]", `
Takes control of a household again with a recovery file and its code: makes the
owner's directory NEWDIR with a new owner key, withdraws the old one, and adds a
viewer. Cameras and viewers stay as they were in the newest roster that is found:
in FILE, at the broker, or in the directory of any viewer (--from).`,
		[]string{"FILE", "NEWDIR"}, func(fs *flags) {
			fs.StringVar(&name, "viewer", "recovered", "`name` of the viewer that is added")
			fs.StringVar(&from, "from", "", "a viewer's `directory`, to learn the newest roster from")
			fs.StringVar(&codeFile, "code", "", "`file` with the code; asked for if empty")
		})
	if err != nil {
		return err
	}
	if err := identity.CheckViewerName(name); err != nil {
		return err
	}
	var rec *identity.Recovery
	if err := openBackup(env, rest[0], codeFile, func(r io.Reader, code string) (err error) {
		rec, err = identity.OpenRecovery(r, code)
		return err
	}); err != nil {
		return err
	}
	if from != "" {
		who, err := identity.OpenViewer(from, "")
		if err != nil {
			return err
		}
		if _, err := rec.Offer(who.SignedRoster()); err != nil && seal.ReasonOf(err) != seal.Replayed {
			return fmt.Errorf("%s: %w", from, hintWithdrawn(err))
		}
	}
	up, err := recoveryFeed(rec)
	if err != nil {
		return err
	}
	if up != nil {
		if err := askBroker(ctx, env, rec, up); err != nil {
			return err
		}
	}
	h, err := rec.Restore(rest[1], time.Now)
	if err != nil {
		return err
	}
	who, err := h.AddViewer(name)
	if err != nil {
		return cli.Hint(err, "the household is in %s; add a viewer under another name: sealcam household add-viewer %s NAME", rest[1], rest[1])
	}
	fmt.Fprintf(env.Stdout, "household  %s\nviewer     %s\n\nThe old owner key is withdrawn; the recovery file stays good. Look who is in it: sealcam household show %s\n", h.ID(), name, rest[1])
	fmt.Fprintf(env.Stdout, aclText, rest[1])
	if up == nil {
		later(env.Stdout, rest[1])
		return nil
	}
	return bring(ctx, env.Stdout, rest[1], who, up)
}

// recoveryFeed is the way to the household's broker, nil if it names none: in the
// name of a viewer that the broker's rules know already.
func recoveryFeed(rec *identity.Recovery) (feed.Feed, error) {
	if rec.Broker() == "" {
		return nil, nil
	}
	conf, err := rec.TLS(time.Now())
	if err != nil {
		return nil, err
	}
	return feed.NewBroker(feed.BrokerConfig{MQTT: mqtt.Config{URL: rec.Broker(), TLS: conf}, Log: slog.New(slog.DiscardHandler)})
}

// askBroker offers rec what the broker keeps. That it is not reached is told, and
// no error.
func askBroker(ctx context.Context, env *cli.Env, rec *identity.Recovery, up feed.Feed) error {
	ctx, cancel := context.WithTimeout(ctx, spreadTime)
	defer cancel()
	err := visiting(ctx, up, false, func(ctx context.Context, v *visit) error {
		h := v.listen(ctx, rec.Roster().Cameras)
		for _, it := range h.rosters {
			news, err := rec.Offer(it.Sealed)
			if errors.Is(err, identity.ErrWithdrawn) {
				return err
			}
			if news {
				fmt.Fprintf(env.Stdout, "The broker keeps roster %d, which is newer than the recovery file: it is taken over.\n", rec.Roster().Version)
			}
		}
		if c, version := h.newest(rec.Roster()); version > rec.Roster().Version {
			rec.Raise(version)
			fmt.Fprintf(env.Stdout, "Camera %s has roster %d, of which nobody here knows what is in it: who was added or removed\nafter roster %d must be again.\n", c.Name, version, rec.Roster().Version)
		}
		return nil
	})
	if errors.Is(err, errNotReached) {
		fmt.Fprintf(env.Stdout, "%s. Who was added or removed after roster %d, and is not in it, must be again.\n", printable(err.Error(), 200), rec.Roster().Version)
		return nil
	}
	return err
}

func householdExport(_ context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household export", "", `
Writes the whole household, with its keys and what the viewers in DIR remember,
into the new file FILE, and prints the code that it is encrypted under. sealcam
household import takes both, on any machine. FILE is an armored age file of a tar
archive.`, []string{"DIR", "FILE"}, nil)
	if err != nil {
		return err
	}
	h, err := openOwner(rest[0])
	if err != nil {
		return err
	}
	return writeBackup(env, rest[1], h.Export)
}

func householdImport(ctx context.Context, env *cli.Env, args []string) error {
	var codeFile string
	rest, err := verbArgs(env, args, "household import", "[--code FILE]", `
Makes the directory NEWDIR into the household that sealcam household export wrote.
It goes on exactly where that was: from then on use one of the two copies. If the
household has changed since the export, the newer roster is taken over from the
broker.`,
		[]string{"FILE", "NEWDIR"}, func(fs *flags) {
			fs.StringVar(&codeFile, "code", "", "`file` with the code; asked for if empty")
		})
	if err != nil {
		return err
	}
	if err := openBackup(env, rest[0], codeFile, func(r io.Reader, code string) error {
		return identity.ImportHousehold(rest[1], r, code)
	}); err != nil {
		return err
	}
	about, err := identity.ReadHousehold(rest[1])
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "household  %s\nroster     %d, of %s\n\nUse one copy only from now on: delete the one that this was exported from.\n", about.ID, about.Roster.Version, day(about.Roster.Issued))
	return spread(ctx, env.Stdout, rest[1])
}

// openBackup asks for the code of the file at path, and has read read it.
func openBackup(env *cli.Env, path, codeFile string, read func(r io.Reader, code string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	code, err := readCode(env, codeFile)
	if err != nil {
		return err
	}
	if err := read(f, code); errors.Is(err, seal.ErrBackup) {
		return cli.Hint(fmt.Errorf("%s: %w", path, err), "check the code: five groups of five, of a to z and 2 to 7; no 0, 1, 8 or 9 is in it")
	} else if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readCode reads a code from the file, or from standard input if there is none.
func readCode(env *cli.Env, file string) (string, error) {
	const most = 1 << 10
	if file != "" {
		text, err := readBounded(env.Stdin, file, most)
		return string(text), err
	}
	if env.Live {
		fmt.Fprint(env.Stderr, "Code: ")
	}
	line, err := bufio.NewReader(io.LimitReader(env.Stdin, most)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if strings.TrimSpace(line) == "" {
		return "", cli.Usagef("no code was given")
	}
	return line, nil
}

func householdRenameCamera(ctx context.Context, env *cli.Env, args []string) error {
	rest, err := verbArgs(env, args, "household rename-camera", "", `
Changes what the household calls a camera. CAMERA is its id or its name.`, []string{"DIR", "CAMERA", "NEWNAME"}, nil)
	if err != nil {
		return err
	}
	h, id, err := ownCamera(rest[0], rest[1])
	if err != nil {
		return err
	}
	if err := h.RenameCamera(id, rest[2]); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "camera  %s  %s\n", id, rest[2])
	return spread(ctx, env.Stdout, rest[0])
}

func householdResetCamera(ctx context.Context, env *cli.Env, args []string) error {
	var yes bool
	var wait time.Duration
	rest, err := verbArgs(env, args, "household reset-camera", "--yes", `
Tells a camera to destroy its key and everything that it stores, waits until it
says so, and takes it out of the household. It is a new camera then, and nobody's.
CAMERA is its id or its name. It must be connected; one that is not is reset by its
button, or by sealcamd reset -yes on it.`,
		[]string{"DIR", "CAMERA"}, func(fs *flags) {
			fs.BoolVar(&yes, "yes", false, "yes, destroy what it has stored and not yet delivered")
			fs.DurationVar(&wait, "timeout", time.Minute, "how long to wait for the camera's last word")
		})
	if err != nil {
		return err
	}
	if !yes {
		return cli.Usagef("--yes is missing: what the camera has stored and not yet delivered is destroyed")
	}
	h, id, err := ownCamera(rest[0], rest[1])
	if err != nil {
		return err
	}
	name, err := localViewer(rest[0])
	if err != nil {
		return err
	}
	who, up, err := connect(rest[0], name, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := visiting(limited, up, true, func(ctx context.Context, v *visit) error { return resetCamera(ctx, h, id, who, v) }); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "reset    %s\n", id)
	if err := h.RemoveCamera(id); err != nil && !errors.Is(err, identity.ErrNoSuchCamera) {
		return err
	}
	fmt.Fprintf(env.Stdout, "removed  %s\n", id)
	return spread(ctx, env.Stdout, rest[0])
}

// resetCamera sends the command, and returns when the camera's sealed last word
// has come.
func resetCamera(ctx context.Context, h *identity.Household, id seal.CameraID, who *identity.Viewer, v *visit) error {
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: h.ID(), Roster: who.Roster(), Key: who.Key(), Now: time.Now})
	if err != nil {
		return err
	}
	now := time.Now()
	order, err := seal.SignCommand(h.Owner(), seal.Command{Camera: id, Counter: uint64(now.UnixMilli()), Verb: seal.VerbReset, Issued: now, Expires: now.Add(seal.CommandLife)})
	if err != nil {
		return err
	}
	if err := v.up.Send(ctx, id, feed.Command, order); err != nil {
		return err
	}
	for {
		select {
		case it := <-v.items:
			if it.Kind == feed.Status && it.Camera == id && isLastWord(opener, it) {
				return nil
			}
		case <-ctx.Done():
			return cli.Hint(errors.New("the camera has not answered: it may be switched off, or not have obeyed; it is still in the household"),
				"reset it by its button, or with sealcamd reset -yes on it, and then: sealcam household remove-camera")
		}
	}
}

// isLastWord tells whether a message is the camera's own word that it is reset. A
// camera says so once: an old one of the same key cannot be.
func isLastWord(o *seal.Opener, it feed.Item) bool {
	m, err := o.Check(it.Camera, it.Sealed)
	if err != nil || m.Meta().Kind != seal.KindStatus {
		return false
	}
	_, text := m.Media()
	var s struct {
		State string `json:"state"`
	}
	return json.Unmarshal(text, &s) == nil && s.State == "reset"
}
