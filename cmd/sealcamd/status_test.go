package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/local"
)

// A camera says how it is, from before it belongs to somebody until it ends, to who
// is on its machine; and it opens no port.
func TestStatus(t *testing.T) {
	dir := t.TempDir()
	config := writeSettings(t, dir, garden)
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	if out, errs, code := output(t, "-config", config, "status"); code != 1 || !strings.Contains(errs, "hint: no sealcamd runs with these settings") {
		t.Errorf("before the start: exit %d: %s%s", code, out, errs)
	}
	cmd, lines, expect := start(t, ctx, config)
	expect("belongs to no household yet")
	r := askUntil(t, ctx, config, "the camera has told its id", func(r local.Report) bool { return r.Camera != "" })
	if id, _, _ := output(t, "-config", config, "id"); r.Pairing != local.Waiting || r.Camera != strings.TrimSpace(id) || r.Status.State != "waiting" {
		t.Errorf("nobody's camera %q says %+v", id, r)
	}
	h := home(t)
	output(t, "-config", config, "claim", pairingFor(t, h, config))
	r = askUntil(t, ctx, config, "it sends pictures", func(r local.Report) bool {
		return r.Pairing == local.Paired && r.Uplink.Connected && r.Capture.Frames > 0 && r.Uplink.Published > 0
	})
	if r.Household != string(h.ID()) || r.Broker != h.Broker() || r.Status.Health == nil || r.Status.Software == nil || r.Status.Software.Version != version || r.Uplink.SpoolBudget == 0 {
		t.Errorf("a camera at work says %+v", r)
	}
	out, errs, code := output(t, "-config", config, "status")
	for _, want := range []string{"camera     " + r.Camera, "household  " + r.Household, "connected to " + r.Broker, "320x180 grey", "spool "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in (exit %d):\n%s%s", want, code, out, errs)
		}
	}
	if ports := listening(t, cmd.Process.Pid); len(ports) > 0 {
		t.Errorf("the camera listens at %v", ports)
	}

	// With an address in the settings there are figures, and nothing else new listens.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	writeSettings(t, dir, garden+fmt.Sprintf("[metrics]\nlisten = %q\n", address))
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	expect("msg=figures")
	if ports := listening(t, cmd.Process.Pid); len(ports) != 1 {
		t.Errorf("with metrics.listen the camera listens at %v", ports)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "state", "status.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// askUntil asks the camera until what it says is so.
func askUntil(t *testing.T, ctx context.Context, config, what string, so func(local.Report) bool) (r local.Report) {
	t.Helper()
	for {
		out, errs, code := output(t, "-config", config, "status", "-json")
		if code == 0 {
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if so(r) {
				return r
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("not before the end: %s: exit %d: %s%s", what, code, out, errs)
		}
	}
}

// listening returns the TCP sockets of a process that listen, and its UDP sockets
// that take what anybody sends, as the kernel lists them.
// Source: proc(5), /proc/pid/net/tcp; include/net/tcp_states.h.
func listening(t *testing.T, pid int) (all []string) {
	t.Helper()
	own := map[string]bool{}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Fatalf("the descriptors of %d: %v", pid, err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil {
			own[to] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if os.IsNotExist(err) {
			continue // no IPv6 here
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			f := strings.Fields(line)
			if len(f) < 10 || !own["socket:["+f[9]+"]"] {
				continue
			}
			const listen = "0A"
			if peerless := strings.Trim(f[2], "0:") == ""; f[3] == listen || strings.HasPrefix(table, "udp") && peerless {
				all = append(all, table+" "+f[1])
			}
		}
	}
	return all
}
