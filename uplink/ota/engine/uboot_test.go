package engine

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/ota"
)

// board is a machine with two slots and a boot script, as our images have them.
type board struct {
	t     testing.TB
	dir   string
	uboot UBoot
	boots int
}

func newBoard(t testing.TB) *board {
	dir := t.TempDir()
	b := &board{t: t, dir: dir, uboot: UBoot{
		Env: filepath.Join(dir, "env"), Running: filepath.Join(dir, "slot"),
		Slots: map[string]string{"a": filepath.Join(dir, "a"), "b": filepath.Join(dir, "b")},
	}}
	b.write("env", newSectors(t, map[string]string{"sealcam_slot": "a", "bootdelay": "0"}).now)
	for _, slot := range []string{"a", "b"} {
		b.write(slot, make([]byte, 64<<10))
	}
	b.boot()
	return b
}

func (b *board) write(name string, data []byte) {
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *board) env() (env map[string]string) {
	if err := b.uboot.change(func(e map[string]string) { env = maps.Clone(e) }); err != nil {
		b.t.Fatal(err)
	}
	return env
}

// boot does what the boot script does, and returns the slot that runs.
func (b *board) boot() string {
	b.boots++
	run := b.env()["sealcam_slot"]
	if b.env()["sealcam_tries"] == "1" {
		run = b.env()["sealcam_trial"]
		if err := b.uboot.change(func(e map[string]string) { e["sealcam_tries"] = "0" }); err != nil {
			b.t.Fatal(err)
		}
	}
	b.write("slot", []byte(run+"\n"))
	return run
}

func (b *board) system() *System {
	return &System{Backend: b.uboot, Memory: ota.File(filepath.Join(b.dir, "system")), Version: "v" + fmt.Sprint(b.boots), Boot: fmt.Sprint(b.boots)}
}

// release makes a release of an image.
func release(t testing.TB, number uint64, image []byte) (ota.Release, string) {
	path := filepath.Join(t.TempDir(), "release")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return ota.Release{Path: "image", Kind: ota.System, Version: fmt.Sprint("v", number), Number: number, Size: int64(len(image)), SHA256: sha256.Sum256(image)}, path
}

func packed(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// holds are the promises of every Installer, kept by a System over any Backend. boot
// starts the machine again, and returns the slot that runs and the System in it.
func holds(t *testing.T, first *System, boot func() *System, image func(n uint64) (ota.Release, string)) {
	t.Helper()
	ctx := context.Background()
	status := func(s *System) ota.Status {
		t.Helper()
		st, err := s.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	s := first
	old := status(s).Slot
	r, path := image(10)
	if err := s.Try(ctx); !errors.Is(err, ErrNothing) {
		t.Errorf("a trial of nothing: %v", err)
	}
	do("install", s.Install(ctx, r, path))
	do("try", s.Try(ctx))
	s = boot()
	if st := status(s); !st.Trial || st.Slot == old || st.Number != 0 {
		t.Fatalf("on trial: %+v", st)
	}
	if err := s.Install(ctx, r, path); !errors.Is(err, ErrOnTrial) {
		t.Errorf("an update in a trial: %v", err)
	}
	do("confirm", s.Confirm(ctx))
	s = boot()
	if st := status(s); st.Trial || st.Slot == old || st.Number != 10 {
		t.Fatalf("confirmed: %+v", st)
	}
	if err := s.Install(ctx, r, path); !errors.Is(err, ErrOld) {
		t.Errorf("the same again: %v", err)
	}
	now := status(s).Slot
	r, path = image(11)
	do("install", s.Install(ctx, r, path))
	do("try", s.Try(ctx))
	s = boot()
	do("reject", s.Reject(ctx, "it sees nothing"))
	s = boot()
	if st := status(s); st.Trial || st.Slot != now || st.Number != 10 || st.Fell != "v11 was given up: it sees nothing" {
		t.Errorf("after a rejection: %+v", st)
	}
}

func TestUBoot(t *testing.T) {
	b := newBoard(t)
	holds(t, b.system(), func() *System { b.boot(); return b.system() }, func(n uint64) (ota.Release, string) {
		image := bytes.Repeat([]byte{byte(n)}, 30_000)
		if n%2 == 0 {
			image = packed(t, image)
		}
		return release(t, n, image)
	})
	for slot, want := range map[string]byte{"b": 10, "a": 11} {
		if got, err := os.ReadFile(b.uboot.Slots[slot]); err != nil || got[29_999] != want || got[30_000] != 0 {
			t.Errorf("slot %s: %v", slot, err)
		}
	}
	if env := b.env(); env["bootdelay"] != "0" {
		t.Errorf("what else was in the environment is gone: %v", env)
	}

	// A trial that ends without a verdict falls back by the boot script alone.
	s := b.system()
	r, path := release(t, 12, []byte("new"))
	if err := errors.Join(s.Install(t.Context(), r, path), s.Try(t.Context())); err != nil {
		t.Fatal(err)
	}
	if run := b.boot(); run != "a" {
		t.Fatalf("on trial runs %s", run)
	}
	if run := b.boot(); run != "b" {
		t.Fatalf("after the trial runs %s", run)
	}
	if st, err := b.system().Status(t.Context()); err != nil || !strings.Contains(st.Fell, "v12 was given up: it ended on trial") {
		t.Errorf("%+v, %v", st, err)
	}
}

// What is not what was signed, or has no room, is never tried.
func TestUBootRefuses(t *testing.T) {
	b := newBoard(t)
	s := b.system()
	good, path := release(t, 5, []byte("image"))
	forged := good
	forged.SHA256[0] ^= 1
	huge, hugePath := release(t, 5, packed(t, make([]byte, 1<<20)))
	torn, tornPath := release(t, 5, packed(t, make([]byte, 1000))[:20])
	agent := good
	agent.Kind = ota.Agent
	if err := errors.Join(s.Install(t.Context(), good, path), s.Try(t.Context())); err != nil {
		t.Fatal(err) // a trial that is due, which nothing may start once its slot is written again
	}
	for name, x := range map[string]struct {
		r    ota.Release
		path string
	}{"forged": {forged, path}, "huge": {huge, hugePath}, "torn": {torn, tornPath}, "agent": {agent, path}, "gone": {good, "/no/such/file"}} {
		if err := s.Install(t.Context(), x.r, x.path); err == nil {
			t.Errorf("%s: installed", name)
		}
		if name == "agent" {
			continue // nothing was touched
		}
		if err := s.Try(t.Context()); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: tried, %v", name, err)
		}
		if env := b.env(); env["sealcam_slot"] != "a" || env["sealcam_trial"] != "" {
			t.Errorf("%s: %v", name, env)
		}
		if name == "gone" {
			continue
		}
		if err := errors.Join(s.Install(t.Context(), good, path), s.Try(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Install(ctx, good, path); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// A Raspberry Pi by its firmware's rules, which the test plays: no emulator has
// that firmware.
func TestTryboot(t *testing.T) {
	dir := t.TempDir()
	p := Tryboot{
		Autoboot: filepath.Join(dir, "autoboot.txt"), Partition: filepath.Join(dir, "partition"),
		Devices: map[int]string{2: filepath.Join(dir, "p2"), 3: filepath.Join(dir, "p3")},
	}
	tryboot, boots := false, 0
	// boot is the firmware: it reads autoboot.txt, whose filters are [all] and [tryboot].
	boot := func() *System {
		text, err := os.ReadFile(p.Autoboot)
		if err != nil {
			t.Fatal(err)
		}
		part, section := byte('0'), "[all]"
		for line := range strings.SplitSeq(string(text), "\n") {
			if strings.HasPrefix(line, "[") {
				section = line
			}
			if n, ok := strings.CutPrefix(line, "boot_partition="); ok && (section == "[all]" || tryboot) {
				part = n[0]
			}
		}
		tryboot, boots = false, boots+1
		if err := os.WriteFile(p.Partition, []byte{0, 0, 0, part - '0'}, 0o600); err != nil {
			t.Fatal(err)
		}
		return &System{Backend: p, Memory: ota.File(filepath.Join(dir, "system")), Boot: fmt.Sprint(boots)}
	}
	for path, data := range map[string]string{p.Autoboot: "[all]\nboot_partition=2\n", p.Devices[2]: strings.Repeat(" ", 1000), p.Devices[3]: strings.Repeat(" ", 1000)} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := boot()
	again := func() *System {
		record, err := first.Memory.Load()
		if err != nil {
			t.Fatal(err)
		}
		tryboot = strings.Contains(string(record), fmt.Sprintf(`"tried":"%d"`, boots)) // what the settings' command is told
		return boot()
	}
	holds(t, first, again, func(n uint64) (ota.Release, string) { return release(t, n, fmt.Appendf(nil, "image %d", n)) })
	if text, err := os.ReadFile(p.Autoboot); err != nil || len(text) != autobootSize {
		t.Errorf("autoboot.txt has %d bytes, %v", len(text), err)
	}
	if _, err := (Tryboot{Partition: p.Partition, Devices: map[int]string{7: "x", 8: "y"}}).Booted(t.Context()); err == nil {
		t.Error("a partition of nobody's is taken for a slot")
	}
}
