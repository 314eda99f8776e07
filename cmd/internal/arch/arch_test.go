// Package arch holds the architecture as a test: which package of ours imports
// which, which third-party module is imported where, and the few words that
// libraries must not contain. A change of architecture shows as a change of
// testdata/arrows.txt (go test ./cmd/internal/arch -update).
package arch

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

const module = "github.com/sealcam/sealcam"

var update = flag.Bool("update", false, "rewrite testdata/arrows.txt")

type pkg struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
	IgnoredGoFiles  []string
}

// list returns every package of ours under each platform that sealcam builds for.
func list(t *testing.T) []pkg {
	t.Helper()
	merged := map[string]*pkg{}
	for _, platform := range []string{"linux/arm64", "linux/arm", "darwin/arm64", "windows/amd64", "js/wasm"} {
		goos, goarch, _ := strings.Cut(platform, "/")
		cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,GoFiles", module+"/...")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list for %s: %v", platform, err)
		}
		for dec := json.NewDecoder(bytes.NewReader(out)); ; {
			var p pkg
			if err := dec.Decode(&p); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if m := merged[p.ImportPath]; m != nil {
				m.Imports = union(m.Imports, p.Imports)
				m.GoFiles = union(m.GoFiles, p.GoFiles)
				continue
			}
			merged[p.ImportPath] = &p
		}
	}
	var all []pkg
	for _, p := range merged {
		if len(p.GoFiles) > 0 {
			all = append(all, *p)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ImportPath < all[j].ImportPath })
	if len(all) < 10 {
		t.Fatalf("go list found %d packages of %s, expected the whole product", len(all), module)
	}
	return all
}

func union(a, b []string) []string {
	set := map[string]bool{}
	for _, s := range append(append([]string{}, a...), b...) {
		set[s] = true
	}
	var out []string
	for s := range set {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

func short(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func TestArrows(t *testing.T) {
	var b strings.Builder
	for _, p := range list(t) {
		var ours, theirs []string
		for _, i := range p.Imports {
			switch {
			case strings.HasPrefix(i, module+"/"):
				ours = append(ours, short(i))
			case strings.Contains(strings.Split(i, "/")[0], "."):
				theirs = append(theirs, i)
			}
		}
		fmt.Fprintf(&b, "%s\n", short(p.ImportPath))
		for _, i := range append(ours, theirs...) {
			fmt.Fprintf(&b, "    > %s\n", i)
		}
	}
	golden := filepath.Join("testdata", "arrows.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("the import arrows changed; if that is meant, run: go test ./cmd/internal/arch -update\n%s", diff(string(want), got))
	}
}

// diff returns the lines that only one side has, which is enough to read a changed arrow.
func diff(want, got string) string {
	count := map[string]int{}
	owner := ""
	walk := func(text string, by int) {
		for _, l := range strings.Split(text, "\n") {
			if !strings.HasPrefix(l, " ") {
				owner = l
			}
			count[owner+l] += by
		}
	}
	walk(want, -1)
	walk(got, 1)
	var lines []string
	for l, n := range count {
		switch {
		case n > 0:
			lines = append(lines, "+ "+l)
		case n < 0:
			lines = append(lines, "- "+l)
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// TestDirection holds the rule behind the arrows: down only, and some packages know nothing of ours.
func TestDirection(t *testing.T) {
	rank := map[string]int{"boards": 0, "capture": 1, "encode": 2, "uplink": 3, "cmd": 4}
	alone := map[string][]string{ // package: the only packages of ours it may import
		"boards": {"boards/toml"}, "boards/toml": nil, "uplink/seal": nil, "uplink/mqtt": nil,
		"uplink/internal/spool": nil, "capture/mjpeg": nil, "uplink/identity": {"uplink/seal"},
	}
	for _, p := range list(t) {
		from := short(p.ImportPath)
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, module+"/") {
				continue
			}
			to := short(i)
			if rank[strings.Split(to, "/")[0]] > rank[strings.Split(from, "/")[0]] {
				t.Errorf("%s imports %s: arrows point down only", from, to)
			}
			if allowed, ok := alone[from]; ok && !contains(allowed, to) {
				t.Errorf("%s imports %s: it may import only %v of ours", from, to, allowed)
			}
		}
	}
}

// TestOneImporter: a third-party module is imported by one package, so that it can be replaced there.
func TestOneImporter(t *testing.T) {
	allowed := map[string]int{"periph.io/x/conn/v3": 2}
	importers := map[string][]string{}
	for _, p := range list(t) {
		seen := map[string]bool{}
		for _, i := range p.Imports {
			if m := moduleOf(i); m != "" && !seen[m] {
				seen[m] = true
				importers[m] = append(importers[m], short(p.ImportPath))
			}
		}
	}
	for m, by := range importers {
		limit := max(1, allowed[m])
		if len(by) > limit {
			t.Errorf("%s is imported by %v, allowed: %d", m, by, limit)
		}
	}
	for _, m := range []string{"github.com/blackjack/webcam", "periph.io/x/conn/v3", "periph.io/x/host/v3", "github.com/eclipse/paho.mqtt.golang",
		"github.com/veraison/go-cose", "github.com/fxamacker/cbor/v2", "filippo.io/age"} {
		if len(importers[m]) == 0 {
			t.Errorf("%s is imported nowhere", m)
		}
	}
}

// moduleOf returns the module of a third-party import path: host and two more
// elements, and the major version; filippo.io has one more element only. The
// standard library, ours and golang.org/x (the library's extension) give "".
func moduleOf(path string) string {
	parts := strings.Split(path, "/")
	if !strings.Contains(parts[0], ".") || strings.HasPrefix(path, module) || strings.HasPrefix(path, "golang.org/x/") {
		return ""
	}
	n := 3
	if parts[0] == "filippo.io" || parts[0] == "pgregory.net" || parts[0] == "rsc.io" {
		n = 2
	}
	n = min(n, len(parts))
	if n < len(parts) && len(parts[n]) > 1 && parts[n][0] == 'v' && strings.Trim(parts[n][1:], "0123456789") == "" {
		n++
	}
	return strings.Join(parts[:n], "/")
}

// TestWords: libraries start no goroutines, nothing runs before main, and no package logs by itself.
func TestWords(t *testing.T) {
	for _, p := range list(t) {
		name := short(p.ImportPath)
		for _, f := range p.GoFiles {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, f), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					if !strings.HasPrefix(name, "cmd/") {
						t.Errorf("%s: a go statement outside cmd", fset.Position(n.Pos()))
					}
				case *ast.FuncDecl:
					if n.Name.Name == "init" && n.Recv == nil {
						t.Errorf("%s: an init function", fset.Position(n.Pos()))
					}
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "slog" && (n.Sel.Name == "Default" || n.Sel.Name == "SetDefault") {
						t.Errorf("%s: the global logger; loggers are handed in", fset.Position(n.Pos()))
					}
				}
				return true
			})
		}
	}
}

// TestTopLevel: the house has five rooms.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	fixed := "cmd capture encode uplink boards go.mod go.sum Makefile LICENSE README.md build"
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !contains(strings.Fields(fixed), e.Name()) {
			t.Errorf("%s at the top level, which is fixed to: %s", e.Name(), fixed)
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// TestNotices: LICENSE ends with the notice of every module that the programs are linked with.
func TestNotices(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", module+"/cmd/sealcam", module+"/cmd/sealcamd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Fields(string(out))
	if len(modules) == 0 {
		t.Fatal("go list names no module")
	}
	for _, m := range union(modules, nil) {
		if !strings.Contains(string(text), "\n--- "+m+"\n") {
			t.Errorf("LICENSE has no notice of %s", m)
		}
	}
}
