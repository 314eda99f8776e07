// Package version says what a running program is: which version of which commit,
// built how, and the hash of its executable. What a camera claims about its
// firmware in every seal comes from here, and so does what it prints.
//
// What this package does not do: prove anything. A program that was tampered with
// says what it likes; that is what update metadata and secure boot are for.
package version

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// Stamp is what the linker writes into a program (-X main.version=...); a program
// that was built without is of an unknown version.
type Stamp struct {
	Version string // of a release, "v1.4.0", or of the commit between two
	Number  string // of the release, which orders updates; empty for none
	Commit  string // in full; empty if not stamped
	Date    string // of the commit, RFC 3339; empty if not stamped
}

// Info is what a program is. Its JSON form is printed by "version --json".
type Info struct {
	Program string `json:"program"`
	Version string `json:"version"`
	Number  uint64 `json:"number,omitempty"` // of the release, which orders updates
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	ARM     string `json:"arm,omitempty"` // GOARM: 6 or 7
	// Settings are those of the build, by the go command's names (CGO_ENABLED,
	// -trimpath, ...), but for the target, which stands above.
	Settings map[string]string `json:"settings,omitempty"`
	// SHA256 is the hash of the executable, in hexadecimal, as its seals claim it;
	// empty if the file cannot be read.
	SHA256 string `json:"sha256,omitempty"`
}

// Read returns what this program is, called program and stamped with s. It reads
// the whole executable. What cannot be read is left out, and err says why.
func Read(program string, s Stamp) (Info, error) {
	i := Info{
		Program: program, Version: s.Version, Commit: s.Commit, Date: s.Date,
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
	}
	i.Number, _ = strconv.ParseUint(s.Number, 10, 64) // 0, for none, if it is no number
	if b, ok := debug.ReadBuildInfo(); ok {
		i.built(b.Settings)
	}
	hash, err := Hash()
	i.SHA256 = hex.EncodeToString(hash)
	return i, err
}

// built takes over what the go command recorded.
func (i *Info) built(settings []debug.BuildSetting) {
	i.Settings = make(map[string]string)
	for _, s := range settings {
		switch {
		case s.Key == "GOOS" || s.Key == "GOARCH" || s.Value == "":
		case s.Key == "GOARM":
			i.ARM, _, _ = strings.Cut(s.Value, ",")
		case s.Key == "vcs.revision":
			i.Commit = cmp.Or(i.Commit, s.Value)
		case s.Key == "vcs.time":
			i.Date = cmp.Or(i.Date, s.Value)
		default:
			i.Settings[s.Key] = s.Value
		}
	}
}

// Hash returns the SHA-256 of the running program's executable, 32 bytes.
func Hash() ([]byte, error) {
	f, err := executable()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// executable opens the program that runs. Where /proc tells, that is the file that
// was started, even if another has taken its name since.
func executable() (*os.File, error) {
	f, err := os.Open("/proc/self/exe")
	if !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Command is "version [-json]" of a program.
func Command(env *cli.Env, program string, s Stamp, args []string) error {
	fs := env.Flags(program+" version", program+" version [-json]", "Prints what this program is: its version, how it was built, and the hash of its executable.")
	asJSON := fs.Bool("json", false, "print it as JSON")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return cli.Usagef("version takes no argument %q", fs.Arg(0))
	}
	i, err := Read(program, s)
	if err != nil {
		return fmt.Errorf("the program's own executable cannot be read: %w", err)
	}
	if *asJSON {
		e := json.NewEncoder(env.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(i)
	}
	return i.print(env.Stdout)
}

// print writes i for people.
func (i Info) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s %s\n", i.Program, i.Version)
	machine := i.OS + "/" + i.Arch
	if i.ARM != "" {
		machine += " v" + i.ARM
	}
	for _, l := range [][2]string{{"commit", i.Commit}, {"of", i.Date}, {"for", machine}, {"built by", i.Go}, {"sha256", i.SHA256}} {
		if l[1] != "" {
			fmt.Fprintf(t, "  %s\t%s\n", l[0], l[1])
		}
	}
	return t.Flush()
}
