//go:build linux

package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Apt is a private package database below one directory. It uses the host's
// sources, keys and network settings, and nothing else of the host: no
// dpkg status, no hooks, no preferences.
type Apt struct {
	dir    string
	native string // the host's own Debian architecture
}

// Open returns the database in dir, making it if it is not there. What it knows
// of packages is as old as the last Update. components are parts of Debian that the
// host's sources may lack ("non-free-firmware"): they are taken from Debian's own
// mirror network, for the release that the host is.
func Open(ctx context.Context, dir string, components ...string) (*Apt, error) {
	native, err := Output(ctx, nil, "dpkg", "--print-architecture")
	if err != nil {
		return nil, fmt.Errorf("kernels come from Debian's packages, which needs a Debian host: %w", err)
	}
	a := &Apt{dir: dir, native: strings.TrimSpace(native)}
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "empty"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := a.sources(components); err != nil {
		return nil, err
	}
	acquire, err := Output(ctx, nil, "apt-config", "dump", "Acquire")
	if err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.conf(), []byte(a.settings(acquire)), 0o644)
}

// Native returns the host's own Debian architecture.
func (a *Apt) Native() string { return a.native }

func (a *Apt) conf() string { return filepath.Join(a.dir, "apt.conf") }

// sources writes the list of sources: the host's, and the components.
func (a *Apt) sources(components []string) error {
	list, err := os.ReadFile("/etc/apt/sources.list")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // most hosts have sources.list.d alone, which stays in use
	}
	if len(components) > 0 {
		release, err := os.ReadFile("/etc/os-release")
		if err != nil {
			return err
		}
		codename := regexp.MustCompile(`(?m)^VERSION_CODENAME=(\w+)$`).FindSubmatch(release)
		if codename == nil {
			return errors.New("/etc/os-release names no VERSION_CODENAME: this is no release of Debian")
		}
		list = fmt.Appendf(list, "\ndeb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian %s %s\n",
			codename[1], strings.Join(components, " "))
	}
	return os.WriteFile(filepath.Join(a.dir, "sources.list"), list, 0o644)
}

// settings returns a whole apt configuration. acquire is what the host says
// about fetching (proxies, time-outs), in apt.conf syntax.
func (a *Apt) settings(acquire string) string {
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
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "%[1]s/empty";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "%[1]s/empty";
`, a.dir, a.native)
	return b.String()
}

// env points apt at the private database. apt reads this file before the
// host's own, and the file switches the host's off.
func (a *Apt) env() []string { return []string{"APT_CONFIG=" + a.conf(), "LC_ALL=C"} }

// Update fetches the package lists. A source that fails is left out: whether
// it mattered shows when a package is looked for.
func (a *Apt) Update(ctx context.Context) error {
	_, err := Output(ctx, a.env(), "apt-get", "-q", "update")
	return err
}

var depends = regexp.MustCompile(`(?m)^Depends: (.*)$`)

// Depends returns a package's dependencies, name to version relation ("= 1",
// ">= 1" or empty). pkg is "name:arch" or "name:arch=version".
func (a *Apt) Depends(ctx context.Context, pkg string) (map[string]string, error) {
	text, err := Output(ctx, a.env(), "apt-cache", "show", "--no-all-versions", pkg)
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

// Candidate returns the version of a package that apt would install.
func (a *Apt) Candidate(ctx context.Context, pkg string) (string, error) {
	text, err := Output(ctx, a.env(), "apt-cache", "policy", pkg)
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

// Fetch downloads packages ("name:arch=version") into dir. apt checks each
// against the signed lists.
func (a *Apt) Fetch(ctx context.Context, dir string, pkgs []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd := Command(ctx, a.env(), "apt-get", append([]string{"-q", "download"}, pkgs...)...)
	cmd.Dir = dir
	return Run(cmd)
}
