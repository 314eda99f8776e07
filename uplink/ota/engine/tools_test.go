package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota"
)

// tool returns the path of a real tool.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: make test-deps installs it", name)
	}
	return path
}

// quick runs a command of the test's own.
func quick(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// keys makes a key and its certificate in dir, key.pem and cert.pem.
func keys(t *testing.T, dir string) {
	t.Helper()
	quick(t, dir, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=maker", "-days", "2")
}

func file(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// raucBackend is a boot loader that is a directory, as RAUC's custom backends are:
// it starts what is in primary.
const raucBackend = `#!/bin/sh
d=$(dirname "$0")
case $1 in
get-primary) cat "$d/primary" ;;
set-primary) echo "$2" >"$d/primary" ;;
get-state) cat "$d/state.$2" ;;
set-state) echo "$3" >"$d/state.$2" ;;
esac
`

// TestRAUC is the real RAUC: its service on a message bus of its own, signed bundles,
// two slots that are files, and a boot loader that is a script.
func TestRAUC(t *testing.T) {
	dir := t.TempDir()
	keys(t, dir)
	file(t, filepath.Join(dir, "backend"), raucBackend, 0o700)
	for name, text := range map[string]string{"primary": "A\n", "state.A": "good\n", "state.B": "good\n", "slot.A": strings.Repeat(" ", 64<<10), "slot.B": strings.Repeat(" ", 64<<10)} {
		file(t, filepath.Join(dir, name), text, 0o600)
	}
	file(t, filepath.Join(dir, "system.conf"), fmt.Sprintf(`[system]
compatible=test
bootloader=custom
statusfile=%[1]s/status
bundle-formats=plain
[handlers]
bootloader-custom-backend=%[1]s/backend
[keyring]
path=%[1]s/cert.pem
[slot.rootfs.0]
device=%[1]s/slot.A
type=raw
bootname=A
[slot.rootfs.1]
device=%[1]s/slot.B
type=raw
bootname=B
`, dir), 0o600)
	file(t, filepath.Join(dir, "bus.conf"), fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/></policy></busconfig>`, dir), 0o600)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "bus"))
	service(t, "dbus-daemon", "--config-file="+filepath.Join(dir, "bus.conf"), "--nofork", "--nopidfile")
	await(t, "the bus", func() bool { _, err := os.Stat(filepath.Join(dir, "bus")); return err == nil })

	backend, boots := RAUC{}, 0
	var stop func()
	boot := func() *System {
		if stop != nil {
			stop()
			await(t, "the end of rauc's service", func() bool { _, err := backend.Booted(t.Context()); return err != nil })
		}
		primary, err := os.ReadFile(filepath.Join(dir, "primary"))
		if err != nil {
			t.Fatal(err)
		}
		stop = service(t, "rauc", "--conf="+filepath.Join(dir, "system.conf"), "service", "--override-boot-slot="+strings.TrimSpace(string(primary)))
		await(t, "rauc's service", func() bool { _, err := backend.Booted(t.Context()); return err == nil })
		boots++
		return &System{Backend: backend, Memory: ota.File(filepath.Join(dir, "record")), Boot: strconv.Itoa(boots)}
	}
	bundle := func(n uint64) (ota.Release, string) {
		in, out := t.TempDir(), filepath.Join(t.TempDir(), "release")
		file(t, filepath.Join(in, "root.img"), fmt.Sprintf("system %-20d", n), 0o600)
		file(t, filepath.Join(in, "manifest.raucm"), fmt.Sprintf("[update]\ncompatible=test\nversion=%d\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=root.img\n", n), 0o600)
		quick(t, dir, "rauc", "bundle", "--cert=cert.pem", "--key=key.pem", in, out)
		return ota.Release{Kind: ota.System, Version: fmt.Sprint("v", n), Number: n}, out
	}
	holds(t, boot(), boot, bundle)
	for slot, want := range map[string]string{"A": "system 11", "B": "system 10"} {
		if b, err := os.ReadFile(filepath.Join(dir, "slot."+slot)); err != nil || !bytes.HasPrefix(b, []byte(want)) {
			t.Errorf("slot %s holds %q, %v", slot, b[:min(len(b), 20)], err)
		}
	}
	// What RAUC refuses is refused, and nothing else starts.
	file(t, filepath.Join(dir, "forged"), "no bundle", 0o600)
	s := boot()
	err := s.Install(t.Context(), ota.Release{Kind: ota.System, Version: "v12", Number: 12}, filepath.Join(dir, "forged"))
	if err == nil || !errors.As(err, new(*failure)) {
		t.Errorf("a forged bundle: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "primary")); err != nil || string(b) != "B\n" {
		t.Errorf("after a forged bundle %q starts, %v", b, err)
	}
}

// service runs a program beside the test, and returns what stops it.
func service(t *testing.T, name string, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	stop = func() { _ = cmd.Process.Kill(); <-done }
	t.Cleanup(stop)
	return stop
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// TestSWUpdate is the real swupdate and the real fw_setenv, which set U-Boot's boot
// counter in a file; U-Boot's part, counting it, is played by the test.
func TestSWUpdate(t *testing.T) {
	dir := t.TempDir()
	keys(t, dir)
	device := filepath.Join(dir, "env")
	if err := os.WriteFile(device, newSectors(t, map[string]string{"part": "A"}).now, 0o600); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "fw_env.config")
	file(t, conf, fmt.Sprintf("%s 0x0 %#x\n", device, EnvSize), 0o600)
	for _, slot := range []string{"A", "B"} {
		file(t, filepath.Join(dir, "slot."+slot), strings.Repeat(" ", 64<<10), 0o600)
	}
	env := func() map[string]string {
		b, err := os.ReadFile(device)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseEnv(b[:EnvSize])
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	set := func(name, value string) { quick(t, dir, "fw_setenv", "-c", conf, name, value) }
	other := map[string]string{"A": "B", "B": "A"}
	b := SWUpdate{Cmdline: filepath.Join(dir, "cmdline"), Args: []string{"-k", filepath.Join(dir, "cert.pem"), "-H", "board:1"}}
	// The tools as they are, but for where the environment is and no need to be root.
	b.Run = func(ctx context.Context, name string, args ...string) ([]byte, int, error) {
		switch name {
		case "fw_setenv":
			args = append([]string{"-c", conf}, args...)
		case "swupdate":
			args = append([]string{"-B", "none"}, args...)
		}
		var out []byte
		var err error
		// swupdate 2022.12 on a busy machine now and then says that it was successful
		// and ends with 1. The camera would try again later.
		for tries := 0; tries == 0 || tries < 20 && err != nil && bytes.Contains(out, []byte("SWUPDATE successful")); tries++ {
			cmd := exec.CommandContext(ctx, tool(t, name), args...)
			cmd.Env = append(os.Environ(), "TMPDIR="+dir)
			out, err = cmd.CombinedOutput()
		}
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			return out, exit.ExitCode(), nil
		}
		if err == nil && name == "swupdate" { // what sw-description's bootenv would say
			set("part", other[env()["part"]])
		}
		return out, 0, err
	}
	boots := 0
	boot := func() *System {
		boots++
		if e := env(); e["upgrade_available"] == "1" {
			n, _ := strconv.Atoi(e["bootcount"])
			set("bootcount", strconv.Itoa(n+1))
			if n+1 > 1 { // bootlimit: altbootcmd
				set("part", other[e["part"]])
				set("upgrade_available", "0")
			}
		}
		file(t, b.Cmdline, "console=ttyS0 root=/dev/"+env()["part"]+" ro\n", 0o600)
		return &System{Backend: b, Memory: ota.File(filepath.Join(dir, "record")), Boot: strconv.Itoa(boots)}
	}
	holds(t, boot(), boot, func(n uint64) (ota.Release, string) {
		in := t.TempDir()
		image := fmt.Sprintf("system %-20d", n)
		file(t, filepath.Join(in, "root.img"), image, 0o600)
		file(t, filepath.Join(in, "sw-description"), fmt.Sprintf(`software = {
	version = "%d.0.0"; hardware-compatibility: [ "1" ];
	images: ( { filename = "root.img"; type = "raw"; device = "%s/slot.%s"; installed-directly = true; sha256 = "%x"; } );
}
`, n, dir, other[env()["part"]], sha256.Sum256([]byte(image))), 0o600)
		quick(t, in, "openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig", "-signer", filepath.Join(dir, "cert.pem"), "-inkey", filepath.Join(dir, "key.pem"), "-outform", "DER", "-nosmimecap", "-binary")
		cmd := exec.Command(tool(t, "cpio"), "-o", "-H", "crc", "-F", "release.swu")
		cmd.Dir, cmd.Stdin = in, strings.NewReader("sw-description\nsw-description.sig\nroot.img\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cpio: %v\n%s", err, out)
		}
		return ota.Release{Kind: ota.System, Version: fmt.Sprint("v", n), Number: n}, filepath.Join(in, "release.swu")
	})
	for slot, want := range map[string]string{"A": "system 11", "B": "system 10"} {
		if got, err := os.ReadFile(filepath.Join(dir, "slot."+slot)); err != nil || !bytes.HasPrefix(got, []byte(want)) {
			t.Errorf("slot %s holds %q, %v", slot, got[:min(len(got), 20)], err)
		}
	}
	file(t, filepath.Join(dir, "forged"), "no image", 0o600)
	if err := boot().Install(t.Context(), ota.Release{Kind: ota.System, Version: "v12", Number: 12}, filepath.Join(dir, "forged")); err == nil {
		t.Error("what is no image is installed")
	}
}

// mender plays mender-update, which needs a whole system around it: its verbs and
// exit codes as its documentation has them, and a boot loader that goes back after
// one start without a commit.
type mender struct {
	cmdline string
	root    string // that starts
	pending string // that a trial leaves, "" for no update in progress
	started bool
}

func (m *mender) run(_ context.Context, name string, args ...string) ([]byte, int, error) {
	other := map[string]string{"/dev/p2": "/dev/p3", "/dev/p3": "/dev/p2"}
	switch strings.Join(append([]string{name}, args[:1]...), " ") {
	case "mender-update install":
		m.pending, m.root, m.started = m.root, other[m.root], false
	case "mender-update commit":
		if m.pending == "" {
			return []byte("no update in progress"), 2, nil
		}
		m.pending = ""
	case "mender-update rollback":
		if m.pending == "" {
			return nil, 2, nil
		}
		m.root, m.pending = m.pending, ""
	default:
		return nil, 1, nil
	}
	return nil, 0, nil
}

func (m *mender) boot() error {
	if m.pending != "" && m.started {
		m.root, m.pending = m.pending, ""
	}
	m.started = true
	return os.WriteFile(m.cmdline, []byte("quiet root="+m.root), 0o600)
}

func TestMender(t *testing.T) {
	m := &mender{cmdline: filepath.Join(t.TempDir(), "cmdline"), root: "/dev/p2"}
	memory, boots := ota.File(filepath.Join(t.TempDir(), "record")), 0
	boot := func() *System {
		if err := m.boot(); err != nil {
			t.Fatal(err)
		}
		boots++
		return &System{Backend: Mender{Runner{m.run}, "mender-update", m.cmdline}, Memory: memory, Boot: strconv.Itoa(boots)}
	}
	holds(t, boot(), boot, func(n uint64) (ota.Release, string) { return release(t, n, nil) })
	b := Mender{Runner{m.run}, "mender-update", m.cmdline}
	if err := b.Good(t.Context()); err != nil {
		t.Errorf("a commit of nothing: %v", err)
	}
	if err := (Mender{Runner{m.run}, "mender", m.cmdline}).Write(t.Context(), ota.Release{}, "x"); err == nil {
		t.Error("a program that fails is believed")
	}
}

// A program that hangs, prints without end, or fails is ended, bounded and quoted.
func TestRunner(t *testing.T) {
	var r Runner
	began := time.Now()
	if _, err := r.run(t.Context(), 100*time.Millisecond, "/bin/sleep", "600"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that hangs: %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it was waited for %v", took)
	}
	if _, err := r.run(t.Context(), time.Minute, "/bin/sh", "-c", "head -c 3000000 /dev/zero"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("one that prints without end: %v", err)
	}
	_, err := r.run(t.Context(), time.Minute, "/bin/sh", "-c", "echo so much for that >&2; exit 7")
	if f := new(failure); !errors.As(err, &f) || f.code != 7 || string(f.said) != "so much for that" {
		t.Errorf("one that fails: %v", err)
	}
	if _, err := r.run(t.Context(), time.Minute, "/no/such/program"); err == nil {
		t.Error("one that is not there ran")
	}
}

func TestNamed(t *testing.T) {
	for name, args := range map[string][]string{"uboot": nil, "rauc": nil, "swupdate": {"-k", "x"}, "mender": {"mender"}, "tryboot": {"2=/dev/a", "3=/dev/b"}} {
		if b, err := Named(name, args); b == nil || err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, args := range map[string][]string{"grub": nil, "tryboot": {"2=/dev/a"}} {
		if _, err := Named(name, args); err == nil {
			t.Errorf("%s %q: accepted", name, args)
		}
	}
	if _, err := Named("tryboot", []string{"two=/dev/a", "3=/dev/b"}); err == nil {
		t.Error("a partition without a number is accepted")
	}
}
