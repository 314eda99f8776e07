package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	stamp "github.com/sealcam/sealcam/cmd/internal/version"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// The hash that sealcamd prints of itself is the one that its seals claim.
func TestSealsClaimTheHash(t *testing.T) {
	out, errText, code := output(t, "version", "-json")
	var printed stamp.Info
	if err := json.Unmarshal([]byte(out), &printed); err != nil || code != 0 || len(printed.SHA256) != 64 {
		t.Fatalf("version -json: exit %d, %v: %s%s", code, err, out, errText)
	}

	h := home(t)
	config := writeSettings(t, t.TempDir(), garden+"[live]\nevery = \"1s\"\n")
	output(t, "-config", config, "claim", pairingFor(t, h, config))
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	desk, err := identity.OpenViewer(h.Dir(), "desk")
	if err != nil {
		t.Fatal(err)
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: desk.Household(), Roster: desk.Roster(), Key: desk.Key(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mqtt.Dial(ctx, mqtt.Config{URL: h.Broker(), TLS: desk.TLS(), ClientID: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	id, _, _ := output(t, "-config", config, "id")
	camera := seal.CameraID(strings.TrimSpace(id))
	if err := conn.Subscribe(ctx, "sealcam/v1/"+string(camera)+"/live"); err != nil {
		t.Fatal(err)
	}
	cmd := sealcamd(ctx, "-config", config)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-conn.Messages():
		v, err := opener.Open(camera, m.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if claimed := hex.EncodeToString(v.Meta().FirmwareHash); claimed != printed.SHA256 {
			t.Errorf("seals claim %q, sealcamd version prints %q", claimed, printed.SHA256)
		}
	case <-ctx.Done():
		t.Fatal("no live picture came")
	}
	stop()
	_ = cmd.Wait()
}

// What ends sealcamd shows in how it ends: settings that are wrong are 2, which a
// supervisor does not start again, and a crash is a signal, for the Go runtime's
// own code for it is 2 as well.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	wrong := writeSettings(t, dir, "[camera]\nsorce = \"x\"\n")
	for _, verb := range []string{"run", "id"} {
		if _, errText, code := output(t, "-config", wrong, verb); code != 2 || !strings.Contains(errText, "unknown key") {
			t.Errorf("%s with wrong settings: exit %d: %s", verb, code, errText)
		}
	}
	if _, errText, code := output(t, "-config", dir); code != 1 {
		t.Errorf("settings that cannot be read: exit %d: %s", code, errText)
	}
	if _, _, code := output(t, "-nonsense"); code != 2 {
		t.Errorf("a wrong flag: exit %d", code)
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	cmd, lines, expect := start(t, ctx, writeSettings(t, dir, garden))
	expect("belongs to no household yet")
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil { // a crash to order
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGABRT {
		t.Errorf("a crash: %v", err)
	}
}
