package main

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// desk is where somebody sets cameras: an owner, or an operator who may command.
type desk struct {
	dir    string
	who    *identity.Viewer
	up     feed.Feed
	signer crypto.Signer
	by     string // in words
}

// errMayNot says that nobody here may sign settings. The desk can look all the same.
var errMayNot = errors.New("nobody in this directory may set cameras")

func openDesk(f *settingsFlags) (*desk, error) {
	name := f.name
	if name == "" {
		var err error
		if name, err = localViewer(f.dir); err != nil {
			return nil, hintNoHousehold(f.dir, err)
		}
	}
	who, up, err := f.connect(name)
	if err != nil {
		return nil, err
	}
	d := &desk{dir: f.dir, who: who, up: up}
	switch h, err := identity.OpenHousehold(f.dir, time.Now); {
	case err == nil:
		d.signer, d.by = h.Owner(), "owner"
		return d, nil
	case !errors.Is(err, identity.ErrNotOwner):
		return nil, err
	}
	id, err := seal.KeyIDOf(who.Key().Signer().Public())
	if err != nil {
		return nil, err
	}
	if v, ok := who.Roster().Viewer(id); !ok || !v.May(seal.MayCommand) {
		return d, cli.Hint(fmt.Errorf("%w: viewer %s has not the role command", errMayNot, who.Name()), "the owner gives it, or pushes the settings")
	}
	d.signer, d.by = who.Key().Signer(), "viewer "+who.Name()
	return d, nil
}

// connect opens a viewer and its way to the cameras: the broker, or a keeper, of which
// only what comes from now on is read.
func (f *settingsFlags) connect(name string) (*identity.Viewer, feed.Feed, error) {
	if f.keeper == "" {
		return connect(f.dir, name, f.broker, slog.New(slog.DiscardHandler))
	}
	return ways{keeper: f.keeper, since: span(time.Second)}.open(f.dir, name, slog.New(slog.DiscardHandler))
}

func (d *desk) roster() *seal.Roster { return d.who.Roster() }

// watches reports whether the viewer that connects can open what cameras seal.
func (d *desk) watches() bool {
	for _, v := range d.roster().Viewers {
		if v.Name == d.who.Name() {
			return v.May(seal.MayWatch)
		}
	}
	return false
}

// sign signs body for whom f says, above all that was signed for the same here, and
// keeps it. Versions follow the clock, so that operators who know nothing of each
// other do not give the same.
func (d *desk) sign(f settingsFlags, body []byte) (pushed, error) {
	now := time.Now()
	s := seal.Settings{Household: d.who.Household(), Group: f.group, Version: uint64(max(now.UnixMilli(), 1)), Body: body, Issued: now}
	if f.camera != "" {
		c, err := findCamera(d.roster(), f.camera)
		if err != nil {
			return pushed{}, err
		}
		if _, ours := d.roster().Camera(c.ID); !ours {
			return pushed{}, cli.Hint(fmt.Errorf("camera %s is not of the household", c.ID), "sealcam household show lists its cameras")
		}
		s.Camera = c.ID
	}
	p := pushed{Settings: &s}
	if len(p.cameras(d.roster())) == 0 {
		return pushed{}, fmt.Errorf("the household has no camera in %s", p.words(d.roster()))
	}
	before, err := d.pushed()
	if err != nil {
		return pushed{}, err
	}
	for _, b := range before {
		if b.file() == p.file() {
			s.Version = max(s.Version, b.Version+1)
		}
	}
	if p.signed, err = seal.SignSettings(d.signer, s); err != nil {
		return pushed{}, err
	}
	if err := os.MkdirAll(filepath.Join(d.dir, settingsDir), 0o700); err != nil {
		return pushed{}, err
	}
	return p, writeWhole(filepath.Join(d.dir, settingsDir, p.file()), p.signed)
}

func (d *desk) pushed() ([]pushed, error) { return pushedIn(d.dir, d.roster()) }

func rosterIn(dir string) (*seal.Roster, error) {
	about, err := identity.ReadHousehold(dir)
	if err != nil {
		return nil, hintNoHousehold(dir, err)
	}
	return about.Roster, nil
}

// pushedIn returns what was signed in a household's directory, as far as it still
// counts for a camera of r.
func pushedIn(dir string, r *seal.Roster) (all []pushed, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, settingsDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".new") {
			continue
		}
		b, err := readBounded(nil, filepath.Join(dir, settingsDir, e.Name()), seal.MaxSettings+4096)
		if err != nil {
			return nil, err
		}
		for _, c := range r.Cameras { // any that takes them tells what they are
			if s, err := seal.OpenSettings(r, c.ID, b); err == nil {
				all = append(all, pushed{s, b})
				break
			}
		}
	}
	return all, err
}

// send leaves p with the broker for each of its cameras.
func (d *desk) send(ctx context.Context, v *visit, p pushed) error {
	for _, c := range p.cameras(d.roster()) {
		if err := v.up.Send(ctx, c.ID, feed.Settings+"/"+p.target().Topic(), p.signed); err != nil {
			return fmt.Errorf("%w: %w", errNotReached, err)
		}
	}
	return nil
}

// listen opens sealed statuses as they come, and hands on what they say of settings,
// until each returns true.
func (d *desk) listen(ctx context.Context, v *visit, quiet time.Duration, each func(seal.RosterCamera, *uplink.SettingsStatus) bool) error {
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: d.who.Household(), Roster: d.roster(), Key: d.who.Key(), Now: time.Now})
	if err != nil {
		return err
	}
	for {
		var silence <-chan time.Time
		if quiet > 0 {
			silence = time.After(quiet)
		}
		select {
		case it := <-v.items:
			c, ours := d.roster().Camera(it.Camera)
			if it.Kind != feed.Status || !ours {
				continue
			}
			m, err := opener.Open(c.ID, it.Sealed)
			if err != nil || m.Meta().Kind != seal.KindStatus {
				continue
			}
			var said struct {
				State    string                 `json:"state"`
				Settings *uplink.SettingsStatus `json:"settings"`
			}
			if _, text := m.Media(); json.Unmarshal(text, &said) != nil || said.State == "offline" {
				continue // a will says nothing of settings
			}
			if each(c, said.Settings) {
				return nil
			}
		case <-silence:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answers tells what becomes of p at each of its cameras, a line each as it comes.
func (d *desk) answers(ctx context.Context, env *cli.Env, v *visit, p pushed) error {
	last := map[seal.CameraID]string{} // state that was said last
	waiting := map[seal.CameraID]seal.RosterCamera{}
	for _, c := range p.cameras(d.roster()) {
		waiting[c.ID] = c
	}
	failed := 0
	err := d.listen(ctx, v, 0, func(c seal.RosterCamera, said *uplink.SettingsStatus) bool {
		w, ok := of(said, p.target())
		if _, still := waiting[c.ID]; !ok || !still || w.Newest < p.Version || last[c.ID] == w.State {
			return len(waiting) == 0
		}
		last[c.ID] = w.State
		fmt.Fprintln(env.Stdout, wantedLine(env, c, p.Version, w))
		switch {
		case w.Newest == p.Version && (w.State == uplink.Waits || w.State == uplink.Trying):
			return false
		case w.Version != p.Version:
			failed++
		}
		delete(waiting, c.ID)
		return len(waiting) == 0
	})
	switch {
	case err == nil && failed > 0:
		return fmt.Errorf("%d of %d cameras do not go by these settings", failed, len(p.cameras(d.roster())))
	case err == nil:
		return nil
	}
	for _, c := range p.cameras(d.roster()) {
		if _, still := waiting[c.ID]; still && last[c.ID] == "" {
			fmt.Fprintf(env.Stdout, "%s  %s\n", column(c.Name, 16), env.Paint(cli.Warn, "has not answered"))
		}
	}
	return cli.Hint(fmt.Errorf("%d of %d cameras have given no final answer", len(waiting), len(p.cameras(d.roster()))),
		"the broker keeps the settings for them; ask later with: sealcam settings status --household %s", d.dir)
}

// of returns what a status says about a target.
func of(s *uplink.SettingsStatus, t desired.Target) (uplink.WantedSettings, bool) {
	if s != nil {
		for _, w := range s.Wanted {
			if w.For == string(t) {
				return w, true
			}
		}
	}
	return uplink.WantedSettings{}, false
}

// wantedLine is a camera's answer about version.
func wantedLine(env *cli.Env, c seal.RosterCamera, version uint64, w uplink.WantedSettings) string {
	text := column(c.Name, 16) + "  " + env.Paint(styleOf(w.State), column(printable(w.State, 16), 11))
	switch {
	case w.Newest > version:
		text += "  newer ones have come: " + desired.VersionWords(w.Newest)
	case w.Why != "":
		text += "  " + printable(w.Why, 300)
	}
	return strings.TrimRight(text, " ")
}

func styleOf(state string) cli.Style {
	switch state {
	case uplink.Applied:
		return cli.Good
	case uplink.Refused, uplink.RolledBack:
		return cli.Bad
	case uplink.LeftGroup:
		return cli.Faint
	}
	return cli.Warn
}

// overview tells what each camera goes by.
func (d *desk) overview(ctx context.Context, env *cli.Env, v *visit) error {
	told := map[seal.CameraID]*uplink.SettingsStatus{}
	heard := map[seal.CameraID]bool{}
	err := d.listen(ctx, v, quietTime, func(c seal.RosterCamera, said *uplink.SettingsStatus) bool {
		heard[c.ID], told[c.ID] = true, said
		return len(heard) == len(d.roster().Cameras)
	})
	if err != nil {
		return err
	}
	failed := 0
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range d.roster().Cameras {
		name := printable(c.Name, 32)
		switch {
		case !heard[c.ID]:
			fmt.Fprintf(w, "%s\t\thas said nothing since the broker started\n", name)
		case told[c.ID] == nil || len(told[c.ID].Wanted) == 0:
			fmt.Fprintf(w, "%s\t\tits own settings\n", name)
		default:
			for _, one := range told[c.ID].Wanted {
				fmt.Fprintf(w, "%s\t%s\t%s\n", name, printable(one.For, 40), wantedWords(one))
				if one.State == uplink.Refused || one.State == uplink.RolledBack || one.State == uplink.Unfit {
					failed++
				}
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d %s not in force where wanted", failed, map[bool]string{true: "is", false: "are"}[failed == 1])
	}
	return nil
}

// wantedWords says what holds for a target, and what does not.
func wantedWords(w uplink.WantedSettings) string {
	text := "none in force"
	if w.Version > 0 {
		text = desired.VersionWords(w.Version) + ", by " + printable(w.By, 40)
	}
	if w.State == uplink.Applied {
		return text
	}
	text += "; "
	if w.Newest != w.Version {
		text += desired.VersionWords(w.Newest) + " "
	}
	text += printable(w.State, 16)
	if w.Why != "" {
		text += ": " + printable(w.Why, 300)
	}
	return text
}
