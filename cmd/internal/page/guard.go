package page

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// The page may run its own scripts and nothing else, and show only pictures
// and films that a script made from verified bytes (blob:) besides its own icon. Every
// string that could become code has to pass the one policy named here.
const policyPage = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; " +
	"img-src 'self' blob:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types sealcam"

// The worker, and only the worker, compiles WebAssembly. It shows nothing.
const policyWorker = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"

const permissions = "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), hid=(), payment=()"

// guard refuses what does not come from this page in this browser, and says in
// every answer what the page may do.
func guard(hosts []string, next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policyPage)
		h.Set("Cross-Origin-Embedder-Policy", "require-corp")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", permissions)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		if !knownHost(hosts, r.Host) {
			// A name that an attacker's DNS points at this machine ends here.
			http.Error(w, "This server is not "+printable(r.Host)+". Use the address that sealcam printed.", http.StatusMisdirectedRequest)
			return
		}
		if !sameSite(r) {
			http.Error(w, "This server answers its own page only.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knownHost reports whether a Host header names this machine or one of hosts.
func knownHost(hosts []string, header string) bool {
	name := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// sameSite reports whether a browser says that the request comes from this
// page, or is a person opening it. Programs that are no browsers send no
// Sec-Fetch-Site; they get sealed bytes like everyone else.
func sameSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return r.Method == http.MethodGet && r.URL.Path == "/" &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// printable keeps a header of a stranger to one short line of plain letters.
func printable(s string) string {
	if len(s) > 80 {
		s = s[:80]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}
