package engine

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sectors is a device whose sectors are written whole or torn, and which loses
// what was not synced.
type sectors struct {
	now, synced []byte
	calls       int
	cut         int // before which call the power goes; -1 for never
}

var errPower = errors.New("power cut")

func (s *sectors) power() error {
	s.calls++
	if s.cut >= 0 && s.calls > s.cut {
		return errPower
	}
	return nil
}

func (s *sectors) ReadAt(p []byte, at int64) (int, error) { return copy(p, s.now[at:]), nil }

func (s *sectors) WriteAt(p []byte, at int64) (int, error) {
	if err := s.power(); err != nil {
		return 0, err
	}
	return copy(s.now[at:], p), nil
}

func (s *sectors) Sync() error {
	if err := s.power(); err != nil {
		return err
	}
	s.synced = bytes.Clone(s.now)
	return nil
}

// after returns the device after a power cut: kind 0 keeps nothing that was not
// synced, 1 everything; with 2 the sectors that were being written are garbage.
func (s *sectors) after(kind int, rng *rand.Rand) *sectors {
	b := bytes.Clone(s.synced)
	for at := 0; at < len(b); at += EnvSize {
		if now := s.now[at : at+EnvSize]; !bytes.Equal(now, b[at:at+EnvSize]) && kind > 0 {
			copy(b[at:], now)
			if kind == 2 {
				n := rng.IntN(EnvSize)
				copy(b[at+n:at+EnvSize], bytes.Repeat([]byte{0xff}, EnvSize))
			}
		}
	}
	return &sectors{now: b, synced: bytes.Clone(b), cut: -1}
}

func newSectors(t testing.TB, env map[string]string) *sectors {
	s := &sectors{now: make([]byte, 128<<10), cut: -1}
	if err := writeEnv(s, env); err != nil {
		t.Fatal(err)
	}
	s.calls = 0
	return s
}

// The power goes at every call of a change, and the environment is the one before or
// the one after; then also if what is left is changed again.
func TestEnvPowerCuts(t *testing.T) {
	before := map[string]string{"sealcam_slot": "a"}
	after := map[string]string{"sealcam_slot": "a", "sealcam_trial": "b", "sealcam_tries": "1"}
	third := map[string]string{"sealcam_slot": "b"}
	whole := newSectors(t, before)
	if err := writeEnv(whole, after); err != nil {
		t.Fatal(err)
	}
	for cut := range whole.calls + 1 {
		for kind := range 3 {
			for second := range whole.calls + 1 {
				rng := rand.New(rand.NewPCG(uint64(cut), uint64(second)))
				s := newSectors(t, before)
				s.cut = cut
				_ = writeEnv(s, after)
				s = s.after(kind, rng)
				now, err := readEnv(s)
				if err != nil || !maps.Equal(now, before) && !maps.Equal(now, after) {
					t.Fatalf("cut before call %d, kind %d: %v, %v", cut, kind, now, err)
				}
				s.cut = second
				_ = writeEnv(s, third)
				s = s.after(kind, rng)
				env, err := readEnv(s)
				if err != nil || !maps.Equal(env, now) && !maps.Equal(env, third) {
					t.Fatalf("cut before call %d and %d, kind %d: %v, %v", cut, second, kind, env, err)
				}
			}
		}
	}
}

// U-Boot's own tool reads what we write, and we read what it writes.
func TestEnvTool(t *testing.T) {
	tool, err := exec.LookPath("fw_printenv")
	if err != nil {
		t.Fatal("fw_printenv is missing: make test-deps installs it (libubootenv-tool)")
	}
	dir := t.TempDir()
	device, conf := filepath.Join(dir, "env"), filepath.Join(dir, "fw_env.config")
	if err := os.WriteFile(device, newSectors(t, map[string]string{"sealcam_slot": "b", "bootdelay": "2"}).now, 0o600); err != nil {
		t.Fatal(err)
	}
	for n, at := range envCopies {
		if err := os.WriteFile(conf, fmt.Appendf(nil, "%s %#x %#x\n", device, at, EnvSize), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, "-c", conf).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "sealcam_slot=b\n") || !strings.Contains(string(out), "bootdelay=2\n") {
			t.Errorf("copy %d: %v\n%s", n, err, out)
		}
		set := exec.Command(strings.Replace(tool, "fw_printenv", "fw_setenv", 1), "-c", conf, "sealcam_word", fmt.Sprint("a word ", n))
		if out, err := set.CombinedOutput(); err != nil {
			t.Fatalf("fw_setenv: %v\n%s", err, out)
		}
		f, err := os.Open(device)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, EnvSize)
		if _, err := f.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if env, err := parseEnv(b); err != nil || env["sealcam_word"] != fmt.Sprint("a word ", n) || env["sealcam_slot"] != "b" {
			t.Errorf("copy %d as fw_setenv writes it: %v, %v", n, env, err)
		}
	}
}

func TestEnvRefused(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"large": {"x": strings.Repeat("x", EnvSize)}, "equals": {"a=b": "c"}, "zero": {"a": "b\x00c"}, "nameless": {"": "x"},
	} {
		if _, err := formatEnv(env); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzEnv: what is read is written again as something that reads the same.
func FuzzEnv(f *testing.F) {
	f.Add([]byte("sealcam_slot=a\x00sealcam_trial=b\x00\x00"))
	f.Add([]byte("a=\x00b=c=d\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := make([]byte, EnvSize)
		copy(b[4:], body)
		sum(b)
		env, err := parseEnv(b)
		if err != nil {
			return
		}
		again, err := formatEnv(env)
		if err != nil {
			t.Fatalf("%q: %v", env, err)
		}
		if back, err := parseEnv(again); err != nil || !maps.Equal(env, back) {
			t.Fatalf("%q became %q, %v", env, back, err)
		}
	})
}
