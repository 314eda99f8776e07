package arch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every page of this repository links to files that are there. The tables of
// .github/SECURITY.md are nothing but claims with such links.
func TestLinks(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	out, err := exec.Command("git", "-C", root, "ls-files", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	pages, links := strings.Fields(string(out)), 0
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), to)); err != nil {
				t.Errorf("%s links to %s: %v", page, to, err)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(root, ".github", "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := []string{"6 data protection"}
	for i := range 13 {
		rows = append(rows, fmt.Sprintf("5.%d ", i+1), fmt.Sprintf("(2)(%c) ", 'a'+i))
	}
	for i := range 8 {
		rows = append(rows, fmt.Sprintf("(%d) ", i+1))
	}
	for _, row := range rows {
		if !strings.Contains(string(text), "\n| "+row) {
			t.Errorf("SECURITY.md says nothing to %s", row)
		}
	}
	if len(pages) < 5 || links < 60 {
		t.Errorf("%d pages with %d links: that is not all", len(pages), links)
	}
}
