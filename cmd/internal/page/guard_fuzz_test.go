package page

import (
	"net"
	"strings"
	"testing"
)

// FuzzGuard: only names of this machine pass, however they are written, and what
// is repeated to a stranger is one short line.
func FuzzGuard(f *testing.F) {
	for _, host := range []string{"localhost:8480", "127.0.0.1", "[::1]:1", "home.lan:443", "evil.example", "127.0.0.1.evil.example", "localhost.", "\x1b[2J"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if said := printable(header); len(said) > 80 || strings.ContainsFunc(said, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q is repeated as %q", header, said)
		}
		if !knownHost([]string{"home.lan"}, header) {
			return
		}
		name := header
		if h, _, err := net.SplitHostPort(header); err == nil {
			name = h
		}
		name = strings.ToLower(strings.Trim(name, "[]"))
		if ip := net.ParseIP(name); name != "localhost" && name != "home.lan" && (ip == nil || !ip.IsLoopback()) {
			t.Fatalf("%q passes", header)
		}
	})
}
