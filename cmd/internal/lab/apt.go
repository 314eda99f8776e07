//go:build linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// apt is a private package database below one directory. It uses the host's
// sources, keys and network settings, and nothing else of the host: no
// dpkg status, no hooks, no preferences.
type apt struct {
	dir    string
	native string // the host's own Debian architecture
}

func newApt(ctx context.Context, dir string) (*apt, error) {
	native, err := output(ctx, nil, "dpkg", "--print-architecture")
	if err != nil {
		return nil, fmt.Errorf("the lab takes kernels from Debian's packages and needs a Debian host: %w", err)
	}
	a := &apt{dir: dir, native: strings.TrimSpace(native)}
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "empty"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	acquire, err := output(ctx, nil, "apt-config", "dump", "Acquire")
	if err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.conf(), []byte(a.settings(acquire)), 0o644)
}

func (a *apt) conf() string { return filepath.Join(a.dir, "apt.conf") }

// settings returns a whole apt configuration. acquire is what the host says
// about fetching (proxies, time-outs), in apt.conf syntax.
func (a *apt) settings(acquire string) string {
	var b strings.Builder
	for line := range strings.Lines(acquire) {
		// Index targets are compiled in; what hosts add there (desktop
		// catalogues) would only be downloaded for nothing.
		if !strings.HasPrefix(line, "Acquire::IndexTargets") && !strings.HasPrefix(line, "Acquire::Languages") {
			b.WriteString(line)
		}
	}
	fmt.Fprintf(&b, `
APT::Architecture %[2]q;
APT::Architectures { %[2]q; "arm64"; "armhf"; };
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State::Lists "%[1]s/lists";
Dir::State::status "/dev/null";
Dir::Cache "%[1]s/cache";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "%[1]s/empty";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "%[1]s/empty";
`, a.dir, a.native)
	return b.String()
}

// env points apt at the private database. apt reads this file before the
// host's own, and the file switches the host's off.
func (a *apt) env() []string { return []string{"APT_CONFIG=" + a.conf(), "LC_ALL=C"} }

// update fetches the package lists. A source that fails is left out: whether
// it mattered shows when a package is looked for.
func (a *apt) update(ctx context.Context) error {
	_, err := output(ctx, a.env(), "apt-get", "-q", "update")
	return err
}

var depends = regexp.MustCompile(`(?m)^Depends: (.*)$`)

// depends returns a package's dependencies, name to version relation ("= 1",
// ">= 1" or empty). pkg is "name:arch" or "name:arch=version".
func (a *apt) depends(ctx context.Context, pkg string) (map[string]string, error) {
	text, err := output(ctx, a.env(), "apt-cache", "show", "--no-all-versions", pkg)
	if err != nil {
		return nil, err
	}
	found := depends.FindStringSubmatch(text)
	if found == nil {
		return nil, fmt.Errorf("package %s depends on nothing", pkg)
	}
	deps := make(map[string]string)
	for _, d := range strings.Split(found[1], ",") {
		name, relation, _ := strings.Cut(strings.TrimSpace(d), " ")
		deps[name] = strings.Trim(relation, "()")
	}
	return deps, nil
}

// candidate returns the version of a package that apt would install.
func (a *apt) candidate(ctx context.Context, pkg string) (string, error) {
	text, err := output(ctx, a.env(), "apt-cache", "policy", pkg)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && v != "(none)" {
			return v, nil
		}
	}
	return "", fmt.Errorf("apt's sources on this machine have no package %s", pkg)
}

// fetch downloads packages ("name:arch=version") into dir. apt checks each
// against the signed lists.
func (a *apt) fetch(ctx context.Context, dir string, pkgs []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd := command(ctx, a.env(), "apt-get", append([]string{"-q", "download"}, pkgs...)...)
	cmd.Dir = dir
	return run(cmd)
}

// command prepares a host command with additional environment.
func command(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	if path, err := tool(name); err == nil {
		name = path
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// output runs a host command and returns its standard output.
func output(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := command(ctx, env, name, args...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	err := run(cmd)
	return stdout.String(), err
}

// run runs a prepared command; a failure carries the end of what it said.
func run(cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stderr = &said
	if cmd.Stdout == nil {
		cmd.Stdout = &said
	}
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(said.String())
		if len(text) > 2000 {
			text = "..." + text[len(text)-2000:]
		}
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text)
	}
	return nil
}
