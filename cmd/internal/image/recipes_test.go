//go:build linux

package image

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/cmd/internal/agent"
)

const top = "../../.."

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exists demands that a file of this repository, which a recipe names, is there.
func exists(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(top, path)); err != nil {
		t.Errorf("a recipe names what is not there: %v", err)
	}
}

// The gokrazy instance has no key that gokrazy does not know, builds what is there,
// and its settings are settings.
func TestGokrazy(t *testing.T) {
	var c struct {
		Hostname, SerialConsole string
		Environment, Packages   []string
		PackageConfig           map[string]struct {
			GoBuildFlags, CommandLineFlags []string
			ExtraFileContents              map[string]string
		}
	}
	d := json.NewDecoder(strings.NewReader(read(t, "boards/gokrazy/config.json")))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if len(c.Packages) != 1 {
		t.Fatalf("packages %q", c.Packages)
	}
	exists(t, strings.TrimPrefix(c.Packages[0], "github.com/sealcam/sealcam/"))
	p := c.PackageConfig[c.Packages[0]]
	if len(p.CommandLineFlags) != 2 {
		t.Fatalf("flags %q", p.CommandLineFlags)
	}
	settings := filepath.Join(t.TempDir(), "sealcamd.toml")
	if err := os.WriteFile(settings, []byte(p.ExtraFileContents[p.CommandLineFlags[1]]), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := agent.LoadSettings(settings); err != nil || s.State != "/perm/sealcam" {
		t.Errorf("state %q, %v: gokrazy keeps nothing but /perm", s.State, err)
	}
}

// Make itself reads the Buildroot package and runs what it installs; the rules of
// Buildroot's check-package that such a package can break are stated here.
func TestBuildroot(t *testing.T) {
	target := t.TempDir()
	mk := filepath.Join(t.TempDir(), "Makefile")
	tree, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	stub := fmt.Sprintf(`INSTALL = install
TARGET_DIR = %s
BR2_EXTERNAL_SEALCAM_PATH = %s/boards/buildroot
golang-package = .PHONY: evaluated
include $(BR2_EXTERNAL_SEALCAM_PATH)/external.mk
all: ; $(foreach h,$(SEALCAM_POST_INSTALL_TARGET_HOOKS),$($(h)))
	$(SEALCAM_INSTALL_INIT_SYSV)
	$(SEALCAM_INSTALL_INIT_SYSTEMD)
	@echo targets $(SEALCAM_BUILD_TARGETS) module $(SEALCAM_GOMOD) site $(SEALCAM_SITE)
`, target, tree)
	if err := os.WriteFile(mk, []byte(stub), 0o600); err != nil {
		t.Fatal(err)
	}
	// $(@D) is the package's source in Buildroot, and here where make runs.
	cmd := exec.Command("make", "--warn-undefined-variables", "-f", mk)
	cmd.Dir = tree
	// What a make around this test told its own children is no matter of this one's.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=")
	})
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("make: %v\n%s%s", err, out, &errs)
	}
	if want := "targets cmd/sealcamd module github.com/sealcam/sealcam site https://github.com/sealcam/sealcam.git"; !strings.Contains(string(out), want) {
		t.Errorf("make says\n%s, want %s", out, want)
	}
	for _, file := range []string{"etc/sealcam/sealcamd.toml", "etc/init.d/S95sealcamd", "usr/lib/systemd/system/sealcamd.service"} {
		if _, err := os.Stat(filepath.Join(target, file)); err != nil {
			t.Error(err)
		}
	}
	recipe := read(t, "boards/buildroot/package/sealcam/sealcam.mk")
	if !strings.HasPrefix(recipe, strings.Repeat("#", 80)+"\n#\n# sealcam\n#\n"+strings.Repeat("#", 80)+"\n\n") {
		t.Error("the head is not Buildroot's")
	}
	for name, text := range map[string]string{"sealcam.mk": recipe, "Config.in": read(t, "boards/buildroot/package/sealcam/Config.in")} {
		if found := regexp.MustCompile(`(?m)[ \t]+$|^ {8}|\n\n\n|\n\n\z`).FindString(text); found != "" {
			t.Errorf("%s: blanks that check-package refuses: %q", name, found)
		}
	}
	hashes := read(t, "boards/buildroot/package/sealcam/sealcam.hash")
	if sum := sha256.Sum256([]byte(read(t, "LICENSE"))); !strings.Contains(hashes, hex.EncodeToString(sum[:])+"  LICENSE") {
		t.Errorf("the hash is of another LICENSE than this one, %x", sum)
	}
	for line := range strings.Lines(hashes) {
		if f := strings.Fields(line); !strings.HasPrefix(line, "#") && (len(f) != 3 || strings.Join(f, "  ")+"\n" != line) {
			t.Errorf("no line of a hash file: %q", line)
		}
	}
}

// assignment, flag and function are the lines of a recipe that this one uses.
var bitbake = regexp.MustCompile(`^(#.*|[A-Za-z_][A-Za-z0-9_:.${}-]*(\[[a-z]+\])? (=|\?=|:=|\+=|\.=) "[^"]*"|inherit( [a-z-]+)+|)$`)

// The Yocto recipe consists of what bitbake knows, has the variables that it needs,
// this licence, and installs what is there.
func TestYocto(t *testing.T) {
	recipe := read(t, "boards/yocto/meta-sealcam/recipes-sealcam/sealcam/sealcam_git.bb")
	for name, text := range map[string]string{"recipe": recipe, "layer.conf": read(t, "boards/yocto/meta-sealcam/conf/layer.conf")} {
		inside := false
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case line == "}":
				inside = false
			case inside && strings.HasPrefix(line, "\t"):
			case !inside && regexp.MustCompile(`^[a-z_]+(:append)?\(\) \{$`).MatchString(line):
				inside = true
			case inside || !bitbake.MatchString(line):
				t.Errorf("%s: no line of bitbake's: %q", name, line)
			}
		}
		if inside {
			t.Errorf("%s: a function has no end", name)
		}
	}
	for _, name := range []string{"SUMMARY", "LICENSE", "LIC_FILES_CHKSUM", "SRC_URI", "SRCREV", "GO_IMPORT", "GO_INSTALL", "S", "SYSTEMD_SERVICE:${PN}", "USERADD_PARAM:${PN}"} {
		if !strings.Contains(recipe, "\n"+name+" = ") && !strings.HasPrefix(recipe, name+" = ") {
			t.Errorf("the recipe lacks %s", name)
		}
	}
	sum := md5.Sum([]byte(read(t, "LICENSE")))
	if !strings.Contains(recipe, "md5="+hex.EncodeToString(sum[:])) {
		t.Errorf("the recipe is of another LICENSE than this one, %x", sum)
	}
	for _, found := range regexp.MustCompile(`\$\{GO_IMPORT\}/(cmd/\S+?)["\s]`).FindAllStringSubmatch(recipe, -1) {
		exists(t, found[1])
	}
}
