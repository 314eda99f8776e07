//go:build linux

package debian

import (
	"strings"
	"testing"
)

func TestAptSettingsStandAlone(t *testing.T) {
	a := &Apt{dir: "/cache/apt", native: "amd64"}
	got := a.settings("Acquire::http::Proxy \"http://proxy:8080\";\nAcquire::IndexTargets::deb::DEP-11::MetaKey \"x\";\nAcquire::Languages \"de\";\n")
	for _, want := range []string{`Acquire::http::Proxy "http://proxy:8080";`, `Dir::State::status "/dev/null";`, `Dir::Etc::Parts "/cache/apt/empty";`, `APT::Architectures { "amd64"; "arm64"; "armhf"; };`} {
		if !strings.Contains(got, want) {
			t.Errorf("settings lack %s", want)
		}
	}
	if strings.Contains(got, "DEP-11") || strings.Contains(got, `"de"`) {
		t.Error("the host's catalogues are taken over")
	}
}
