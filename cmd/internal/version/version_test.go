package version

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// TestMain lets the test binary be a program that prints its version.
func TestMain(m *testing.M) {
	if os.Getenv("BE_A_PROGRAM") != "" {
		env := cli.OS()
		s := Stamp{Version: "v1.4.0", Commit: "c0ffee", Date: "2026-01-02T03:04:05Z"}
		os.Exit(cli.Report(env, "thing", Command(env, "thing", s, os.Args[1:])))
	}
	os.Exit(m.Run())
}

// The hash is that of the file that was started, also when another has taken its
// name since.
func TestHashIsOfWhatRuns(t *testing.T) {
	body, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	want := hex.EncodeToString(sum[:])
	path := filepath.Join(t.TempDir(), "thing")
	if err := os.WriteFile(path, body, 0o700); err != nil {
		t.Fatal(err)
	}
	// Started by a descriptor, the file no longer has the name that it had.
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("something else"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/fd/3", "-json")
	cmd.ExtraFiles, cmd.Env = []*os.File{f}, append(os.Environ(), "BE_A_PROGRAM=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var i Info
	if err := json.Unmarshal(out, &i); err != nil {
		t.Fatal(err)
	}
	if i.SHA256 != want {
		t.Errorf("sha256 %s, want %s", i.SHA256, want)
	}
	if i.Program != "thing" || i.Version != "v1.4.0" || i.Commit != "c0ffee" || i.Go == "" || i.Arch == "" {
		t.Errorf("%+v", i)
	}
}

// What the go command recorded is told, the stamp goes first.
func TestBuilt(t *testing.T) {
	var i Info
	i.Commit = "stamped"
	i.built([]debug.BuildSetting{
		{Key: "GOARM", Value: "7,hardfloat"}, {Key: "GOARCH", Value: "arm"}, {Key: "CGO_ENABLED", Value: "0"},
		{Key: "vcs.revision", Value: "recorded"}, {Key: "vcs.time", Value: "then"}, {Key: "-tags", Value: ""},
	})
	if i.ARM != "7" || i.Commit != "stamped" || i.Date != "then" || len(i.Settings) != 1 || i.Settings["CGO_ENABLED"] != "0" {
		t.Errorf("%+v", i)
	}
}

func TestCommandForPeople(t *testing.T) {
	var out bytes.Buffer
	env := &cli.Env{Stdout: &out, Stderr: &out}
	if err := Command(env, "thing", Stamp{Version: "v1"}, nil); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.HasPrefix(s, "thing v1\n") || !strings.Contains(s, "sha256") || strings.Contains(s, "commit  \n") {
		t.Errorf("%s", s)
	}
	if err := Command(env, "thing", Stamp{}, []string{"-json", "more"}); err == nil {
		t.Error("an argument too many is not refused")
	}
}
