package main

import (
	"debug/elf"
	"maps"
	"strings"
	"testing"
)

func TestPackageOf(t *testing.T) {
	for symbol, want := range map[string]string{
		"main.run": "main",
		"github.com/sealcam/sealcam/uplink/seal.(*Sealer).Seal": "github.com/sealcam/sealcam/uplink/seal",
		"gopkg.in/yaml%2ev3.Marshal":                            "gopkg.in/yaml.v3",
		"slices.SortFunc[go.shape.struct{a/b.c}]":               "slices",
		"runtime.mallocgc":                                      "runtime",
		"type:.eq.net/http.connectMethodKey":                    "type:",
		"go:itab.*os.File,io.Reader":                            "go:itab",
	} {
		if got := packageOf(symbol); got != want {
			t.Errorf("%s is of %s, want %s", symbol, got, want)
		}
	}
}

// What takes room is added up, what grew is told, the most first.
func TestGrown(t *testing.T) {
	file := []*elf.Section{
		{SectionHeader: elf.SectionHeader{Name: ".text", Flags: elf.SHF_ALLOC, Size: 120}},
		{SectionHeader: elf.SectionHeader{Name: ".bss", Flags: elf.SHF_ALLOC, Type: elf.SHT_NOBITS, Size: 1 << 20}},
		{SectionHeader: elf.SectionHeader{Name: ".debug", Size: 99}},
	}
	now := sum(file, []elf.Symbol{
		{Name: "a/b.F", Size: 40}, {Name: "a/b.G", Size: 60}, {Name: "c.F", Size: 7}, {Name: "same.F", Size: 5},
		{Name: "a/b.zeroed", Section: 1, Size: 1 << 20}, {Name: "absolute", Section: elf.SHN_ABS, Size: 3},
	})
	if want := map[string]int64{"a/b": 100, "c": 7, "same": 5, ".text": 8}; !maps.Equal(now, want) {
		t.Fatalf("%v, want %v", now, want)
	}
	before, err := parseTable("60 a/b\n5 same\n8 .text\n")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	grown(&out, before, now)
	if want := "          +40  a/b (now 100)\n           +7  c (new)\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if _, err := parseTable("a 1\n"); err == nil {
		t.Error("a table of something else is taken")
	}
}

// The table that is kept can be read, and has what every sealcamd has.
func TestTable(t *testing.T) {
	kept, err := parseTable(table)
	if err != nil {
		t.Fatal(err)
	}
	if kept["runtime"] < 100_000 || kept["github.com/sealcam/sealcam/uplink/seal"] < 10_000 || grouped(1234567) != "1,234,567" || grouped(12) != "12" {
		t.Errorf("%d packages", len(kept))
	}
}
