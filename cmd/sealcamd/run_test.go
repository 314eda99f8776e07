package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// TestMain lets the test binary be sealcamd itself, in a process of its own
// that signals can be sent to.
func TestMain(m *testing.M) {
	if os.Getenv("BE_SEALCAMD") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// sealcamd returns the command for a process of its own.
func sealcamd(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "BE_SEALCAMD=1")
	return cmd
}

// output runs sealcamd and returns what it printed and its exit code.
func output(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err strings.Builder
	cmd := sealcamd(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil && cmd.ProcessState == nil {
		t.Fatal(e)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// writeSettings writes a settings file for a camera in dir.
func writeSettings(t *testing.T, dir, rest string) string {
	t.Helper()
	path := filepath.Join(dir, "sealcamd.toml")
	text := fmt.Sprintf("state = %q\n%s", filepath.Join(dir, "state"), rest)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const garden = "[camera]\nsource = \"scene:empty?size=320x180&pixel=grey\"\n"

// home is a household with a broker that runs until the test ends.
func home(t *testing.T) *identity.Household {
	t.Helper()
	h, err := identity.CreateHousehold(filepath.Join(t.TempDir(), "home"), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddViewer("desk"); err != nil {
		t.Fatal(err)
	}
	conf, err := h.ServerTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	if err := h.SetBroker(b.URL()); err != nil {
		t.Fatal(err)
	}
	return h
}

// pairingFor takes the camera of the settings file into h, by the words that
// sealcamd request prints.
func pairingFor(t *testing.T, h *identity.Household, config string) string {
	t.Helper()
	request, stderr, code := output(t, "-config", config, "request")
	if code != 0 {
		t.Fatalf("request: exit %d: %s", code, stderr)
	}
	hello, err := identity.ParseRequest([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddCamera(hello.Camera, "door"); err != nil {
		t.Fatal(err)
	}
	p, err := h.Pair(hello.Camera, hello.CSR)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "door.pairing")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs sealcamd. expect reads its log until a line has text in it.
func start(t *testing.T, ctx context.Context, config string) (cmd *exec.Cmd, lines *bufio.Scanner, expect func(text string)) {
	t.Helper()
	cmd = sealcamd(ctx, "-config", config)
	cmd.Dir = filepath.Dir(config) // where a crash may leave a core
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewScanner(stderr)
	return cmd, lines, func(text string) {
		t.Helper()
		for lines.Scan() {
			t.Log(lines.Text())
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("sealcamd ended before it said %q", text)
	}
}

// An unclaimed camera waits; claimed from another process, it connects; it
// refuses bad settings at SIGHUP and goes on; SIGTERM ends it cleanly.
func TestLife(t *testing.T) {
	dir := t.TempDir()
	config := writeSettings(t, dir, garden)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	cmd, lines, expect := start(t, ctx, config)
	expect("belongs to no household yet")
	if out, errText, code := output(t, "-config", config, "claim", pairingFor(t, home(t), config)); code != 0 {
		t.Fatalf("claim: exit %d: %s%s", code, out, errText)
	}
	expect("msg=connected")

	// A second one on the same state would seal under the same numbers.
	if _, errText, code := output(t, "-config", config); code != 1 || !strings.Contains(errText, agent.ErrRunning.Error()) {
		t.Errorf("a second sealcamd: exit %d: %s", code, errText)
	}

	writeSettings(t, dir, "[camera]\nsorce = \"x\"\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	expect("camera.sorce: unknown key")
	writeSettings(t, dir, garden+"[live]\nevery = \"1s\"\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	expect("settings read again")
	expect("msg=connected")

	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	t.Logf("stopped %v after SIGTERM", time.Since(began).Round(time.Millisecond))
}

func TestVerbs(t *testing.T) {
	dir := t.TempDir()
	config := writeSettings(t, dir, garden)
	id, _, code := output(t, "-config", config, "id")
	if code != 0 || len(strings.TrimSpace(id)) != 52 {
		t.Fatalf("id: exit %d, %q", code, id)
	}
	if again, _, _ := output(t, "-config", config, "id"); again != id {
		t.Errorf("the id changed from %q to %q", id, again)
	}
	if _, _, code := output(t, "-config", config, "reset"); code != 2 {
		t.Errorf("reset without -yes: exit %d, want 2", code)
	}
	if out, _, code := output(t, "-config", config, "reset", "-yes"); code != 0 || !strings.Contains(out, strings.TrimSpace(id)) {
		t.Errorf("reset: exit %d, %q", code, out)
	}
	if next, _, _ := output(t, "-config", config, "id"); next == id {
		t.Error("after a reset the camera has its old id")
	}
	if _, stderr, code := output(t, "-config", filepath.Join(dir, "none.toml")); code != 2 || !strings.Contains(stderr, "hint: copy the shipped sealcamd.toml") {
		t.Errorf("no settings: exit %d, %q", code, stderr)
	}
	if _, stderr, code := output(t, "-config", config, "claim", config); code != 1 || !strings.Contains(stderr, "hint: make one with: sealcam household") {
		t.Errorf("claim of something else: exit %d, %q", code, stderr)
	}
	if _, stderr, code := output(t, "-config", config, "pair", config); code != 1 || !strings.Contains(stderr, "hint: a code is the one line that sealcam pair") {
		t.Errorf("pair by something else: exit %d, %q", code, stderr)
	}
	if out, _, code := output(t, "version"); code != 0 || !strings.HasPrefix(out, "sealcamd ") {
		t.Errorf("version: exit %d, %q", code, out)
	}
}

// A key that others can read is refused, with the command that mends it.
func TestReadableKey(t *testing.T) {
	dir := t.TempDir()
	config := writeSettings(t, dir, garden)
	output(t, "-config", config, "id")
	key := filepath.Join(dir, "state", agent.IdentityDir, "camera.key")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := output(t, "-config", config)
	if code != 1 || !strings.Contains(stderr, "chmod") || !strings.Contains(stderr, key) {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// Boards are shown and tried before the camera has settings.
func TestBoard(t *testing.T) {
	out, errs, code := output(t, "-config", "/no/such/sealcamd.toml", "board", "show", "raspberrypi-4")
	for _, want := range []string{"Raspberry Pi 4 Model B", "pinctrl-bcm2711:17", "cut filter to the day side", "header pin 11 (GPIO17): H-bridge input 1", "infrared lamp", "nothing: written from documents"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s%s", want, out, errs)
		}
	}
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	if out, _, code := output(t, "board", "list"); code != 0 || !strings.Contains(out, "luckfox-pico") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if _, errs, code := output(t, "board", "show", "raspberry"); code != 1 || !strings.Contains(errs, `there is no board "raspberry"`) {
		t.Errorf("exit %d: %s", code, errs)
	}
	if _, errs, code := output(t, "board", "test"); code != 2 || !strings.Contains(errs, "one BOARD was expected") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// An owner's command makes the running camera a new one, which is nobody's: the
// process goes on.
func TestResetWhileRunning(t *testing.T) {
	dir := t.TempDir()
	config := writeSettings(t, dir, garden)
	h := home(t)
	output(t, "-config", config, "claim", pairingFor(t, h, config))
	old, _, _ := output(t, "-config", config, "id")
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	cmd, lines, expect := start(t, ctx, config)
	expect("msg=connected")
	if _, errText, code := output(t, "-config", config, "reset", "-yes"); code != 1 || !strings.Contains(errText, "hint: stop it first") {
		t.Errorf("reset under a running camera: exit %d: %s", code, errText)
	}
	desk, err := identity.OpenViewer(h.Dir(), "desk")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mqtt.Dial(ctx, mqtt.Config{URL: h.Broker(), TLS: desk.TLS(), ClientID: "owner"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	id := seal.CameraID(strings.TrimSpace(old))
	order, err := seal.SignCommand(h.Owner(), seal.Command{Camera: id, Counter: uint64(time.Now().UnixMilli()), Verb: seal.VerbReset,
		Issued: time.Now(), Expires: time.Now().Add(seal.CommandLife)})
	if err != nil {
		t.Fatal(err)
	}
	conn.Publish(ctx, mqtt.Message{Topic: "sealcam/v1/" + string(id) + "/cmd", Payload: order, QoS: 1})
	expect("reset: this is a new camera now")
	expect("belongs to no household yet")
	if now, _, _ := output(t, "-config", config, "id"); now == old || len(strings.TrimSpace(now)) != 52 {
		t.Errorf("the camera is %q, and was %q", now, old)
	}
	if _, err := os.Stat(filepath.Join(dir, "state", agent.SpoolDir)); !os.IsNotExist(err) {
		t.Errorf("the old spool is left: %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
