//go:build linux

package lab

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

//go:embed packages.txt
var packagesText string

// Package is a Debian package that the host needs.
type Package struct {
	Name    string
	Command string // found on PATH or in /usr/sbin when the package is installed
}

// Packages returns what the host needs, in the order of packages.txt.
func Packages() []Package {
	var all []Package
	for line := range strings.Lines(packagesText) {
		if f := strings.Fields(line); len(f) == 2 {
			all = append(all, Package{Name: f[0], Command: f[1]})
		}
	}
	return all
}

// Missing returns the names of packages that are not installed.
func Missing() []string {
	var names []string
	for _, p := range Packages() {
		if _, err := debian.Tool(p.Command); err != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// CheckHost returns an error that names the command to type when something
// that the lab needs is not installed.
func CheckHost() error {
	if names := Missing(); len(names) > 0 {
		return fmt.Errorf("the lab needs packages that are not installed: type: apt-get install -y %s", strings.Join(names, " "))
	}
	return nil
}
