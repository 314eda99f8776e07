package main

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// lookIntoBill checks the bill of materials against the rules of CycloneDX 1.5 for
// what it uses, and against what the binary says of itself.
func lookIntoBill(t *testing.T, c *Config) {
	text, err := os.ReadFile(filepath.Join(c.Out, sbomFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range rules(text) {
		t.Error(broken)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	const name = "sealcamd-v1.4.0-linux-armv7"
	binary, err := artifact(filepath.Join(c.Out, name))
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(filepath.Join(c.Out, name))
	if err != nil {
		t.Fatal(err)
	}
	if p := b.Components[0]; p.Ref != name || p.Hashes[0].Content != binary.SHA256 || len(p.Properties) == 0 {
		t.Errorf("the binary: %+v", p)
	}
	if len(info.Deps) < 10 {
		t.Fatalf("the binary names %d modules", len(info.Deps))
	}
	listed := make(map[string]bool)
	for _, d := range b.Dependencies {
		if d.Ref == name {
			for _, ref := range d.DependsOn {
				listed[ref] = true
			}
		}
	}
	if !listed["pkg:golang/stdlib@"+strings.TrimPrefix(info.GoVersion, "go")] || len(listed) != len(info.Deps)+1 {
		t.Errorf("the standard library and %d modules are linked in, and listed are %v", len(info.Deps), listed)
	}
	for _, m := range info.Deps {
		if !listed[purl(m.Path, m.Version)] {
			t.Errorf("%s %s is linked in and not listed", m.Path, m.Version)
		}
	}
}

// rules returns what a bill breaks of the rules at
// https://cyclonedx.org/docs/1.5/json/ that concern the parts that are used.
func rules(text []byte) (broken []string) {
	rule := func(ok bool, what string) {
		if !ok {
			broken = append(broken, what)
		}
	}
	var b bom
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return []string{err.Error()}
	}
	rule(b.Format == "CycloneDX" && b.Spec == "1.5" && b.Version >= 1, "bomFormat, specVersion or version")
	rule(regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`).MatchString(b.Serial), "serialNumber "+b.Serial)
	_, err := time.Parse(time.RFC3339, b.Metadata.Timestamp)
	rule(err == nil, "metadata.timestamp")
	refs := make(map[string]bool)
	for _, p := range append([]component{b.Metadata.Component}, b.Components...) {
		rule(p.Type == "application" || p.Type == "library", "type of "+p.Ref)
		rule(p.Name != "" && p.Version != "" && p.Ref != "", "name, version or bom-ref of "+p.Ref)
		rule(!refs[p.Ref], "bom-ref used twice: "+p.Ref)
		refs[p.Ref] = true
		rule(p.PURL == "" || regexp.MustCompile(`^pkg:golang/[a-zA-Z0-9._~/-]+@[a-zA-Z0-9.%-]+$`).MatchString(p.PURL), "purl "+p.PURL)
		for _, h := range p.Hashes {
			rule(h.Alg == "SHA-256" && regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(h.Content), "hash of "+p.Ref)
		}
	}
	seen := make(map[string]bool)
	for _, d := range b.Dependencies {
		rule(refs[d.Ref], "a dependency of nothing: "+d.Ref)
		rule(!seen[d.Ref], "dependencies given twice: "+d.Ref)
		seen[d.Ref] = true
		once := make(map[string]bool)
		for _, on := range d.DependsOn {
			rule(refs[on] && !once[on], "depends on "+on)
			once[on] = true
		}
	}
	return broken
}

// The rules are no decoration.
func TestRules(t *testing.T) {
	good := bom{Format: "CycloneDX", Spec: "1.5", Version: 1, Serial: "urn:uuid:00000000-0000-8000-8000-000000000000",
		Metadata: metadata{"2026-01-02T03:04:05Z", component{Type: "application", Ref: "a", Name: "a", Version: "1"}}}
	text := func(change func(*bom)) []byte {
		b := good
		change(&b)
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if broken := rules(text(func(*bom) {})); broken != nil {
		t.Errorf("a good one: %v", broken)
	}
	for name, change := range map[string]func(*bom){
		"serial":     func(b *bom) { b.Serial = "1" },
		"time":       func(b *bom) { b.Metadata.Timestamp = "today" },
		"twice":      func(b *bom) { b.Components = []component{b.Metadata.Component} },
		"no name":    func(b *bom) { b.Metadata.Component.Name = "" },
		"hash":       func(b *bom) { b.Metadata.Component.Hashes = []hash{{"SHA-256", "00"}} },
		"purl":       func(b *bom) { b.Metadata.Component.PURL = "sealcam" },
		"of nothing": func(b *bom) { b.Dependencies = []dependency{{Ref: "b"}} },
		"on nothing": func(b *bom) { b.Dependencies = []dependency{{Ref: "a", DependsOn: []string{"b"}}} },
	} {
		if rules(text(change)) == nil {
			t.Errorf("%s: not seen", name)
		}
	}
}
