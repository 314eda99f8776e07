package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/mosquitto"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// away is a household with a keeper that runs, a camera, and a viewer that does not.
type away struct {
	*keeping
	camera *lightCamera
}

func newAway(t *testing.T) *away {
	t.Helper()
	a := &away{keeping: newKeeping(t)}
	who, err := a.home.AddViewer("laptop")
	if err != nil {
		t.Fatal(err)
	}
	a.camera = a.keeping.camera("Front door", a.brokerURL)
	r, _, err := a.home.Roster()
	if err != nil {
		t.Fatal(err)
	}
	r.Version++
	r.Keepers[0].URL = a.url // its port was not known before
	signed, err := seal.SignRoster(a.home.Owner(), *r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.home.TakeRoster(signed); err != nil {
		t.Fatal(err)
	}
	a.camera.publish("roster", signed, true)
	// What came before the keeper knows whose it is would not be kept.
	waitFor(t, "the keeper to know the household", func() bool {
		pass, err := seal.SignPass(who.Key().Signer(), seal.Pass{Household: a.home.ID(), Keeper: a.who.ID(), Issued: time.Now(), Expires: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/v1/households/"+string(a.home.ID())+"/cameras", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Sealcam "+base64.RawURLEncoding.EncodeToString(pass))
		answer, err := a.httpClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return a
}

// send has the camera seal n pictures, and waits until the keeper has them.
func (a *away) send(n int) {
	a.t.Helper()
	for range n {
		a.camera.picture()
	}
	a.camera.receipted(a.camera.seq)
}

// watch runs sealcam watch until it has shown n pictures, and returns the numbers of
// what it printed.
func (a *away) watch(n int, args ...string) string {
	a.t.Helper()
	var out, trouble bytes.Buffer
	ctx, cancel := context.WithTimeout(a.t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{"--household", a.home.Dir(), "--viewer", "laptop", "--json", "--count", fmt.Sprint(n)}, args...)
	if err := runWatch(ctx, &cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &trouble}, args); err != nil || ctx.Err() != nil {
		a.t.Fatalf("watch: %v, %v\n%s%s", err, ctx.Err(), &out, &trouble)
	}
	return out.String()
}

// Who was away sees all that was sealed, in order, once, from the keeper alone.
func TestWatchKeeper(t *testing.T) {
	a := newAway(t)
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
	if err := a.home.SetBroker("mqtts://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	expect(a.watch(5), 31, 35)
}

// The page is given what a keeper has.
func TestViewKeeper(t *testing.T) {
	a := newAway(t)
	a.send(3)
	out, printed := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- runView(ctx, &cli.Env{Stdout: printed, Stderr: io.Discard}, []string{"--household", a.home.Dir(), "--keeper", a.url, "--listen", "127.0.0.1:0"})
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
	readFeed(t, ctx, origin, a.camera.who.ID(), func(kind byte, sealed []byte) bool {
		if kind != 4 {
			return false
		}
		n++
		v, err := opener.Open(a.camera.who.ID(), sealed)
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
	for _, c := range []struct{ keeper, want, hint string }{
		{"http://127.0.0.1:1", "not the address of a keeper", "https://"},
		{"https://user@127.0.0.1", "not the address of a keeper", ""},
		{"https://127.0.0.1/?x=1", "not the address of a keeper", ""},
	} {
		err := runWatch(t.Context(), &cli.Env{Stdout: io.Discard, Stderr: io.Discard}, []string{"--household", a.home.Dir(), "--keeper", c.keeper})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(cli.HintOf(err), c.hint) {
			t.Errorf("--keeper %s: %v (hint %q)", c.keeper, err, cli.HintOf(err))
		}
	}
	who, err := identity.OpenViewer(a.home.Dir(), "laptop")
	if err != nil {
		t.Fatal(err)
	}
	var not *identity.NotKeeperError
	if _, err := who.Pass("someone", time.Now()); !errors.As(err, &not) || cli.HintOf(err) == "" {
		t.Errorf("a pass for a stranger: %v", err)
	}
}

// A bridge shows what a keeper has, without a broker of the household.
func TestBridgeKeeper(t *testing.T) {
	a := newAway(t)
	a.send(2)
	port, err := mosquitto.FreePort("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	local, err := mosquitto.Start(t.Context(), t.TempDir(), mosquitto.Config{Host: "127.0.0.1", Port: port}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer local.Stop()
	conn, err := mqtt.Dial(t.Context(), mqtt.Config{URL: local.URL(), ClientID: "ha", Queue: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(t.Context(), "sealcam-bridge/#"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- runBridge(ctx, &cli.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}, []string{
			"--household", a.home.Dir(), "--viewer", "laptop", "--keeper", a.url, "--local", local.URL(),
		})
	}()
	late := time.After(time.Minute)
	for shown := false; !shown; {
		select {
		case m := <-conn.Messages():
			shown = string(m.Payload) == "a picture"
		case <-late:
			t.Fatal("the bridge shows nothing")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
