package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// away is a household with a camera and a keeper, which is not the real one.
type away struct {
	t      *testing.T
	house  *identity.Household
	keeper *feed.FakeKeeper
	url    string
	camera *identity.Camera
	sealer *seal.Sealer
	seq    uint64
	prev   [32]byte
}

func newAway(t *testing.T) *away {
	t.Helper()
	dir := t.TempDir()
	house, err := identity.CreateHousehold(filepath.Join(dir, "house"), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := house.AddViewer("laptop"); err != nil {
		t.Fatal(err)
	}
	a := &away{t: t, house: house, camera: pairedCamera(t, house, filepath.Join(dir, "camera"))}
	if a.sealer, err = seal.NewSealer(seal.SealerConfig{Key: a.camera.Signer(), Roster: a.camera.Roster(), Boot: [16]byte{1}}); err != nil {
		t.Fatal(err)
	}
	return a
}

// keep starts the keeper and has the owner take it in.
func (a *away) keep() {
	a.t.Helper()
	key, err := seal.NewViewerKey(nil) // any key will do
	if err != nil {
		a.t.Fatal(err)
	}
	id, err := seal.KeyIDOf(key.Signer().Public())
	if err != nil {
		a.t.Fatal(err)
	}
	a.keeper = &feed.FakeKeeper{ID: id, Household: a.house.ID(), Now: time.Now}
	conf, err := a.house.ServerTLS("127.0.0.1")
	if err != nil {
		a.t.Fatal(err)
	}
	conf.ClientAuth = tls.NoClientCert // passes are enough
	server := httptest.NewUnstartedServer(a.keeper)
	server.TLS, server.EnableHTTP2 = conf, true
	server.StartTLS()
	a.t.Cleanup(server.Close)
	a.url = server.URL
	r, _, err := a.house.Roster()
	if err != nil {
		a.t.Fatal(err)
	}
	r.Version++
	r.Keepers = []seal.Keeper{{Name: "attic", Key: key.Public().Key, URL: a.url}}
	if a.keeper.Roster, err = seal.SignRoster(a.house.Owner(), *r); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.house.TakeRoster(a.keeper.Roster); err != nil {
		a.t.Fatal(err)
	}
	opened, err := seal.OpenRoster(a.house.ID(), a.keeper.Roster)
	if err != nil {
		a.t.Fatal(err)
	}
	a.keeper.Pass = func(b []byte) error {
		p, err := seal.OpenPass(opened, time.Now(), b)
		if err == nil && p.Keeper != id {
			err = errors.New("for another keeper")
		}
		return err
	}
}

// send seals n pictures and has them kept.
func (a *away) send(n int) {
	a.t.Helper()
	for range n {
		a.seq++
		m := seal.Meta{Stream: seal.Durable, Seq: a.seq, Prev: a.prev, Taken: time.Now(), Clock: seal.ClockNTP, Kind: seal.KindSnapshot, Media: "image/jpeg", Event: a.seq}
		s, err := a.sealer.Seal(m, fmt.Appendf(nil, "picture %d", a.seq))
		if err != nil {
			a.t.Fatal(err)
		}
		a.prev = s.Hash
		if err := a.keeper.Keep(feed.Item{Camera: a.camera.ID(), Kind: feed.Media, Sealed: s.Bytes}); err != nil {
			a.t.Fatal(err)
		}
	}
}

// watch runs sealcam watch until it has shown n pictures, and returns the numbers of
// what it printed.
func (a *away) watch(n int, args ...string) string {
	a.t.Helper()
	var out, trouble bytes.Buffer
	ctx, cancel := context.WithTimeout(a.t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{"--household", a.house.Dir(), "--viewer", "laptop", "--json", "--count", fmt.Sprint(n)}, args...)
	if err := runWatch(ctx, &cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &trouble}, args); err != nil || ctx.Err() != nil {
		a.t.Fatalf("watch: %v, %v\n%s%s", err, ctx.Err(), &out, &trouble)
	}
	return out.String()
}

// Who was away sees all that was sealed, in order, once, from the keeper alone.
func TestWatchKeeper(t *testing.T) {
	a := newAway(t)
	a.keep()
	a.send(30)
	expect := func(out string, from, to int) {
		t.Helper()
		at := 0
		for n := from; n <= to; n++ {
			i := strings.Index(out[at:], fmt.Sprintf(`"seq":%d,`, n))
			if i < 0 {
				t.Fatalf("picture %d is not there, or not in order:\n%s", n, out)
			}
			at += i
		}
		if got := strings.Count(out, `"what":"verified"`); got != to-from+1 || strings.Contains(out, `"refused"`) || strings.Contains(out, `"gap"`) {
			t.Errorf("%d verified:\n%s", got, out)
		}
	}
	expect(a.watch(30, "--keeper", a.url), 1, 30)
	a.send(5)
	// The household names the keeper by itself, and a broker that is not reached.
	if err := a.house.SetBroker("mqtts://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	expect(a.watch(5), 31, 35)
}

// The page is given what a keeper has.
func TestViewKeeper(t *testing.T) {
	a := newAway(t)
	a.keep()
	a.send(3)
	out, printed := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- runView(ctx, &cli.Env{Stdout: printed, Stderr: io.Discard}, []string{"--household", a.house.Dir(), "--keeper", a.url, "--listen", "127.0.0.1:0"})
		printed.CloseWithError(io.EOF)
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("nothing printed: %v", <-ended)
	}
	link := lines.Text()
	go io.Copy(io.Discard, out)
	origin, fragment, _ := strings.Cut(link, "/#")
	opener := openerOf(t, origin, fragment)
	n := uint64(0)
	readFeed(t, ctx, origin, a.camera.ID(), func(kind byte, sealed []byte) bool {
		if kind != 4 {
			return false
		}
		n++
		v, err := opener.Open(a.camera.ID(), sealed)
		if err != nil || v.Meta().Seq != n {
			t.Fatalf("picture %d: %v", n, err)
		}
		return n == 3
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A keeper that the household does not know is not asked.
func TestWaysRefuse(t *testing.T) {
	a := newAway(t)
	a.keep()
	for _, c := range []struct{ keeper, want, hint string }{
		{"http://127.0.0.1:1", "not the address of a keeper", "https://"},
		{"https://user@127.0.0.1", "not the address of a keeper", ""},
		{"https://127.0.0.1/?x=1", "not the address of a keeper", ""},
	} {
		err := runWatch(t.Context(), &cli.Env{Stdout: io.Discard, Stderr: io.Discard}, []string{"--household", a.house.Dir(), "--keeper", c.keeper})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(cli.HintOf(err), c.hint) {
			t.Errorf("--keeper %s: %v (hint %q)", c.keeper, err, cli.HintOf(err))
		}
	}
	who, err := identity.OpenViewer(a.house.Dir(), "laptop")
	if err != nil {
		t.Fatal(err)
	}
	var not *identity.NotKeeperError
	if _, err := who.Pass("someone", time.Now()); !errors.As(err, &not) || cli.HintOf(err) == "" {
		t.Errorf("a pass for a stranger: %v", err)
	}
}

func TestSpanOf(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"7d": 7 * 24 * time.Hour, "90m": 90 * time.Minute, "36h": 36 * time.Hour,
		"": 0, "d": 0, "-1h": 0, "0": 0, "99999d": 0, "1.5d": 0, "week": 0,
	} {
		got, err := spanOf(said)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %v, %v", said, got, err)
		}
	}
}
