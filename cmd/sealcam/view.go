package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/page"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

const viewText = `
Serves the viewer's page: live pictures, events and what is missing, each one
checked in your browser before it is shown. The server hands on sealed bytes; the
key is in the link that is printed, goes into the browser, and stays there.

The page is open to this machine only. To open it to others, name with --host how
they reach this machine: then it speaks TLS, and asks every browser for a
certificate of your household. That takes the household's owner key.

Where the owner key is, the page of this machine also takes cameras in: it shows
the code that a new camera reads.
`

// pageNewest is how many messages of each camera the page starts with, where there is
// a keeper. Older ones come as far as a browser misses them.
const pageNewest = 300

// runView is "sealcam view".
func runView(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("view", "sealcam view --household DIR [--viewer NAME] [--broker URL] [--keeper URL] [--listen ADDR] [--host NAME,...]", viewText)
	dir := fs.String("household", "", "the household's `directory`")
	name := fs.String("viewer", "", "which viewer this is; the only one if empty")
	w := ways{view: true, newest: pageNewest}
	w.flags(fs)
	listen := fs.String("listen", "127.0.0.1:8480", "`address` of the page")
	hosts := fs.String("host", "", "`names` under which others open the page, with commas between")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return cli.Usagef("%q: sealcam view takes flags only", fs.Arg(0))
	case *dir == "":
		return cli.Usagef("--household is missing")
	}
	log := slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	who, up, err := w.open(*dir, *name, log)
	if err != nil {
		return err
	}
	v := &view{who: who, hosts: split(*hosts), log: log}
	if v.listener, err = v.listen(ctx, *dir, *listen); err != nil {
		return err
	}
	defer v.listener.Close()
	if len(v.hosts) == 0 {
		v.inviter, v.token = newInviter(ctx, *dir, log)
	}
	return v.run(ctx, env.Stdout, rosterKeeper{up, who, log})
}

// view is one run of the command.
type view struct {
	who      *identity.Viewer
	hosts    []string // beside loopback; any of them makes it TLS
	log      *slog.Logger
	listener net.Listener
	inviter  *inviter // nil where the owner key is not, or others may look
	token    string
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// listen opens the page's address: loopback, or TLS for the household alone.
func (v *view) listen(ctx context.Context, dir, addr string) (net.Listener, error) {
	var conf *tls.Config
	if len(v.hosts) > 0 {
		h, err := identity.OpenHousehold(dir, time.Now)
		if err != nil {
			return nil, cli.Hint(err, "opening the page to others takes the owner key; leave --host away to look on this machine")
		}
		if conf, err = h.ServerTLS(v.hosts...); err != nil {
			return nil, err
		}
	}
	l, err := page.Listen(ctx, addr, conf)
	if errors.Is(err, page.ErrExposed) {
		err = cli.Hint(err, "leave --listen away, or name with --host how others reach this machine")
	}
	return l, err
}

// run serves until ctx ends.
func (v *view) run(ctx context.Context, out io.Writer, up feed.Feed) error {
	conf := page.Config{Feed: up, Roster: v.roster, Hosts: v.hosts, Now: time.Now, Log: v.log}
	if v.inviter != nil {
		conf.Pairing, conf.PairToken = v.inviter, v.token
		defer v.inviter.Stop()
	}
	p, err := page.New(conf)
	if err != nil {
		return err
	}
	link, err := page.URL(v.origin(), v.who.Household(), v.who.Key(), "")
	if err != nil {
		return err
	}
	if v.token != "" {
		link += "&p=" + v.token
	}
	fmt.Fprintf(out, "%s\n\nOpen this in a browser. The link carries the key of viewer %s: keep it to yourself.\n", link, v.who.Name())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.Run(ctx) })
	g.Go(func() error { return p.Serve(ctx, v.listener) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (v *view) origin() string {
	if len(v.hosts) == 0 {
		return "http://" + v.listener.Addr().String()
	}
	_, port, _ := net.SplitHostPort(v.listener.Addr().String())
	return "https://" + net.JoinHostPort(v.hosts[0], port)
}

// roster returns the newest signed roster: the owner may change it meanwhile.
func (v *view) roster() ([]byte, error) {
	if _, err := v.who.Refresh(); err != nil {
		return nil, err
	}
	return v.who.SignedRoster(), nil
}

// rosterKeeper is a feed that keeps the rosters that pass.
type rosterKeeper struct {
	feed.Feed
	who *identity.Viewer
	log *slog.Logger
}

// Run implements feed.Feed.
func (k rosterKeeper) Run(ctx context.Context, each func(feed.Item)) error {
	return k.Feed.Run(ctx, func(it feed.Item) {
		if it.Kind == feed.Roster {
			if _, err := k.who.SetRoster(it.Sealed); err != nil {
				k.log.Debug("a roster was not taken", "err", err)
			}
		}
		each(it)
	})
}

// Know implements feed.Archive.
func (k rosterKeeper) Know(known func(seal.CameraID) feed.Known) {
	if a, ok := k.Feed.(feed.Archive); ok {
		a.Know(known)
	}
}

// Fill implements feed.Archive, as far as the feed is one.
func (k rosterKeeper) Fill(camera seal.CameraID, first, last uint64) bool {
	a, ok := k.Feed.(feed.Archive)
	return ok && a.Fill(camera, first, last)
}
