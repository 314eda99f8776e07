package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Who reaches the keeper alone sets a camera through it, and hears what the camera
// says to it.
func TestSettingsThroughKeeper(t *testing.T) {
	k := newKeeping(t)
	if _, err := k.home.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	c := k.camera("door", k.brokerURL)
	if err := c.conn.Subscribe(t.Context(), c.topic("settings/+")); err != nil {
		t.Fatal(err)
	}
	k.begins(c, 1) // with one of before, which nobody asks for here

	out, code := new(spoken), make(chan int, 1)
	env := &cli.Env{Stdin: strings.NewReader("[motion]\nsensitivity = 3\n"), Stdout: out, Stderr: out}
	go func() {
		code <- run(t.Context(), env, []string{"settings", "push", "--household", k.home.Dir(), "--keeper", k.url, "--camera", "door", "-"})
	}()
	s := c.set(out)
	if !bytes.Contains(s.Body, []byte("sensitivity = 3")) || s.Camera != c.who.ID() {
		t.Errorf("the camera got %+v", s)
	}
	c.answer(uplink.WantedSettings{For: "camera", Version: s.Version, By: "owner", Newest: s.Version, State: uplink.Applied})
	select {
	case got := <-code:
		if text := out.String(); got != cli.ExitOK || !strings.Contains(text, "signed  settings of ") || !strings.Contains(text, "applied") {
			t.Errorf("%d: %s", got, text)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the answer of the camera does not arrive: %s", out)
	}
	again := runLine(t, []string{"settings", "publish", "--household", k.home.Dir(), "--keeper", k.url})
	if s2 := c.set(out); s2.Version != s.Version || !strings.Contains(again, "1 camera") {
		t.Errorf("version %d was published again as %d: %s", s.Version, s2.Version, again)
	}
	if code := run(t.Context(), env, []string{"settings", "push", "--household", k.home.Dir(), "--all", "--keeper", k.url, "--broker", k.brokerURL, "-"}); code != cli.ExitUsage {
		t.Errorf("two ways at once end with %d", code)
	}
}

// set waits for settings.
func (c *lightCamera) set(said *spoken) *seal.Settings {
	c.t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case m := <-c.conn.Messages():
			if m.Topic != c.topic("settings/camera") {
				continue
			}
			s, err := seal.OpenSettings(c.who.Roster(), c.who.ID(), m.Payload)
			if err != nil {
				c.t.Fatal(err)
			}
			return s
		case <-deadline:
			c.t.Fatalf("no settings within a minute: %s", said)
		}
	}
}

// answer seals and publishes a status that says what became of settings.
func (c *lightCamera) answer(w uplink.WantedSettings) {
	c.t.Helper()
	text, err := json.Marshal(map[string]any{"state": "online", "settings": uplink.SettingsStatus{Wanted: []uplink.WantedSettings{w}}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.seq++
	s, err := c.sealer.Seal(seal.Meta{Stream: seal.Durable, Seq: c.seq, Prev: c.prev, Kind: seal.KindStatus, Media: "application/json", Clock: seal.ClockNone}, text)
	if err != nil {
		c.t.Fatal(err)
	}
	c.prev = s.Hash
	c.publish("status", s.Bytes, false)
}
