package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/identity"
)

// The texts of the README are followed as they stand there, with this machine in
// place of the one that they name; a camera publishes while nobody looks.
func TestKeepAsInReadme(t *testing.T) {
	dir := t.TempDir()
	viewers, cameras := freePort(t), freePort(t)
	here := strings.NewReplacer(
		"attic.example:8883", cameras, "attic.example:8443", viewers,
		"home/keepers/attic", filepath.Join(dir, "home", "keepers", "attic"),
		" home", " "+filepath.Join(dir, "home"), "--store kept", "--store "+filepath.Join(dir, "kept"),
	)
	var lines [][]string
	for _, verb := range []string{"household create", "household keeper add", "keep", "watch"} {
		lines = append(lines, strings.Fields(here.Replace(readmeLine(t, "A keeper finds room", "sealcam "+verb+" ")))[1:])
	}
	for _, line := range lines[:2] {
		runLine(t, line)
	}
	ctx, cancel := context.WithCancel(t.Context())
	said := new(spoken)
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, &cli.Env{Stdin: strings.NewReader(""), Stdout: said, Stderr: said}, lines[2])
	}()
	defer func() { cancel(); <-code }()
	waitFor(t, "the keeper to be ready", func() bool { return strings.Contains(said.String(), "\nstore ") || len(code) > 0 })
	h, err := identity.OpenHousehold(filepath.Join(dir, "home"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeping{t: t, home: h, err: said}
	c := k.camera("door", "mqtts://"+cameras)
	runLine(t, []string{"household", "publish", filepath.Join(dir, "home")})
	k.knows()
	for range 3 {
		c.picture()
	}
	c.receipted(3)
	c.conn.Close()
	out := runLine(t, append(lines[3], "--count", "3", "--for", "1m"))
	if n := strings.Count(out, "door"); n < 3 {
		t.Errorf("the viewer that was away sees\n%s", out)
	}
}

// readmeLine returns the command of the README's paragraph that begins so.
func readmeLine(t *testing.T, paragraph, command string) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), paragraph)
	if !ok {
		t.Fatalf("the README has no paragraph %q", paragraph)
	}
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, command) {
			line, _, _ = strings.Cut(line, " #")
			return line
		}
	}
	t.Fatalf("the README has no %q behind %q", command, paragraph)
	return ""
}

// runLine runs a command that ends by itself, and returns what it says.
func runLine(t *testing.T, args []string) string {
	t.Helper()
	out := new(spoken)
	if code := run(t.Context(), &cli.Env{Stdin: strings.NewReader(""), Stdout: out, Stderr: out}, args); code != cli.ExitOK {
		t.Fatalf("sealcam %s: %d\n%s", strings.Join(args, " "), code, out)
	}
	return out.String()
}

// What is stored can be checked, copied and set up again; an owner has it deleted.
func TestKeepVerbs(t *testing.T) {
	c := newChild(t, "")
	if _, err := c.home.AddViewer("phone"); err != nil {
		t.Fatal(err)
	}
	c.start()
	cam := c.camera("door", c.brokerURL)
	c.begins(cam, 3)
	copied := filepath.Join(t.TempDir(), "backup")
	if out := runLine(t, []string{"keep", "backup", c.store, copied}); !strings.Contains(out, "backup  3 messages") {
		t.Errorf("backup says %q", out)
	}
	if out := runLine(t, []string{"keep", "delete", c.home.Dir(), "--camera", "door", "--from", "1", "--to", "2"}); !strings.Contains(out, "deleted  2 messages") || !strings.Contains(out, "keeper attic") {
		t.Errorf("delete says %q", out)
	}
	c.kill()
	if out := runLine(t, []string{"keep", "check", c.store}); !strings.Contains(out, "whole  1 messages") || !strings.Contains(out, "lost   0") {
		t.Errorf("check says %q", out)
	}
	again := filepath.Join(t.TempDir(), "again")
	if out := runLine(t, []string{"keep", "restore", copied, again}); !strings.Contains(out, "restored  3 messages") {
		t.Errorf("restore says %q", out)
	}
	c.args[4] = again // where --store stood
	c.start()
	who, err := identity.OpenViewer(c.home.Dir(), "phone")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.kept(who, cam.who.ID()); len(got) != 3 {
		t.Errorf("%d messages are kept in what was restored", len(got))
	}
}

func TestKeepUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, "12h": 12 * time.Hour, "0": 0} {
		var s span
		if err := s.Set(text); err != nil || time.Duration(s) != want {
			t.Errorf("%s: %v, %v", text, time.Duration(s), err)
		}
	}
	for text, want := range map[string]int64{"50G": 50 << 30, "1": 1, "3K": 3 << 10, "2T": 2 << 40} {
		var v volume
		if err := v.Set(text); err != nil || int64(v) != want {
			t.Errorf("%s: %d, %v", text, int64(v), err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "36501d", "1x", "-5m"} {
		if new(span).Set(text) == nil {
			t.Errorf("%q is a time", text)
		}
	}
	for _, text := range []string{"", "G", "-1", "1.5G", "9999999999P"} {
		if new(volume).Set(text) == nil {
			t.Errorf("%q is a size", text)
		}
	}
}
