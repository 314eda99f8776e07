//go:build debian

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// patience is for a machine that has much else to do.
const patience = 2 * time.Minute

// suite and packages are what a fresh Debian root is made of.
const (
	suite    = "bookworm"
	packages = "systemd,systemd-sysv,dbus"
)

// root returns a fresh Debian root of this machine's architecture, which the lab's
// cache keeps. Nobody may write to it.
func root(t *testing.T) string {
	t.Helper()
	cache, err := debian.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	arch := strings.TrimSpace(command(t, "dpkg", "--print-architecture"))
	recipe := sha256.Sum256([]byte(suite + packages))
	dir := filepath.Join(cache, fmt.Sprintf("debian-%s-%s-%s", suite, arch, hex.EncodeToString(recipe[:4])))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	made, err := os.MkdirTemp(cache, "debian-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(made)
	t.Logf("a Debian root of %s, once", suite)
	command(t, "debootstrap", "--variant=minbase", "--include="+packages, "--arch="+arch, suite, made, mirror(t))
	if err := os.Chmod(made, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(made, dir); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return dir
}

// mirror returns where this machine has Debian from.
func mirror(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(command(t, "apt-get", "indextargets", "--format", "$(SITE) $(CODENAME) $(CREATED_BY)", "Created-By: Packages")) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == suite {
			return f[0]
		}
	}
	return "http://deb.debian.org/debian"
}

// machine is a Debian that runs under its own systemd, in a container that shares
// this machine's network. What it writes is in memory.
type machine struct {
	t      *testing.T
	leader int // process id of its systemd
	said   *bytes.Buffer
}

// boot starts a machine that sees the directory shared as /shared.
func boot(t *testing.T, root, shared string) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a container takes root: sudo make package-test")
	}
	m := &machine{t: t, said: new(bytes.Buffer)}
	cmd := exec.Command("systemd-nspawn", "--quiet", "--directory="+root, "--volatile=overlay", "--boot", "--register=no", "--keep-unit",
		"--machine="+fmt.Sprintf("sealcam-%d", os.Getpid()), "--bind="+shared+":/shared", "--console=pipe")
	cmd.Stdout, cmd.Stderr = m.said, m.said
	// Its own group: an interrupted test must not leave a machine behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatalf("systemd-nspawn (make test-deps installs it): %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if t.Failed() {
			t.Logf("the machine said:\n%s", m.said)
		}
	})
	m.until("its systemd runs", func() bool {
		m.leader = initOf(cmd.Process.Pid)
		if m.leader == 0 {
			return false
		}
		out, _ := m.try(nil, "systemctl", "is-system-running")
		return strings.HasPrefix(out, "running") || strings.HasPrefix(out, "degraded")
	})
	return m
}

// initOf returns the process below pid that is a systemd, or 0.
func initOf(pid int) int {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	for child := range strings.FieldsSeq(string(children)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			return 0
		}
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", n)); string(name) == "systemd\n" {
			return n
		}
		if found := initOf(n); found != 0 {
			return found
		}
	}
	return 0
}

// try runs a command in the machine.
func (m *machine) try(stdin []byte, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(m.leader), "-m", "-u", "-i", "-p", "-C", "-r", "-w", "env", "-i",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// do runs a command in the machine, which must not fail, and returns what it printed.
func (m *machine) do(args ...string) string {
	m.t.Helper()
	return m.give(nil, args...)
}

// give is do with standard input.
func (m *machine) give(stdin []byte, args ...string) string {
	m.t.Helper()
	out, err := m.try(stdin, args...)
	if err != nil {
		journal, _ := m.try(nil, "journalctl", "--no-pager", "-u", "sealcamd", "-n", "40")
		m.t.Fatalf("%v\n%s", err, journal)
	}
	return strings.TrimSuffix(out, "\n")
}

// unit returns a property of the service.
func (m *machine) unit(property string) string {
	m.t.Helper()
	return m.do("systemctl", "show", "--value", "--property="+property, "sealcamd")
}

// until waits until a condition holds.
func (m *machine) until(what string, holds func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			journal := ""
			if m.leader != 0 {
				journal, _ = m.try(nil, "journalctl", "--no-pager", "-u", "sealcamd", "-n", "40")
			}
			m.t.Fatalf("after %v it is not so that %s\n%s", patience, what, journal)
		}
	}
}
