package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/sealcam/sealcam/boards"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/boardtool"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	stamp "github.com/sealcam/sealcam/cmd/internal/version"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/slot"
	"github.com/sealcam/sealcam/uplink/seal"
)

const defaultConfig = "/etc/sealcam/sealcamd.toml"

const synopsis = "sealcamd [-config FILE] [run | id | request | pair FILE | claim FILE | reset -yes | status | park | update | board | version]"

const help = `Runs this camera: it captures, seals and delivers pictures to its household.

  run         capture and deliver until SIGTERM; SIGHUP reads the settings again (default)
  id          print the camera's id
  request     print what a household needs to take the camera in (sealcam household add-camera)
  pair FILE   follow the code of sealcam pair in FILE ("-" for standard input), as if it were before the lens
  claim FILE  give the camera to the household that wrote the pairing FILE ("-" for standard input)
  reset -yes  destroy the keys and every picture that waits of a camera that is stopped; afterwards it is a new camera
  status      say how the camera is that runs here (sealcamd status -json for programs)
  park        put the lamp off and take current off the filter, after a crash
  update      show, check and judge updates (sealcamd update -h)
  board       show boards, try this one's pins, park them (sealcamd board -h)
  version     print what this program is: version, build and hash (-json for machines)
`

// run is the whole command.
func run(ctx context.Context, env *cli.Env, args []string) error {
	config := defaultConfig
	err := command(ctx, env, &config, args)
	return judged(config, err)
}

// command is run, whatever version this is. It sets config to the settings' file.
func command(ctx context.Context, env *cli.Env, config *string, args []string) error {
	fs := env.Flags("sealcamd", synopsis, help)
	fs.StringVar(config, "config", *config, "settings `file`")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	verb := fs.Arg(0)
	if verb == "version" {
		return stamp.Command(env, "sealcamd", stamp.Stamp{Version: version, Number: number, Commit: commit, Date: date}, fs.Args()[1:])
	}
	if verb == "board" { // works before there are settings
		return boardtool.New("sealcamd", openCamera).Run(ctx, env, fs.Args()[1:])
	}
	if verb == "" || verb == "run" && fs.NArg() == 1 {
		launch(env, *config)
	}
	s, err := agent.LoadSettings(*config)
	if verb == "park" && fs.NArg() == 1 {
		return park(ctx, env, s, err)
	}
	if err != nil {
		return hintSettings(*config, err)
	}
	switch {
	case verb == "" || (verb == "run" && fs.NArg() == 1):
		return serve(ctx, env, *config, s)
	case verb == "update":
		return update(ctx, env, s, fs.Args()[1:])
	case verb == "id" && fs.NArg() == 1:
		return printID(env, s)
	case verb == "request" && fs.NArg() == 1:
		return printRequest(env, s)
	case verb == "pair" && fs.NArg() == 2:
		return pair(ctx, env, s, fs.Arg(1))
	case verb == "claim" && fs.NArg() == 2:
		return claim(env, s, fs.Arg(1))
	case verb == "status":
		return status(ctx, env, s, fs.Args()[1:])
	case verb == "reset" && fs.NArg() == 2 && fs.Arg(1) == "-yes":
		return reset(env, s)
	}
	return cli.Usagef("expected: %s", synopsis)
}

// park parks the board's pins. Settings that cannot be read are no reason to leave
// a lamp lit: the board is asked then.
func park(ctx context.Context, env *cli.Env, s agent.Settings, unread error) error {
	if unread != nil {
		fmt.Fprintf(env.Stderr, "sealcamd: %v; parking the board that this is\n", unread)
		s = agent.Defaults()
	}
	p, _, err := boards.Choose(s.Board, os.DirFS("/"))
	if err != nil {
		return err
	}
	if !p.HasPins() {
		fmt.Fprintf(env.Stdout, "%s has no pins to park\n", p.Name)
		return nil
	}
	return boardtool.New("sealcamd", openCamera).Run(ctx, env, []string{"park", s.Board})
}

// openCamera opens a camera for board test.
func openCamera(ctx context.Context, source string) (capture.Camera, error) {
	return agent.Source{Name: source}.Auto().Open(ctx)
}

// hintSettings says what to do about settings that cannot be used, which another
// start would find the same. A file that cannot be read may be readable then.
func hintSettings(path string, err error) error {
	var unread *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = cli.Hint(err, "copy the shipped sealcamd.toml to %s, or name another file with -config", path)
	case errors.As(err, &unread):
		return err
	}
	return cli.Exit(err, cli.ExitUsage)
}

// serve runs the camera, and again with new settings after each SIGHUP.
// Settings that make no sense are told, and the camera goes on with the old.
func serve(ctx context.Context, env *cli.Env, path string, s agent.Settings) (err error) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	manager := newNotifier(newLog(env.Stderr, s.Log))
	dog, err := openWatchdog(s.Watchdog.Device, newLog(env.Stderr, s.Log))
	if err != nil {
		return err // the camera was meant to have one
	}
	defer func() { dog.close(errors.Is(err, ota.ErrRestart)) }()
	ended := context.AfterFunc(ctx, manager.stopping)
	defer ended()
	host := agent.Host{Firmware: version, Commit: commit, Number: factory().Number, Running: slot.FromEnv(os.Getenv), Ready: manager.ready, Alive: func() { manager.alive(); dog.alive() }, Applied: keepSmall}
	if host.FirmwareHash, err = stamp.Hash(); err != nil {
		newLog(env.Stderr, s.Log).Warn("seals do not claim the firmware's hash", "err", err)
	}
	for {
		log := newLog(env.Stderr, s.Log)
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			done <- agent.Serve(running, s, host, log)
		}()
		next, err := waitFor(done, hup, path, log)
		stop()
		if next == nil {
			return err
		}
		if err := <-done; err != nil || ctx.Err() != nil {
			return err
		}
		s = *next
	}
}

// keepSmall tells the garbage collector how much memory a camera of these settings
// is meant to have. Left alone it lets garbage become as large as what is in use,
// and most of that is pre-roll, which makes none. GOMEMLIMIT overrides it.
func keepSmall(s agent.Settings) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	const beside = 28 << 20
	limit := int64(beside)
	if s.Clips.Enabled {
		limit += s.Clips.Memory.Bytes
	}
	debug.SetMemoryLimit(limit)
}

// waitFor returns the new settings after a SIGHUP, or nil and the camera's
// error when it has ended by itself.
func waitFor(done <-chan error, hup <-chan os.Signal, path string, log *slog.Logger) (*agent.Settings, error) {
	for {
		select {
		case err := <-done:
			return nil, err
		case <-hup:
			next, err := agent.LoadSettings(path)
			if err == nil {
				log.Info("settings read again", "file", path)
				return &next, nil
			}
			log.Error("the new settings are refused, the old ones stay", "err", err)
		}
	}
}

// newLog writes one line a record, with the level that the settings ask for.
func newLog(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // settings have been validated; a log must never be the reason not to run
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}

func openIdentity(s agent.Settings) (*identity.Camera, error) {
	return identity.OpenCamera(filepath.Join(s.State, agent.IdentityDir))
}

func printID(env *cli.Env, s agent.Settings) error {
	c, err := openIdentity(s)
	if err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, c.ID())
	return nil
}

// read returns what is in a file, or in standard input for "-": up to limit
// bytes and one more, which tells who judges it that there are too many.
func read(env *cli.Env, file string, limit int) ([]byte, error) {
	in := env.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, int64(limit)+1))
}

// pair has this camera ask the household of a code to be taken in.
func pair(ctx context.Context, env *cli.Env, s agent.Settings, file string) error {
	text, err := read(env, file, 2*identity.MaxCode)
	if err != nil {
		return err
	}
	c, err := openIdentity(s)
	if err != nil {
		return err
	}
	err = agent.Pair(ctx, s, c, string(text), version, newLog(env.Stderr, s.Log))
	switch {
	case errors.Is(err, identity.ErrClaimed):
		return cli.Hint(err, "reset it first, which makes it a new camera: sealcamd reset -yes")
	case seal.ReasonOf(err) == seal.Malformed:
		return cli.Hint(err, "a code is the one line that sealcam pair --code FILE writes")
	case err != nil:
		return err
	}
	fmt.Fprintf(env.Stdout, "camera %s\nbelongs to household %s\n", c.ID(), c.Household())
	return nil
}

func claim(env *cli.Env, s agent.Settings, file string) error {
	text, err := read(env, file, identity.MaxPairing)
	if err != nil {
		return err
	}
	p, err := identity.ParsePairing(text)
	if err != nil {
		return cli.Hint(err, "make one with: sealcam household add-camera")
	}
	c, err := openIdentity(s)
	if err != nil {
		return err
	}
	if err := c.Claim(p); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "camera %s\nbelongs to household %s\n", c.ID(), p.Household)
	return nil
}

func reset(env *cli.Env, s agent.Settings) error {
	id := "of an unknown id" // a damaged identity is no reason to keep it
	if c, err := openIdentity(s); err == nil {
		id = string(c.ID())
	}
	err := agent.Reset(s)
	if errors.Is(err, agent.ErrRunning) {
		return cli.Hint(err, "stop it first, or hold its reset button: a camera that runs would go on with the old key")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "camera %s is gone; the next start makes a new one\n", id)
	return nil
}

// printRequest prints what a household needs to take this camera in.
func printRequest(env *cli.Env, s agent.Settings) error {
	c, err := openIdentity(s)
	if err != nil {
		return err
	}
	text, err := c.Request(version)
	if err != nil {
		return err
	}
	_, err = env.Stdout.Write(text)
	return err
}
