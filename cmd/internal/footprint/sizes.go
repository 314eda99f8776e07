package main

import (
	"cmp"
	"context"
	"debug/elf"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// table is how large the parts of sealcamd for ARMv7 were when somebody looked
// last: bytes and package, one a line, the largest first.
//
//go:embed armv7.txt
var table string

// tablePath is where table is in the source tree, whose root is the working directory.
const tablePath = "cmd/internal/footprint/armv7.txt"

// sizes prints how large the executables in dir are. The one for ARMv7 must be
// small enough, else what grew is printed too.
func sizes(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "sealcamd-linux-*"))
	if err != nil {
		return err
	}
	var over error
	seen := false
	for _, file := range files {
		st, err := os.Stat(file)
		if err != nil {
			return err
		}
		fmt.Printf("  %-24s %11s bytes\n", filepath.Base(file), grouped(st.Size()))
		if strings.HasSuffix(file, "-armv7") {
			seen = true
			if st.Size() > maxARMv7 {
				over = fmt.Errorf("sealcamd for armv7 has %s bytes, and %s are promised", grouped(st.Size()), grouped(maxARMv7))
			}
		}
	}
	if !seen {
		return errors.New("there is no sealcamd-linux-armv7 in " + dir + ": make cross builds it")
	}
	if over == nil {
		return nil
	}
	now, err := packages(ctx)
	if err != nil {
		return errors.Join(over, err)
	}
	before, err := parseTable(table)
	if err != nil {
		return errors.Join(over, err)
	}
	fmt.Printf("  what grew since %s was written:\n", tablePath)
	grown(os.Stdout, before, now)
	return over
}

// writeTable measures what there is now and writes it down.
func writeTable(ctx context.Context) error {
	now, err := packages(ctx)
	if err != nil {
		return err
	}
	f, err := os.Create(tablePath)
	if err != nil {
		return err
	}
	for _, name := range byValue(now) {
		fmt.Fprintf(f, "%d %s\n", now[name], name)
	}
	return f.Close()
}

// packages builds sealcamd for ARMv7 with its symbols and returns the bytes of each
// package in the file.
func packages(ctx context.Context) (map[string]int64, error) {
	dir, err := os.MkdirTemp("", "sealcam-sizes-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "sealcamd")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, "./cmd/sealcamd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm", "GOARM=7")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build with symbols: %w", err)
	}
	f, err := elf.Open(out)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("symbols of sealcamd: %w", err)
	}
	return sum(f.Sections, symbols), nil
}

// sum adds up the symbols by package. What is in a section and no symbol's (types,
// strings, the table of lines) is the section's. What is no part of the stripped
// file is left out.
func sum(sections []*elf.Section, symbols []elf.Symbol) map[string]int64 {
	all := make(map[string]int64)
	kept := func(i elf.SectionIndex) bool {
		return int(i) < len(sections) && sections[i].Flags&elf.SHF_ALLOC != 0 && sections[i].Type != elf.SHT_NOBITS
	}
	for i, s := range sections {
		if kept(elf.SectionIndex(i)) {
			all[s.Name] += int64(s.Size)
		}
	}
	for _, s := range symbols {
		if kept(s.Section) && s.Size > 0 {
			all[packageOf(s.Name)] += int64(s.Size)
			all[sections[s.Section].Name] -= int64(s.Size)
		}
	}
	return all
}

// packageOf returns the package of a symbol. What belongs to none has its kind's
// name, such as go:func.
func packageOf(symbol string) string {
	if strings.HasPrefix(symbol, "type:") || strings.HasPrefix(symbol, "go:") {
		kind, _, _ := strings.Cut(symbol, ".")
		return kind
	}
	name, _, _ := strings.Cut(symbol, "[") // type arguments have paths of their own
	slash := strings.LastIndexByte(name, '/') + 1
	last, _, _ := strings.Cut(name[slash:], ".")
	return strings.ReplaceAll(name[:slash]+last, "%2e", ".")
}

// parseTable reads what writeTable wrote.
func parseTable(text string) (map[string]int64, error) {
	all := make(map[string]int64)
	for line := range strings.Lines(text) {
		n, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		size, err := strconv.ParseInt(n, 10, 64)
		if err != nil || name == "" {
			return nil, fmt.Errorf("%s: %q is not a size and a package", tablePath, line)
		}
		all[name] = size
	}
	return all, nil
}

// grown prints the packages that grew most, at most twenty.
func grown(w io.Writer, before, now map[string]int64) {
	more := make(map[string]int64)
	for name, size := range now {
		if d := size - before[name]; d > 0 {
			more[name] = d
		}
	}
	names := byValue(more)
	for _, name := range names[:min(20, len(names))] {
		is := "now " + grouped(now[name])
		if before[name] == 0 {
			is = "new"
		}
		fmt.Fprintf(w, "  %+11d  %s (%s)\n", more[name], name, is)
	}
}

// byValue returns the names of m, the largest first.
func byValue(m map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b))
	})
}

// grouped writes n with commas between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
