package agent

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/boards/toml"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/uplink/ota"
)

// UpdateSettings say where updates come from and how they are installed. Without a
// URL nothing is looked for.
type UpdateSettings struct {
	URL     string          `toml:"url"`
	Root    string          `toml:"root"`
	CA      string          `toml:"ca"`
	Channel string          `toml:"channel"`
	Every   toml.Duration   `toml:"every"`
	Window  []daynight.Span `toml:"window"`
	Engine  string          `toml:"engine"`
	Args    []string        `toml:"args"`
	Reboot  []string        `toml:"reboot"`
}

// WatchdogSettings name a hardware watchdog.
type WatchdogSettings struct {
	Device string `toml:"device"`
}

// engineAgent installs agents; all others install whole systems.
const engineAgent = "agent"

func defaultUpdate() UpdateSettings {
	return UpdateSettings{
		Root: "/etc/sealcam/root.json", Channel: "stable", Every: toml.Duration{Duration: 6 * time.Hour},
		Window: []daynight.Span{}, Engine: engineAgent, Args: []string{}, Reboot: []string{},
	}
}

// maxWindow is how many spans of hours there may be.
const maxWindow = 16

// Validate returns the key of a value that makes no sense, and what was expected
// there; "" for none.
func (s UpdateSettings) Validate() (key, expected string) {
	for _, rule := range []struct {
		ok            bool
		key, expected string
	}{
		{s.URL == "" || repositoryURL(s.URL), "url", fmt.Sprintf("expected https://HOST/PATH, file:///PATH, or nothing, found %q", s.URL)},
		{filepath.IsAbs(s.Root), "root", fmt.Sprintf("expected an absolute file, found %q", s.Root)},
		{s.CA == "" || filepath.IsAbs(s.CA), "ca", fmt.Sprintf("expected an absolute file, or nothing, found %q", s.CA)},
		{s.Channel != "" && len(s.Channel) <= 64, "channel", fmt.Sprintf(`expected a name such as "stable", found %q`, s.Channel)},
		{within(s.Every.Seconds(), 1, 30*86400), "every", fmt.Sprintf(`expected "1s" to "720h", found %q`, s.Every)},
		{len(s.Window) <= maxWindow, "window", fmt.Sprintf("expected at most %d spans, found %d", maxWindow, len(s.Window))},
		{oneOf(s.Engine, engineAgent, "rauc", "swupdate", "mender", "uboot", "tryboot"), "engine", fmt.Sprintf("expected agent, rauc, swupdate, mender, uboot or tryboot, found %q", s.Engine)},
		{len(s.Args) == 0 || oneOf(s.Engine, "swupdate", "tryboot", "mender"), "args", "expected nothing: only the engines swupdate, mender and tryboot take any"},
		{len(s.Reboot) == 0 || filepath.IsAbs(s.Reboot[0]), "reboot", "expected a command by its absolute path, with arguments of its own if it needs any"},
		{s.URL == "" || s.Engine == engineAgent || len(s.Reboot) > 0, "reboot", "expected a command that restarts the board: a whole system cannot be tried without"},
	} {
		if !rule.ok {
			return "update." + rule.key, rule.expected
		}
	}
	for _, span := range s.Window {
		if span.From == span.To {
			return "update.window", "expected spans that end at another time than they begin"
		}
	}
	return "", ""
}

func repositoryURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" && u.Host != "" || u.Scheme == "file" && u.Host == "" && filepath.IsAbs(u.Path) || u.Scheme == "http" && u.Host != "")
}

// kind returns what is installed.
func (s UpdateSettings) kind() ota.Kind {
	if s.Engine == engineAgent {
		return ota.Agent
	}
	return ota.System
}

// closedFor returns how long it is from now until something may be installed. A
// clock that was never set knows no hours.
func (s UpdateSettings) closedFor(now time.Time) time.Duration {
	if len(s.Window) == 0 || now.Year() < 2024 {
		return 0
	}
	y, m, d := now.Date()
	least := 48 * time.Hour
	for _, span := range s.Window {
		for _, day := range []int{-1, 0, 1} {
			at := func(day int, t time.Duration) time.Time {
				return time.Date(y, m, d+day, 0, 0, int(t.Seconds()), 0, now.Location())
			}
			from, to := at(day, span.From), at(day, span.To)
			if span.To < span.From {
				to = at(day+1, span.To)
			}
			switch {
			case !now.Before(from) && now.Before(to):
				return 0
			case from.After(now):
				least = min(least, from.Sub(now))
			}
		}
	}
	return least
}
