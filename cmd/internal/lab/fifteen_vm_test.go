//go:build vm && linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// TestFifteenMinutes does literally what the page tells a person who has a board:
// every command of it but those that it marks as not for an emulated board, with the
// folder and the port that the page lets one choose. At its end is a verified picture.
func TestFifteenMinutes(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(top, "boards", "FIFTEEN-MINUTES.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckHost(); err != nil {
		t.Fatal(err)
	}
	work, port := t.TempDir(), freePort(t)
	chosen := map[string]string{`PORCH=$HOME/porch`: "PORCH=" + work, `PORT=8883`: fmt.Sprint("PORT=", port), `OUT=build/image`: "OUT=" + work + "/image"}
	blocks := regexp.MustCompile("(?ms)^```sh ?([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 6 {
		t.Fatalf("the page has %d blocks of commands", len(blocks))
	}
	var settings string // what the first block sets, every terminal has
	var screen *service
	for _, b := range blocks {
		kind, text := b[1], b[2]
		for from, to := range chosen {
			text = strings.ReplaceAll(text, from, to)
		}
		script := "set -euo pipefail; cd " + top + "\n" + settings + text
		switch kind {
		case "settings":
			settings = text
		case "":
			t.Logf("$ %s", strings.TrimSpace(text))
			if _, err := debian.Output(limit(t), nil, "bash", "-c", script); err != nil {
				t.Fatal(err)
			}
			moveBroker(t, filepath.Join(work, "broker", "mosquitto.conf"), port)
		case "terminal":
			t.Logf("$ %s &", strings.TrimSpace(text))
			screen = startService(t, "bash", "-c", script)
			if strings.Contains(text, "pair ") {
				awaitFile(t, filepath.Join(work, "pairing.code")) // as a person sees that it is there
			}
		case "on the board":
		default:
			t.Fatalf("a block is marked %q", kind)
		}
	}
	ctx := limit(t)
	if err := screen.until(ctx, func(said string) bool {
		return regexp.MustCompile(`(?m)^.*verified.*(snapshot|picture).*$`).MatchString(said)
	}); err != nil {
		t.Fatalf("no verified picture: %v\n%s", err, screen.said())
	}
}

// moveBroker has the Mosquitto of the page listen at a port of its own, and as root,
// if that starts it, who may read a test's files.
func moveBroker(t *testing.T, conf string, port int) {
	t.Helper()
	text, err := os.ReadFile(conf)
	if err != nil || !strings.Contains(string(text), "\nlistener 8883\n") {
		return // not written yet, or moved
	}
	text = []byte(strings.Replace(string(text), "\nlistener 8883\n", fmt.Sprintf("\nlistener %d 127.0.0.1\n", port), 1))
	if os.Geteuid() == 0 {
		text = append(text, "user root\n"...)
	}
	if err := os.WriteFile(conf, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
