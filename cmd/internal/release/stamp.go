package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Stamp is what a release says of itself.
type Stamp struct {
	Version string // "v1.4.0" at a tag; between two, Go's pseudo-version of the commit
	Number  uint64 // that updates have it by (sealcam release add); 0 for none
	Commit  string
	Date    time.Time // of the commit, UTC; of every file
	Dirty   bool      // there are changes that are in no commit
}

var semver = regexp.MustCompile(`^v(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$`)

// describe asks git what is checked out in dir.
func describe(ctx context.Context, dir string, number uint64) (Stamp, error) {
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = dir
		return output(cmd)
	}
	at, err := git("log", "-1", "--format=%H %ct")
	if err != nil {
		return Stamp{}, err
	}
	commit, seconds, _ := strings.Cut(at, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return Stamp{}, fmt.Errorf("git says that the commit is of %q", at)
	}
	changes, err := git("status", "--porcelain")
	if err != nil {
		return Stamp{}, err
	}
	s := Stamp{Number: number, Commit: commit, Date: time.Unix(unix, 0).UTC(), Dirty: changes != ""}
	// No tag at all is no error: the version is then counted from v0.0.0.
	exact, _ := git("describe", "--tags", "--exact-match", "--match", "v[0-9]*")
	last, _ := git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
	s.Version = versionOf(exact, last, s)
	return s, nil
}

// versionOf returns the version of a commit that has the tag exact, or else comes
// after the tag last; either may be empty.
// https://go.dev/ref/mod#pseudo-versions has the form of the others.
func versionOf(exact, last string, s Stamp) string {
	suffix := ""
	if s.Dirty {
		suffix = "+dirty"
	}
	if semver.MatchString(exact) {
		return exact + suffix
	}
	when := s.Date.Format("20060102150405") + "-" + s.Commit[:min(12, len(s.Commit))] + suffix
	m := semver.FindStringSubmatch(last)
	if m == nil {
		return "v0.0.0-" + when
	}
	if m[4] != "" {
		return last + ".0." + when
	}
	patch, err := strconv.ParseUint(m[3], 10, 32)
	if err != nil {
		return "v0.0.0-" + when
	}
	return fmt.Sprintf("v%s.%s.%d-0.%s", m[1], m[2], patch+1, when)
}

// debVersion returns version as Debian orders it: what comes before a release has a
// tilde, and there is no revision.
func debVersion(version string) string {
	v := strings.Replace(strings.TrimPrefix(version, "v"), "-", "~", 1)
	return strings.ReplaceAll(v, "-", ".")
}

// output runs cmd and returns what it printed, without the last newline.
func output(cmd *exec.Cmd) (string, error) {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(said.String()))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
