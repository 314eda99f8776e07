package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/drill"
)

// brokenTag takes the comparison of cameras out of uplink/seal.
const brokenTag = "sealcam_no_camera_check"

func build(t *testing.T, name, pkg string, args ...string) (out string, err error) {
	t.Helper()
	args = append([]string{"build", "-o", filepath.Join(t.TempDir(), name)}, args...)
	text, err := exec.CommandContext(t.Context(), "go", append(args, pkg)...).CombinedOutput()
	if err != nil {
		return string(text), err
	}
	return args[2], nil
}

// TestDrillFindsTheFault: with the one check taken out that all of sealcam is
// for, the drill fails; and it can not be taken out of what is released.
func TestDrillFindsTheFault(t *testing.T) {
	if testing.Short() {
		t.Skip("builds sealcam again; run without -short")
	}
	sealcam, err := build(t, "sealcam", ".", "-tags", brokenTag)
	if err != nil {
		t.Fatalf("%v\n%s", err, sealcam)
	}
	file := filepath.Join(t.TempDir(), "d.json")
	out, err := exec.CommandContext(t.Context(), sealcam, "drill", "--deliveries", "3000", "--report", file).CombinedOutput()
	if code, ok := err.(*exec.ExitError); !ok || code.ExitCode() != 1 {
		t.Errorf("the drill of a broken opener ended with %v, want exit code 1\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Wrong   int `json:"wrong_shown"`
		Attacks map[string]struct {
			Wrong int `json:"shown_wrongly"`
		} `json:"attacks"`
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if report.Wrong == 0 || report.Attacks["swapped between cameras"].Wrong == 0 {
		t.Errorf("no wrong picture was found:\n%s", out)
	}
	for _, pkg := range []string{"../sealcamd", "../internal/page/wasm"} {
		if out, err := build(t, "released", pkg, "-tags", brokenTag); err == nil || !strings.Contains(out, brokenTag+"_is_for_tests_only") {
			t.Errorf("%s builds with the tag %s: %v\n%s", pkg, brokenTag, err, out)
		}
	}
}

// TestDrillOverBroker goes over a Mosquitto that the drill has started, and over
// one that runs already.
func TestDrillOverBroker(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Mosquitto; run without -short")
	}
	dir := t.TempDir()
	way, stop, err := drill.StartMosquitto(t.Context(), dir, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	at := func(name string) string { return filepath.Join(dir, "authority", name) }
	url := []string{"--broker", way.URL, "--broker-ca", at("ca.crt"), "--broker-cert", at("viewers/relay/tls.crt"), "--broker-key", at("viewers/relay/tls.key")}
	for _, broker := range [][]string{
		{"--broker", "mosquitto"},
		url, url, // the second one finds nothing of the first
	} {
		var out, errs strings.Builder
		env := &cli.Env{Stdout: &out, Stderr: &errs}
		args := append([]string{"--deliveries", "2000", "--viewers", "4", "--households", "2"}, broker...)
		if err := runDrill(t.Context(), env, args); err != nil || !strings.Contains(out.String(), "\npassed\n") {
			t.Errorf("%v: %v\n%s\n%s", broker, err, out.String(), errs.String())
		}
	}
}
