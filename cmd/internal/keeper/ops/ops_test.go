package ops

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Fatal("promtool is missing: make test-deps installs it")
	}
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func find(text, pattern string) (out []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Each alert fires on the series that it is for, and not on those beside it.
func TestAlerts(t *testing.T) {
	promtool(t, "check", "rules", "alerts.yml")
	promtool(t, "test", "rules", "alerts_test.yml")
	tests := read(t, "alerts_test.yml")
	for _, alert := range find(read(t, "alerts.yml"), `- alert: (\w+)`) {
		for _, kind := range []string{"fires", "stays quiet"} {
			if !strings.Contains(tests, fmt.Sprintf("- name: %s %s\n", alert, kind)) {
				t.Errorf("there is no test that %s %s", alert, kind)
			}
		}
	}
}

// Each alert has a section that says what to do, and each such section its alert.
func TestRunbook(t *testing.T) {
	rules, book := read(t, "alerts.yml"), read(t, "RUNBOOK.md")
	alerts := find(rules, `- alert: (\w+)`)
	if sections := find(book, `(?m)^### (\w+)$`); !contains(sections, alerts) {
		t.Errorf("sections %v\nalerts %v", sections, alerts)
	}
	links := find(rules, `runbook: RUNBOOK\.md#(\w+)`)
	for _, alert := range alerts {
		if !slices.Contains(links, strings.ToLower(alert)) {
			t.Errorf("%s does not link to its section", alert)
		}
	}
	for _, word := range find(book, `(?m)^### ([A-Z][a-z]+[A-Z]\w+)$`) {
		if !slices.Contains(alerts, word) {
			t.Errorf("a section of an alert that is none: %s", word)
		}
	}
}

func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// Every expression of the dashboard is one that Prometheus takes, and no two
// panels lie on each other.
func TestDashboard(t *testing.T) {
	type place struct{ X, Y, W, H int }
	var d struct {
		UID    string
		Panels []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  place
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	rules := "groups:\n  - name: dashboard\n    rules:\n"
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %q: its id is another's, or it shows or says nothing", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for i, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", "x", "$instance", "x").Replace(target.Expr)
			rules += fmt.Sprintf("      - {record: 'p:%d:%d', expr: '%s'}\n", p.ID, i, expr)
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
