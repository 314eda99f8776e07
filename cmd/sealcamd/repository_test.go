package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf/repo"
)

// maker publishes releases for the camera of a test.
type maker struct {
	t    *testing.T
	dir  string
	repo *repo.Repo
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repository")
	r, err := repo.Init(dir, repo.Options{RootKeys: 1, RootThreshold: 1}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &maker{t, dir, r}
}

// settings are those of a camera that follows the maker closely.
func (m *maker) settings() string {
	return fmt.Sprintf("[update]\nurl = %q\nroot = %q\nevery = \"1s\"\n", "file://"+filepath.Join(m.dir, "public"), filepath.Join(m.dir, "public", "metadata", "1.root.json"))
}

// publish publishes a shell script as a release of the agent.
func (m *maker) publish(number uint64, text string) {
	m.t.Helper()
	_, err := m.repo.Add(script(m.t, "#!/bin/sh\n"+text), repo.Release{
		Kind: "agent", Version: fmt.Sprint("v", number), Number: number, Boards: []string{"*"}, Arch: runtime.GOARCH, Channel: "stable", Share: 100,
	})
	if err == nil {
		err = m.repo.Publish()
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// A camera follows its maker's repository: what is published is brought, tried,
// proven and kept; what crashes is tried once. Its supervisor does nothing but
// start it again.
func TestFollowsRepository(t *testing.T) {
	m := newMaker(t)
	m.publish(5, fmt.Sprintf("exec %q \"$@\"\n", os.Args[0]))
	dir := t.TempDir()
	config := writeSettings(t, dir, garden+m.settings())
	if out, errText, code := output(t, "-config", config, "claim", pairingFor(t, home(t), config)); code != 0 {
		t.Fatalf("claim: exit %d: %s%s", code, out, errText)
	}
	if out, errText, code := output(t, "-config", config, "update", "check"); code != 0 || !strings.HasPrefix(out, "agent v5  number 5, ") {
		t.Fatalf("update check: exit %d: %s%s", code, out, errText)
	}
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Minute)
	defer stop()
	run := func(wants ...string) (*exec.Cmd, func() int) {
		t.Helper()
		cmd, lines, expect := start(t, ctx, config)
		for _, want := range wants {
			expect(want)
		}
		return cmd, func() int {
			for lines.Scan() {
				t.Log(lines.Text())
			}
			_ = cmd.Wait()
			return cmd.ProcessState.ExitCode()
		}
	}
	_, ended := run(`msg="a release is installed, and is tried now" part=update version=v5`)
	if code := ended(); code != 75 {
		t.Fatalf("to be started again it ended with code %d", code)
	}
	_, ended = run(`msg="this version has proven itself, and is confirmed" part=update version=v5 slot=a number=5`)
	m.publish(6, "echo I crash >&2\nexit 3\n")
	if code := ended(); code != 75 {
		t.Fatalf("to be started again it ended with code %d", code)
	}
	_, ended = run("I crash")
	if code := ended(); code != 3 {
		t.Fatalf("what crashes ended with code %d", code)
	}
	_, ended = run("v6 was given up: it ended on trial", `msg="a release fell, and is not tried again" part=update version=v6`)
	m.publish(7, fmt.Sprintf("exec %q \"$@\"\n# better\n", os.Args[0]))
	if code := ended(); code != 75 { // 6 was left alone meanwhile, however often it was looked at
		t.Fatalf("to be started again it ended with code %d", code)
	}
	cmd, ended := run(`confirmed" part=update version=v7 slot=b number=7`)
	_ = cmd.Process.Signal(os.Interrupt)
	if code := ended(); code != 0 {
		t.Errorf("stopped, it ended with code %d", code)
	}
	if out, errText, code := output(t, "-config", config, "update"); code != 0 || !strings.Contains(out, "slot b    v7 (number 7)                confirmed") {
		t.Errorf("update: exit %d\n%s%s", code, out, errText)
	}
}
