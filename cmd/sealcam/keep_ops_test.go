package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// Every metric that the alert rules and the dashboard name is one that a running
// keeper tells, and so is every value of a label that the rules wait for: a counter
// that appears with its first event is one whose first event nobody sees.
func TestKeepTellsWhatOpsRead(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	k := newKeeping(t, "--broker-listen", "127.0.0.1:0", "--metrics", address)
	k.get("/v1/keeper", nil)
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	told, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`sealcam_keeper_[a-z_]+`)
	label := regexp.MustCompile(`(sealcam_keeper_[a-z_]+)\{(verdict|result)="([a-z_]+)"\}`)
	for _, file := range []string{"alerts.yml", "dashboard.json"} {
		b, err := os.ReadFile(filepath.Join("..", "internal", "keeper", "ops", file))
		if err != nil {
			t.Fatal(err)
		}
		names := name.FindAllString(string(b), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		for _, n := range names {
			if !strings.Contains(string(told), "# TYPE "+strings.TrimSuffix(n, "_bucket")+" ") {
				t.Errorf("%s: no keeper tells %s", file, n)
			}
		}
		for _, m := range label.FindAllString(string(b), -1) {
			if !strings.Contains(string(told), m+" 0\n") {
				t.Errorf("%s: a new keeper does not tell %s as 0", file, m)
			}
		}
	}
	for _, what := range []string{"fork", "conflict"} {
		if m := `sealcam_keeper_alarms_total{what="` + what + `"} 0`; !strings.Contains(string(told), m) {
			t.Errorf("a new keeper does not tell %s", m)
		}
	}
}

// "keep status" says in words what a running keeper's figures are, and what to do where
// none answers.
func TestKeepStatus(t *testing.T) {
	address := freePort(t)
	k := newKeeping(t, "--broker-listen", "127.0.0.1:0", "--metrics", address)
	if _, err := k.home.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	c := k.camera("door", k.brokerURL)
	k.begins(c, 3)
	said := runLine(t, []string{"keep", "status", address})
	for _, line := range []string{
		"source      connected\n", "households  1, 1 cameras\n", "stored      3 messages, ", "disk        ", "missing     0, 0 of them given up\n",
		"waiting     0 messages, 0 bytes\n", "viewers     0 follow now\n", "kept        3 since it started\n", "dropped     0 since it started\n",
	} {
		if !strings.Contains(said, line) {
			t.Errorf("no %q in\n%s", line, said)
		}
	}
	k.stop()
	out := new(spoken)
	if code := run(t.Context(), &cli.Env{Stdin: strings.NewReader(""), Stdout: out, Stderr: out}, []string{"keep", "status", address}); code != cli.ExitFailed || !strings.Contains(out.String(), "--metrics "+address) {
		t.Errorf("of no keeper: %d, %s", code, out)
	}
	var b strings.Builder
	tellFigures(&b, readFigures("# HELP x y\nsealcam_keeper_source_connected 0\nsealcam_keeper_messages_total{verdict=\"kept\"} 7\nnonsense\n"))
	if text := b.String(); !strings.Contains(text, "NOT CONNECTED") || !strings.Contains(text, "kept        7") {
		t.Errorf("figures are told as\n%s", text)
	}
}
