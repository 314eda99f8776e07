package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

// file is one file of a package or tarball.
type file struct {
	Path   string // where it is installed, or within the tarball
	Source string // what is in it
	Mode   os.FileMode
	Config bool // a setting of the person's: an upgrade leaves it as he made it
}

// installed returns what a Debian package of program puts where.
func (c *Config) installed(program, binary string) []file {
	doc := "/usr/share/doc/" + program
	files := []file{
		{"/usr/bin/" + program, binary, 0o755, false},
		{doc + "/copyright", filepath.Join(c.Tree, "LICENSE"), 0o644, false},
	}
	if program != "sealcamd" {
		return files
	}
	own := func(name string) string { return filepath.Join(c.Tree, "cmd/sealcamd", name) }
	if c.Root != "" {
		files = append(files, file{"/etc/sealcam/root.json", c.Root, 0o644, true})
	}
	return append(files,
		file{"/etc/sealcam/sealcamd.toml", own("sealcamd.toml"), 0o644, true},
		file{"/usr/lib/systemd/system/sealcamd.service", own("sealcamd.service"), 0o644, false},
		file{"/usr/lib/udev/rules.d/60-sealcam.rules", own("sealcamd.rules"), 0o644, false},
		file{doc + "/README.md", own("README.md"), 0o644, false},
	)
}

// pkg is what a package's recipe is filled with.
type pkg struct {
	Name, Arch, Version, Mtime string
	Alias                      string // the package's name elsewhere, if it has another here
	Scripts                    string // directory of its scripts; "" for none
	About                      string
	Files                      []file
}

// recipe is nfpm's form of a package: https://nfpm.goreleaser.com/docs/configuration/
var recipe = template.Must(template.New("nfpm").Parse(`name: {{printf "%q" .Name}}
arch: {{printf "%q" .Arch}}
platform: linux
version: {{printf "%q" .Version}}
version_schema: none
section: net
priority: optional
maintainer: The sealcam authors <sealcam@users.noreply.github.com>
homepage: https://github.com/sealcam/sealcam
license: Apache-2.0
description: {{printf "%q" .About}}
mtime: {{printf "%q" .Mtime}}
{{- with .Alias}}
provides: [{{.}}]
conflicts: [{{.}}]
replaces: [{{.}}]
{{- end}}
{{- with .Scripts}}
depends: [passwd]
recommends: [ca-certificates]
scripts:
  preinstall: {{.}}/preinst
  postinstall: {{.}}/postinst
  preremove: {{.}}/prerm
  postremove: {{.}}/postrm
{{- end}}
deb:
  compression: gzip
contents:
{{- range .Files}}
- src: {{printf "%q" .Source}}
  dst: {{printf "%q" .Path}}
{{- if .Config}}
  type: config
{{- end}}
  file_info: {mode: {{printf "0%o" .Mode}}, owner: root, group: root, mtime: {{printf "%q" $.Mtime}}}
{{- end}}
`))

// deb makes the Debian package of a binary and returns its path.
func (c *Config) deb(ctx context.Context, program string, t Target, binary string) (string, error) {
	p := pkg{
		Name: program, Arch: t.Debian, Version: debVersion(c.Stamp.Version), Mtime: c.Stamp.Date.Format(time.RFC3339),
		About: "owner's tool for cameras that seal what they see", Files: c.installed(program, binary),
	}
	if program == "sealcamd" {
		p.About = "camera agent that seals what it sees to its household"
		p.Scripts = filepath.Join(c.Tree, "cmd/internal/release/debian")
		if p.Name = t.Agent; p.Name != program {
			p.Alias = program
		}
	}
	var text bytes.Buffer
	if err := recipe.Execute(&text, p); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "sealcam-release-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	filled := filepath.Join(dir, "nfpm.yaml")
	if err := os.WriteFile(filled, text.Bytes(), 0o600); err != nil {
		return "", err
	}
	out := filepath.Join(c.Out, fmt.Sprintf("%s_%s_%s.deb", p.Name, p.Version, p.Arch))
	// nfpm runs on this machine, whatever the package is for.
	epoch := fmt.Sprintf("SOURCE_DATE_EPOCH=%d", c.Stamp.Date.Unix())
	return out, c.run(ctx, []string{epoch}, "go", "tool", "-modfile=.ci/tools.mod", "nfpm", "package", "-f", filled, "-p", "deb", "-t", out)
}
