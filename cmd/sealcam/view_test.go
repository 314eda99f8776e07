package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/page"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// TestView follows a sealed picture from a camera over a broker to what the
// page gets, and opens it with what the printed link holds.
func TestView(t *testing.T) {
	dir := t.TempDir()
	house, err := identity.CreateHousehold(filepath.Join(dir, "house"), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := house.ServerTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	hub, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var ends sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer ends.Wait()
	defer cancel()
	ends.Go(func() { hub.Run(ctx) })
	if err := house.SetBroker(hub.URL()); err != nil {
		t.Fatal(err)
	}
	if _, err := house.AddViewer("laptop"); err != nil {
		t.Fatal(err)
	}
	camera := pairedCamera(t, house, filepath.Join(dir, "camera"))

	out, printed := io.Pipe()
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: printed, Stderr: io.Discard}
	var viewErr error
	ends.Go(func() {
		viewErr = runView(ctx, env, []string{"--household", house.Dir(), "--viewer", "laptop", "--listen", "127.0.0.1:0"})
		printed.CloseWithError(io.EOF)
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("nothing printed: %v", viewErr)
	}
	link := lines.Text()
	ends.Go(func() { io.Copy(io.Discard, out) })

	sealed := publishLive(t, ctx, hub.URL(), camera)
	origin, fragment, _ := strings.Cut(link, "/#")
	got := liveFromFeed(t, ctx, origin, camera.ID())
	if !bytes.Equal(got, sealed) {
		t.Fatalf("the page got %d bytes, the camera sealed %d", len(got), len(sealed))
	}
	v, err := openerOf(t, origin, fragment).Open(camera.ID(), got)
	if err != nil {
		t.Fatal(err)
	}
	if _, media := v.Media(); string(media) != "a picture" {
		t.Errorf("opened %q", media)
	}
	cancel()
	ends.Wait()
	if viewErr != nil {
		t.Errorf("view ended with %v", viewErr)
	}
}

func TestViewSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	house, err := identity.CreateHousehold(filepath.Join(dir, "house"), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := house.AddViewer("laptop"); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) error {
		return runView(t.Context(), &cli.Env{Stdout: io.Discard, Stderr: io.Discard}, args)
	}
	var pageErr error
	for _, tc := range []struct {
		args       []string
		want, hint string
	}{
		{nil, "--household is missing", ""},
		{[]string{"--household", house.Dir(), "--viewer", "laptop"}, "names no broker", "--broker"},
		{[]string{"--household", filepath.Join(dir, "nowhere"), "--broker", "mqtts://127.0.0.1:1"}, "nowhere", ""},
		{[]string{"--household", house.Dir(), "--viewer", "laptop", "--broker", "mqtts://127.0.0.1:1", "--listen", ":0"}, "open to the network", "--host"},
	} {
		pageErr = run(tc.args...)
		if pageErr == nil || !strings.Contains(pageErr.Error(), tc.want) || !strings.Contains(cli.HintOf(pageErr), tc.hint) {
			t.Errorf("view %q: %v (hint %q)", tc.args, pageErr, cli.HintOf(pageErr))
		}
	}
	if !errors.Is(pageErr, page.ErrExposed) {
		t.Errorf("the last is %v", pageErr)
	}
}

func pairedCamera(t *testing.T, house *identity.Household, dir string) *identity.Camera {
	t.Helper()
	camera, err := identity.OpenCamera(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := house.AddCamera(camera.ID(), "Front door"); err != nil {
		t.Fatal(err)
	}
	if err := house.Adopt(camera); err != nil {
		t.Fatal(err)
	}
	return camera
}

// publishLive seals a live picture and publishes it retained.
func publishLive(t *testing.T, ctx context.Context, broker string, camera *identity.Camera) []byte {
	t.Helper()
	sealer, err := seal.NewSealer(seal.SealerConfig{Key: camera.Signer(), Roster: camera.Roster(), Boot: [16]byte{1}, Firmware: "1"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sealed, err := sealer.Seal(seal.Meta{
		Stream: seal.Live, Seq: 1, Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNTP,
		Taken: now, Expires: now.Add(time.Minute).Truncate(time.Second), Width: 1, Height: 1,
	}, []byte("a picture"))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := camera.TLS()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mqtt.Dial(ctx, mqtt.Config{URL: broker, TLS: conf, ClientID: "camera"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	token := conn.Publish(ctx, mqtt.Message{Topic: feed.Topic(camera.ID(), feed.Live), Payload: sealed.Bytes, Retained: true, QoS: 1})
	select {
	case <-token.Done():
	case <-ctx.Done():
	}
	if err := token.Err(); err != nil {
		t.Fatal(err)
	}
	return sealed.Bytes
}

// liveFromFeed reads the page's feed up to the live message of a camera.
func liveFromFeed(t *testing.T, ctx context.Context, origin string, camera seal.CameraID) (sealed []byte) {
	t.Helper()
	readFeed(t, ctx, origin, camera, func(kind byte, payload []byte) bool {
		sealed = payload
		return kind == 3
	})
	return sealed
}

// readFeed reads the page's feed until each has had enough of a camera's records.
func readFeed(t *testing.T, ctx context.Context, origin string, camera seal.CameraID, each func(kind byte, sealed []byte) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", origin+"/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for {
		var size uint32
		if err := binary.Read(answer.Body, binary.BigEndian, &size); err != nil {
			t.Fatalf("the feed has ended: %v", err)
		}
		record := make([]byte, size)
		if _, err := io.ReadFull(answer.Body, record); err != nil {
			t.Fatal(err)
		}
		if string(record[2:54]) == string(camera) && each(record[0], record[62:]) {
			return
		}
	}
}

// openerOf returns an opener made of the link's fragment and the page's roster.
func openerOf(t *testing.T, origin, fragment string) *seal.Opener {
	t.Helper()
	given, err := url.ParseQuery(fragment)
	if err != nil {
		t.Fatal(err)
	}
	var key seal.ViewerKey
	if err := key.UnmarshalText([]byte(given.Get("k"))); err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(origin + "/roster")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	signed, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	id := seal.HouseholdID(given.Get("h"))
	roster, err := seal.OpenRoster(id, signed)
	if err != nil {
		t.Fatal(err)
	}
	o, err := seal.NewOpener(seal.OpenerConfig{Household: id, Roster: roster, Key: &key, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
