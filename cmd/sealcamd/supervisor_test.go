package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tool returns what a tool prints, which fails the test if it fails.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("%s is not installed: make test-deps", name)
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Under systemd the agent may do what a camera needs, and what systemd itself
// thinks of that is what README.md says, 2.0 at the most.
func TestUnitIsLockedIn(t *testing.T) {
	said := tool(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "sealcamd.service")
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(said)
	if level == nil {
		t.Fatalf("systemd-analyze says no level:\n%s", said)
	}
	if n, err := strconv.ParseFloat(level[1], 64); err != nil || n > 2.0 {
		t.Errorf("exposure %s, more than 2.0:\n%s", level[1], said)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "`systemd-analyze security` gives "+level[1]) {
		t.Errorf("README.md says another exposure than %s", level[1])
	}
	unit, err := os.ReadFile("sealcamd.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"RestartPreventExitStatus=2", "User=sealcam", "DevicePolicy=closed", "ProtectSystem=strict", "SocketBindDeny=any", "TasksMax=128", "MemoryMax=75%",
	} {
		if !strings.Contains(string(unit), "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
}

// What systemd would warn of when it loads the unit, but for the program, which is
// not installed here.
func TestUnitIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("sealcamd.service")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sealcamd.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "/usr/bin/sealcamd", "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, path) { // others are about other units of this machine
			t.Error(line)
		}
	}
}

// Scripts for other init systems, and those of the Debian package, are what a
// shell of theirs understands.
func TestScripts(t *testing.T) {
	maintainer, err := filepath.Glob("../internal/release/debian/*")
	if err != nil || len(maintainer) != 4 {
		t.Fatalf("%v, %v", maintainer, err)
	}
	for _, script := range append(maintainer, "sealcamd.init", "sealcamd.openrc", "sealcamd.procd") {
		tool(t, "sh", "-n", script)
		// 2034: what OpenRC and procd read by name looks unused.
		tool(t, "shellcheck", "--shell=sh", "--exclude=SC2034", script)
		if st, err := os.Stat(script); err != nil || st.Mode()&0o111 == 0 {
			t.Errorf("%s is not executable: %v", script, err)
		}
	}
}
