package main

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/uplink/ota"
	"github.com/sealcam/sealcam/uplink/ota/slot"
)

// slots returns the slots of the camera in dir, as the flashed program sees them.
func slots(t *testing.T, dir string) *slot.Store {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := slot.Open(filepath.Join(dir, "state", agent.UpdateDir), slot.Running{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// try installs the program at path, to be tried by the next start.
func try(t *testing.T, s *slot.Store, number uint64, version, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		t.Fatal(err)
	}
	r := ota.Release{Path: version, Kind: ota.Agent, Version: version, Number: number, Size: size, SHA256: [32]byte(sum.Sum(nil))}
	if err := s.Install(t.Context(), r, path); err != nil {
		t.Fatal(err)
	}
	if err := s.Try(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A release is started in place of what was flashed, proves itself with a frame
// that is sealed, opened and acknowledged, and stays. Ones that crash, or are no
// programs, are given up, and the one before runs again.
func TestTrial(t *testing.T) {
	dir := t.TempDir()
	config := writeSettings(t, dir, garden)
	s := slots(t, dir)
	if out, errText, code := output(t, "-config", config, "claim", pairingFor(t, home(t), config)); code != 0 {
		t.Fatalf("claim: exit %d: %s%s", code, out, errText)
	}
	id, _, _ := output(t, "-config", config, "id")
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Minute)
	defer stop()
	status := func() ota.Status {
		t.Helper()
		st, err := s.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	until := func(want string, ends bool) {
		t.Helper()
		cmd, lines, expect := start(t, ctx, config)
		expect(want)
		if !ends {
			_ = cmd.Process.Signal(os.Interrupt)
		}
		for lines.Scan() {
			t.Log(lines.Text())
		}
		_ = cmd.Wait()
	}

	try(t, s, 140, "v1.4.0", os.Args[0])
	until("this version has proven itself, and is confirmed", false)
	if st := status(); st.Number != 140 || st.Fell != "" {
		t.Fatalf("after the trial: %+v", st)
	}

	try(t, s, 141, "v1.4.1", script(t, "#!/bin/sh\necho I crash >&2\nexit 3\n"))
	until("I crash", true)
	until("msg=connected", false)
	if st := status(); st.Number != 140 || !strings.Contains(st.Fell, "v1.4.1 was given up: it ended on trial before") {
		t.Errorf("after a crash: %+v", st)
	}

	try(t, s, 142, "v1.4.2", script(t, "no program"))
	until("msg=connected", false)
	if st := status(); st.Number != 140 || !strings.Contains(st.Fell, "v1.4.2 was given up: it cannot be started") {
		t.Errorf("after what is no program: %+v", st)
	}
	// Of what ends with a code that forbids a supervisor to start it again.
	try(t, s, 143, "v1.4.3", os.Args[0])
	writeSettings(t, dir, garden+"[motion]\nsensitivity = 99\n")
	if _, errText, code := output(t, "-config", config); code != 75 || !strings.Contains(errText, "motion.sensitivity") {
		t.Errorf("settings that the trial does not take: exit %d: %s", code, errText)
	}
	if out, _, code := output(t, "-config", writeSettings(t, dir, garden), "update"); code != 0 ||
		!strings.Contains(out, "slot a    v1.4.0 (number 140)          confirmed") || !strings.Contains(out, "v1.4.3 was given up: ") {
		t.Errorf("update status: exit %d\n%s", code, out)
	}
	if _, errText, code := output(t, "-config", config, "update", "confirm"); code != 1 || !strings.Contains(errText, "nothing is on trial") {
		t.Errorf("update confirm: exit %d: %s", code, errText)
	}
	if _, _, code := output(t, "-config", config, "update", "now"); code != 2 {
		t.Errorf("update now: exit %d", code)
	}
	if now, _, _ := output(t, "-config", config, "id"); now != id {
		t.Errorf("the camera is %q, and was %q", now, id)
	}
}

// A version on trial that never proves itself ends with the code that has it
// started again, and is given up.
func TestTrialWithoutHousehold(t *testing.T) {
	dir := t.TempDir()
	config := writeSettings(t, dir, garden)
	s := slots(t, dir)
	try(t, s, 140, "v1.4.0", os.Args[0])
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Minute)
	defer stop()
	cmd, lines, expect := start(t, ctx, config)
	expect("this version is on trial")
	if err := s.Reject(ctx, "a person says so"); err != nil {
		t.Fatal(err)
	}
	expect("given up by hand")
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 75 {
		t.Errorf("it ended with %v", err)
	}
}

// The launcher needs no more of the settings than where the state is: what else is
// in them is for the slot to judge.
func TestStateOf(t *testing.T) {
	for text, want := range map[string]string{
		"state = \"/data/cam\"\n[new]\nkey = [1]\n":  "/data/cam",
		"[motion]\nsensitivity = \"x\"\n":            "/var/lib/sealcam",
		"state = \"relative\"\n":                     "/var/lib/sealcam",
		"state = \"/data/cam\"\nformat = \"x\"\n x=": "/var/lib/sealcam",
	} {
		if got := stateOf(script(t, text)); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := stateOf("/no/such/file"); got != "/var/lib/sealcam" {
		t.Errorf("without settings: %s", got)
	}
}
