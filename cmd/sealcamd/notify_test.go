package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The watchdog is fed a few times within its span, however much work is done, and
// not at all without work.
func TestNotifier(t *testing.T) {
	var told []string
	now := time.Unix(0, 0)
	n := &notifier{every: 30 * time.Second, now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler)}
	n.send = func(state string) (bool, error) { told = append(told, state); return true, nil }
	n.ready()
	for range 1000 {
		n.alive()
		now = now.Add(100 * time.Millisecond)
	}
	n.stopping()
	want := []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	told, n.every = nil, 0
	n.alive()
	if len(told) != 0 {
		t.Errorf("without a watchdog: %v", told)
	}
}

// A service manager hears that the camera is ready, that it lives, as one that is
// nobody's and as one that sees, and that it stops.
func TestServiceManager(t *testing.T) {
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	config := writeSettings(t, dir, garden)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	cmd := sealcamd(ctx, "-config", config)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"), "WATCHDOG_USEC=400000")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for b := make([]byte, 256); ; {
			n, err := socket.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if string(b[:n]) == want {
				return
			}
		}
	}
	expect("READY=1")
	expect("WATCHDOG=1") // of a camera that waits for a household
	if out, errText, code := output(t, "-config", config, "claim", pairingFor(t, home(t), config)); code != 0 {
		t.Fatalf("claim: exit %d: %s%s", code, out, errText)
	}
	for range 20 { // of frames: nobody's camera looks every two seconds
		expect("WATCHDOG=1")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// What the shipped unit runs exists, and it parks after every end.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile("sealcamd.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Type=notify", "Restart=always", "WatchdogSec=120"} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	config := writeSettings(t, t.TempDir(), "board = \"usb-webcam\"\n")
	after := regexp.MustCompile(`(?m)^ExecStopPost=/usr/bin/sealcamd -config \S+ (\S+)$`).FindSubmatch(text)
	if after == nil {
		t.Fatal("nothing runs after the camera")
	}
	if out, errText, code := output(t, "-config", config, string(after[1])); code != 0 || !strings.Contains(out, "no pins to park") {
		t.Errorf("exit %d: %s%s", code, out, errText)
	}
	// Settings that cannot be read do not keep the lamp lit.
	if out, errText, code := output(t, "-config", filepath.Join(t.TempDir(), "none"), "park"); code != 0 || !strings.Contains(errText, "parking the board that this is") {
		t.Errorf("without settings: exit %d: %s%s", code, out, errText)
	}
}

// Without systemd the init script parks the pins however sealcamd ended, and
// starts it again; stopped, it parks too and stays stopped.
func TestInitScript(t *testing.T) {
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	stub := filepath.Join(dir, "stub")
	program := "#!/bin/sh\ncase \"$*\" in *park) echo park >>" + said + "; exit ;; esac\necho run $$ >>" + said + "\nexec sleep 600\n"
	if err := os.WriteFile(stub, []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("sealcamd.init")
	if err != nil {
		t.Fatal(err)
	}
	act := func(verb string) {
		t.Helper()
		cmd := exec.Command("/bin/sh", script, verb)
		cmd.Env = append(os.Environ(), "DAEMON="+stub, "CONF=x", "PIDFILE="+filepath.Join(dir, "pid"), "PAUSE=0")
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v", verb, err)
		}
	}
	lines := func(n int) []string {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			b, _ := os.ReadFile(said)
			if all := strings.Fields(strings.ReplaceAll(string(b), "run ", "run:")); len(all) >= n {
				return all
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d lines have not come: %s", n, b)
			}
		}
	}
	act("start")
	defer act("stop")
	first := lines(1)
	if out, err := exec.Command("kill", "-9", strings.TrimPrefix(first[0], "run:")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if all := lines(3); all[1] != "park" || !strings.HasPrefix(all[2], "run:") {
		t.Errorf("after a crash: %v", all)
	}
	act("stop")
	if all := lines(4); len(all) != 4 || all[3] != "park" {
		t.Errorf("after a stop: %v", all)
	}
}
