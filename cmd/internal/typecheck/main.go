// Command typecheck says whether packages and their tests are valid Go for other
// systems and processors, without compiling anything:
//
//	go run ./cmd/internal/typecheck linux/arm=./... windows/amd64=./cmd/sealcam
//
// A compiler would find the same mistakes (names that a system lacks, constants
// too large for 32 bits) and would first generate code for all of the standard
// library, for each system. Here only the declarations of what is imported are read.
//
// What this command does not do: it runs no analysis (go vet does, for the
// machine's own system), links nothing, and uses no cgo.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	flag.Parse()
	os.Exit(run(flag.Args(), os.Stdout, os.Stderr))
}

// run checks every target, SYSTEM/PROCESSOR=PATTERN[,PATTERN], and returns 1 if one
// has mistakes, 2 if it could not look.
func run(targets []string, stdout, stderr io.Writer) int {
	exit := 0
	for _, target := range targets {
		where, patterns, ok := strings.Cut(target, "=")
		system, processor, two := strings.Cut(where, "/")
		if !ok || !two || patterns == "" {
			fmt.Fprintf(stderr, "typecheck: error: %q: want SYSTEM/PROCESSOR=PATTERN[,PATTERN]\n", target)
			return 2
		}
		n, mistakes, err := check("", system, processor, strings.Split(patterns, ","))
		if err != nil {
			fmt.Fprintf(stderr, "typecheck: error: %s: %v\n", where, err)
			return 2
		}
		for _, m := range mistakes {
			fmt.Fprintf(stderr, "%s: %v\n", where, m)
			exit = 1
		}
		fmt.Fprintf(stdout, "  %-14s %d packages\n", where, n)
	}
	return exit
}

// check returns how many packages of the module in dir were looked at, and what is
// wrong with them. Packages that contain an older form of themselves, as a test's do,
// say the same mistake once.
func check(dir, system, processor string, patterns []string) (n int, mistakes []packages.Error, err error) {
	fset := token.NewFileSet()
	config := &packages.Config{
		Dir:   dir,
		Fset:  fset,
		Tests: true,
		Env:   append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0"),
		Mode:  packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedTypesSizes | packages.NeedModule,
	}
	root, err := moduleRoot(dir)
	if err != nil {
		return 0, nil, err
	}
	config.ParseFile = func(fset *token.FileSet, name string, src []byte) (*ast.File, error) {
		f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
		if f != nil && !strings.HasPrefix(name, root) {
			dropBodies(f)
		}
		return f, err
	}
	roots, err := packages.Load(config, patterns...)
	if err != nil {
		return 0, nil, err
	}
	told := make(map[string]bool)
	packages.Visit(roots, nil, func(p *packages.Package) {
		if p.Module == nil || !p.Module.Main || strings.HasSuffix(p.ID, ".test") {
			return // without bodies its imports are unused; a test's main is the go command's
		}
		n++
		for _, e := range p.Errors {
			if !told[e.Error()] {
				told[e.Error()] = true
				mistakes = append(mistakes, e)
			}
		}
	})
	if len(roots) == 0 || n == 0 {
		return 0, nil, fmt.Errorf("%s: no packages", strings.Join(patterns, ","))
	}
	return n, mistakes, nil
}

// moduleRoot returns the folder of the main module, with a separator at its end.
func moduleRoot(dir string) (string, error) {
	cmd := exec.Command("go", "env", "GOMOD")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))) + string(filepath.Separator), nil
}

// dropBodies leaves of a file what others see of it.
func dropBodies(f *ast.File) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			fn.Body = nil
		}
	}
}
