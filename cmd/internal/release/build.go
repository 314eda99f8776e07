package main

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"time"
)

// Config is what a release is made of.
type Config struct {
	Tree    string // the source, an absolute path
	Out     string // directory to write to; removed first
	Stamp   Stamp
	Targets []Target
	Root    string            // root.json of the updates that cameras take, an absolute path; "" for none
	Key     crypto.Signer     // signs the manifest; nil for nobody
	Env     []string          // more environment of the go command
	Say     func(line string) // tells what is being made
}

// Target is a kind of machine.
type Target struct {
	Name   string // as updates name it: armv7
	Go     string // GOARCH
	ARM    string // GOARM
	Debian string // Debian's architecture
	Agent  string // name of the agent's Debian package
	Tool   bool   // the owner's tool is made for it too
}

// targets returns all of them. Debian's armhf is ARMv7; that of Raspberry Pi OS is
// ARMv6, for its oldest boards, which take another package.
func targets() []Target {
	return []Target{
		{"armv6", "arm", "6", "armhf", "sealcamd-armv6", false},
		{"armv7", "arm", "7", "armhf", "sealcamd", false},
		{"arm64", "arm64", "", "arm64", "sealcamd", true},
		{"riscv64", "riscv64", "", "riscv64", "sealcamd", false},
		{"amd64", "amd64", "", "amd64", "sealcamd", true},
	}
}

// Artifact is one published file.
type Artifact struct {
	File    string `json:"file"`
	Program string `json:"program,omitempty"` // sealcamd or sealcam
	Kind    string `json:"kind"`              // binary, deb, tarball, sbom or checksums
	Arch    string `json:"arch,omitempty"`    // a Target's name
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

// make makes the release.
func (c *Config) make(ctx context.Context) error {
	if err := c.checkToolchain(); err != nil {
		return err
	}
	var err error
	if c.Out, err = filepath.Abs(c.Out); err != nil {
		return err
	}
	if err := os.RemoveAll(c.Out); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	var all []Artifact
	for _, t := range c.Targets {
		for _, program := range []string{"sealcamd", "sealcam"} {
			if program == "sealcam" && !t.Tool {
				continue
			}
			c.Say(fmt.Sprintf("release: %s for %s", program, t.Name))
			made, err := c.program(ctx, program, t)
			if err != nil {
				return fmt.Errorf("%s for %s: %w", program, t.Name, err)
			}
			all = append(all, made...)
		}
	}
	return c.finish(all)
}

// program makes one program for one target, in all its forms.
func (c *Config) program(ctx context.Context, program string, t Target) ([]Artifact, error) {
	binary := filepath.Join(c.Out, fmt.Sprintf("%s-%s-linux-%s", program, c.Stamp.Version, t.Name))
	if err := c.compile(ctx, program, t, binary); err != nil {
		return nil, err
	}
	deb, err := c.deb(ctx, program, t, binary)
	if err != nil {
		return nil, err
	}
	tarball := binary + ".tar.gz"
	if err := c.tarball(tarball, filepath.Base(binary), c.contents(program, binary)); err != nil {
		return nil, err
	}
	var all []Artifact
	for _, f := range [][2]string{{"binary", binary}, {"deb", deb}, {"tarball", tarball}} {
		a, err := artifact(f[1])
		if err != nil {
			return nil, err
		}
		a.Kind, a.Program, a.Arch = f[0], program, t.Name
		all = append(all, a)
	}
	return all, nil
}

// compile builds program. All that reaches a binary is set here; -buildid= leaves
// out a hash of the compiler's own files, which differ where it was built from source.
func (c *Config) compile(ctx context.Context, program string, t Target, out string) error {
	s := c.Stamp
	flags := fmt.Sprintf("-s -w -buildid= -X main.version=%s -X main.number=%d -X main.commit=%s -X main.date=%s",
		s.Version, s.Number, s.Commit, s.Date.Format(time.RFC3339))
	args := []string{"build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags, "-o", out}
	if program == "sealcam" {
		if err := c.run(ctx, nil, "go", "run", "./cmd/internal/page/wasmbuild"); err != nil {
			return err
		}
		args = append(args, "-tags", "embedwasm")
	}
	return c.run(ctx, []string{"GOOS=linux", "GOARCH=" + t.Go, "GOARM=" + t.ARM}, "go", append(args, "./cmd/"+program)...)
}

// settings are those of the go command that could reach a binary.
func settings() []string {
	return []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath", "GOWORK=off", "GOTOOLCHAIN=local", "GOEXPERIMENT=", "GODEBUG=", "GOFIPS140=off",
		"GOARM64=v8.0", "GOAMD64=v1", "GORISCV64=rva20u64"}
}

// run runs a command in the tree.
func (c *Config) run(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.Tree
	cmd.Env = append(append(append(os.Environ(), settings()...), c.Env...), env...)
	// Interrupted, the go command takes those along that it has started.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, 10*time.Second
	_, err := output(cmd)
	return err
}

var toolchain = regexp.MustCompile(`(?m)^toolchain (go\S+)$`)

// checkToolchain refuses another Go than the one of go.mod: what it compiles, and
// how it compresses, would differ.
func (c *Config) checkToolchain() error {
	text, err := os.ReadFile(filepath.Join(c.Tree, "go.mod"))
	if err != nil {
		return err
	}
	m := toolchain.FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s/go.mod names no toolchain, so nobody could make this release again", c.Tree)
	}
	if want := string(m[1]); runtime.Version() != want {
		return fmt.Errorf("this is %s, and go.mod asks for %s: run it by GOTOOLCHAIN=%s", runtime.Version(), want, want)
	}
	return nil
}
