package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sealcam": main,
		"camera":  func() { program("camera", cameraMain) },
		"broker":  func() { program("broker", brokerMain) },
	})
}

// TestScripts runs the stories in testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"id": scriptID, "await": scriptAwait, "setenv": scriptSetenv, "mode": scriptMode, "jsonl": scriptJSONL,
			"codeof": scriptCodeOf,
		},
	})
}

// scriptID: id NAME STATE sets NAME to the id of the camera in STATE.
func scriptID(ts *testscript.TestScript, _ bool, args []string) {
	c, err := identity.OpenCamera(ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Setenv(args[0], string(c.ID()))
}

// scriptAwait: await FILE waits until FILE is there.
func scriptAwait(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("%s has not come", args[0])
}

// scriptSetenv: setenv NAME FILE sets NAME to what FILE holds.
func scriptSetenv(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// scriptCodeOf: codeof OUTPUT FILE writes the code that a command printed into
// FILE.
func scriptCodeOf(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if code, ok := strings.CutPrefix(line, "code  "); ok {
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(code), 0o600))
			return
		}
	}
	ts.Fatalf("%s holds no code", args[0])
}

// scriptMode: mode 600 FILE checks FILE's permissions.
func scriptMode(ts *testscript.TestScript, _ bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(st.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// scriptJSONL: jsonl FILE checks that every line is one JSON object.
func scriptJSONL(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("%s: %v", line, err)
		}
	}
}

func program(name string, run func(args []string) error) {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// cameraMain stands for a camera: identity and seal are the real ones, light
// is not.
func cameraMain(args []string) error {
	c, err := identity.OpenCamera(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "request": // camera request STATE
		text, err := c.Request("script")
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	case "claim": // camera claim STATE PAIRING
		text, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		p, err := identity.ParsePairing(text)
		if err != nil {
			return err
		}
		return c.Claim(p)
	case "pair": // camera pair STATE CODE
		text, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		return agent.Pair(context.Background(), agent.Defaults(), c, string(text), "script", slog.New(slog.NewTextHandler(os.Stdout, nil)))
	case "seal": // camera seal STATE durable|live COUNT OUT: OUT.1 ... OUT.COUNT
		return cameraSeal(c, args[2], args[3], args[4])
	case "clip": // camera clip STATE EVENT COUNT OUT: its parts OUT.1 ... OUT.COUNT
		return cameraClip(c, args[2], args[3], args[4])
	case "send": // camera send STATE BROKER KIND FILE...
		return cameraSend(c, args[2], args[3], args[4:])
	case "serve": // camera serve STATE, with the identity in STATE/identity: a whole camera before a drawn scene
		s := agent.Defaults()
		s.State = filepath.Dir(args[1])
		s.Camera.Source, s.Privacy.Masks = "scene:empty?size=320x180&rate=10&pixel=grey", []agent.MaskSettings{{Rect: []int{0, 0, 100, 100}}}
		return agent.Serve(context.Background(), s, agent.Host{Firmware: "script"}, slog.New(slog.DiscardHandler))
	case "run": // camera run STATE: until an owner resets it
		return cameraRun(c, args[1])
	}
	return fmt.Errorf("no verb %s", args[0])
}

// cameraRun delivers as a camera does, and is reset as one is.
func cameraRun(c *identity.Camera, state string) error {
	began := time.Now()
	up, err := uplink.Open(uplink.Config{Dir: state + ".spool", Camera: c, Broker: c.Broker(), Budget: 1 << 20, Firmware: "script",
		Now: time.Now, Mono: func() time.Duration { return time.Since(began) }})
	if err != nil {
		return err
	}
	if err := up.Status(uplink.Status{State: "running"}); err != nil {
		return err
	}
	err = up.Run(context.Background())
	if closeErr := up.Close(); closeErr != nil || !errors.Is(err, uplink.ErrReset) {
		return errors.Join(err, closeErr)
	}
	return c.Reset()
}

func cameraSeal(c *identity.Camera, stream, count, out string) error {
	s, err := seal.NewSealer(seal.SealerConfig{Key: c.Signer(), Roster: c.Roster(), Boot: [16]byte{1}, Firmware: "script"})
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var prev [32]byte
	for i := range n {
		m := seal.Meta{
			Stream: seal.Durable, Seq: uint64(i + 1), Prev: prev, Kind: seal.KindSnapshot, Media: "image/jpeg",
			Taken: time.Now(), Clock: seal.ClockNTP, Cause: "motion", Light: "day", Event: 1, Width: 640, Height: 360,
		}
		if stream == "live" {
			m.Stream, m.Prev, m.Expires = seal.Live, [32]byte{}, time.Now().Add(time.Hour)
		}
		sealed, err := s.Seal(m, fmt.Appendf(nil, "JPEG number %d", i+1))
		if err != nil {
			return err
		}
		prev = sealed.Hash
		if err := os.WriteFile(fmt.Sprintf("%s.%d", out, i+1), sealed.Bytes, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// cameraClip seals a clip of one-second parts, numbers as its event's times ten.
func cameraClip(c *identity.Camera, event, count, out string) error {
	s, err := seal.NewSealer(seal.SealerConfig{Key: c.Signer(), Roster: c.Roster(), Boot: [16]byte{1}, Firmware: "script"})
	if err != nil {
		return err
	}
	id, err := strconv.Atoi(event)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	began := time.Now().Add(-time.Duration(n) * time.Second)
	for i := range n {
		m := seal.Meta{
			Stream: seal.Durable, Seq: uint64(10*id + i), Kind: seal.KindClip, Media: "video/mp4", Event: uint64(id), Part: uint32(i), Last: i+1 == n,
			Taken: began.Add(time.Duration(i) * time.Second), Clock: seal.ClockNTP, Cause: "motion", Light: "day", Width: 640, Height: 360,
			Labels: seal.ClipMarks{PreRoll: 1500 * time.Millisecond}.Labels(),
		}
		sealed, err := s.Seal(m, cliptest.Part(uint32(i), "head", byte(id)))
		if err != nil {
			return err
		}
		if err := os.WriteFile(fmt.Sprintf("%s.%d.sealed", out, i+1), sealed.Bytes, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// cameraSend publishes files on the camera's own topic, to be kept, so that a
// viewer that comes later gets the last one.
func cameraSend(c *identity.Camera, url, kind string, files []string) error {
	conf, err := c.TLS()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := mqtt.Dial(ctx, mqtt.Config{URL: url, TLS: conf, ClientID: string(c.ID())})
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		token := conn.Publish(ctx, mqtt.Message{Topic: feed.Topic(c.ID(), kind), Payload: b, QoS: 1, Retained: true})
		select {
		case <-token.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := token.Err(); err != nil {
			return err
		}
	}
	return nil
}

// brokerMain is a broker for the household in args[0]; its URL goes into the
// file args[1] once it listens.
func brokerMain(args []string) error {
	h, err := identity.OpenHousehold(args[0], time.Now)
	if err != nil {
		return err
	}
	conf, err := h.ServerTLS("127.0.0.1")
	if err != nil {
		return err
	}
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if len(args) > 2 { // and the household is told
		if err := h.SetBroker(b.URL()); err != nil {
			return err
		}
	}
	if err := os.WriteFile(args[1]+".part", []byte(b.URL()), 0o644); err != nil {
		return err
	}
	if err := os.Rename(args[1]+".part", args[1]); err != nil {
		return err
	}
	return b.Run(context.Background())
}

// FuzzPrintable: what a camera says cannot move a terminal's cursor.
func FuzzPrintable(f *testing.F) {
	f.Add("running\x1b[2J", 10)
	f.Add("a\u202eb\u200b\xff", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 1), 200)
		got := printable(s, limit)
		for _, r := range got {
			if r < ' ' || r == 0x7f || r == 0x9b || r == 0x202e {
				t.Fatalf("%q became %q", s, got)
			}
		}
		if len([]rune(got)) > limit {
			t.Fatalf("%q became %q, longer than %d", s, got, limit)
		}
	})
}

func TestParseMixed(t *testing.T) {
	for _, c := range []struct {
		args, rest string
		name       string
		wrong      bool
	}{
		{"a b", "a b", "", false},
		{"--name x a b", "a b", "x", false},
		{"a --name x b", "a b", "x", false},
		{"a b --name=x", "a b", "x", false},
		{"a -- --name x", "a --name x", "", false},
		{"-- -a", "-a", "", false},
		{"a - b", "a - b", "", false},
		{"a --what", "", "", true},
	} {
		fs := (&cli.Env{Stdout: io.Discard}).Flags("x", "x", "x")
		name := fs.String("name", "", "")
		rest, err := parseMixed(fs, strings.Fields(c.args))
		if (err != nil) != c.wrong || strings.Join(rest, " ") != c.rest || *name != c.name {
			t.Errorf("%q: %q, name %q, %v", c.args, rest, *name, err)
		}
	}
}

func TestReadBounded(t *testing.T) {
	if _, err := readBounded(nil, "/dev/zero", 100); err == nil || !strings.Contains(err.Error(), "larger than 100 bytes") {
		t.Errorf("an endless file: %v", err)
	}
	if b, err := readBounded(bytes.NewReader(make([]byte, 100)), "-", 100); err != nil || len(b) != 100 {
		t.Errorf("standard input: %d bytes, %v", len(b), err)
	}
}
