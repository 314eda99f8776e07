package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The parts of a CycloneDX 1.5 bill of materials that are used here:
// https://cyclonedx.org/docs/1.5/json/
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type       string        `json:"type"`
		Ref        string        `json:"bom-ref"`
		Name       string        `json:"name"`
		Version    string        `json:"version"`
		Hashes     []hash        `json:"hashes,omitempty"`
		Licenses   []licensing   `json:"licenses,omitempty"`
		PURL       string        `json:"purl,omitempty"`
		Properties []cdxProperty `json:"properties,omitempty"`
	}
	hash struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	licensing struct {
		License license `json:"license"`
	}
	license struct {
		ID string `json:"id"`
	}
	cdxProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

var apache = []licensing{{license{"Apache-2.0"}}}

// bill makes the bill of materials of the binaries among all, from what each
// binary itself says that it was built from.
func (c *Config) bill(all []Artifact) ([]byte, error) {
	s := c.Stamp
	release := component{Type: "application", Ref: "sealcam@" + s.Version, Name: "sealcam", Version: s.Version, Licenses: apache, PURL: purl("github.com/sealcam/sealcam", s.Version)}
	b := bom{
		Format: "CycloneDX", Spec: "1.5", Version: 1,
		Metadata: metadata{Timestamp: s.Date.Format(time.RFC3339), Component: release},
	}
	modules := make(map[string]component)
	whole := dependency{Ref: release.Ref}
	for _, a := range all {
		if a.Kind != "binary" {
			continue
		}
		p, used, err := c.binary(a, modules)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.File, err)
		}
		b.Components = append(b.Components, p)
		b.Dependencies = append(b.Dependencies, dependency{p.Ref, used})
		whole.DependsOn = append(whole.DependsOn, p.Ref)
	}
	for _, ref := range slices.Sorted(maps.Keys(modules)) {
		b.Components = append(b.Components, modules[ref])
		b.Dependencies = append(b.Dependencies, dependency{Ref: ref})
	}
	b.Dependencies = append(b.Dependencies, whole)
	if err := b.number(); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

// binary returns a binary as a component and the references of what is linked into
// it, which it adds to modules.
func (c *Config) binary(a Artifact, modules map[string]component) (component, []string, error) {
	info, err := buildinfo.ReadFile(filepath.Join(c.Out, a.File))
	if err != nil {
		return component{}, nil, err
	}
	version := c.Stamp.Version
	p := component{
		Type: "application", Ref: a.File, Name: a.Program, Version: version, Licenses: apache,
		Hashes: []hash{{"SHA-256", a.SHA256}},
	}
	for _, s := range info.Settings {
		p.Properties = append(p.Properties, cdxProperty{"go:build:" + s.Key, s.Value})
	}
	std := strings.TrimPrefix(info.GoVersion, "go")
	library := component{Type: "library", Ref: purl("stdlib", std), Name: "stdlib", Version: std, PURL: purl("stdlib", std)}
	modules[library.Ref] = library
	used := []string{library.Ref}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		library := component{Type: "library", Ref: purl(m.Path, m.Version), Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version)}
		if m.Sum != "" {
			library.Properties = []cdxProperty{{"go:sum", m.Sum}}
		}
		modules[library.Ref] = library
		used = append(used, library.Ref)
	}
	slices.SortFunc(used, cmp.Compare[string])
	return p, used, nil
}

// purl names a Go module: https://github.com/package-url/purl-spec
func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// number gives b the serial number that its content has: a UUID of version 8
// (RFC 9562), so that the same bill has the same.
func (b *bom) number() error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	u := sha256.Sum256(text)
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	b.Serial = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
	return nil
}
