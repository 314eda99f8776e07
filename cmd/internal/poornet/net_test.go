//go:build linux

package poornet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// inside is set for the process that has a network of its own.
const inside = "SEALCAM_POORNET_INSIDE"

// TestMain runs the tests in a network namespace of their own, which goes with
// them. Without privileges it is one of a user namespace.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	args := []string{"--net"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	cmd := exec.Command("unshare", append(append(args, "--", os.Args[0]), os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "a network of their own for these tests:", err)
		os.Exit(1)
	}
}

// hub is where the broker listens, reached over every link.
const hub = "10.88.255.1"

// tool runs a command of the system.
func tool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%swithout these tools, run: make test-deps", strings.Join(args, " "), err, out)
	}
}

// newHub makes the near end of all links.
func newHub(t *testing.T) {
	t.Helper()
	tool(t, "ip", "link", "set", "lo", "up")
	tool(t, "ip", "addr", "add", hub+"/32", "dev", "lo")
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0); err != nil {
		t.Log(err) // nothing is forwarded by default
	}
}

// link is a network namespace with one way out of it.
type link struct {
	number int
	pid    string // of a process in it
}

// newLink makes the nth link and its far end.
func newLink(t *testing.T, n int) link {
	t.Helper()
	// cat ends with its input: with this test, however that ends.
	keeper := exec.CommandContext(t.Context(), "unshare", "--net", "cat")
	stdin, err := keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = keeper.Wait() })
	l := link{n, fmt.Sprint(keeper.Process.Pid)}
	own, _ := os.Readlink("/proc/self/ns/net")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if its, err := os.Readlink("/proc/" + l.pid + "/ns/net"); err == nil && its != own {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("unshare gave no network namespace within a minute")
		}
	}
	near := fmt.Sprintf("near%d", n)
	tool(t, "ip", "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", l.pid)
	tool(t, "ip", "addr", "add", fmt.Sprintf("10.88.%d.1/30", n), "dev", near)
	tool(t, "ip", "link", "set", near, "up")
	l.tool(t, "ip", "addr", "add", fmt.Sprintf("10.88.%d.2/30", n), "dev", "eth0")
	l.tool(t, "ip", "link", "set", "eth0", "up")
	l.tool(t, "ip", "route", "add", "default", "via", fmt.Sprintf("10.88.%d.1", n))
	return l
}

// command is a command at the far end.
func (l link) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", l.pid, "-n", "--"}, args...)...)
}

func (l link) tool(t *testing.T, args ...string) {
	t.Helper()
	tool(t, append([]string{"nsenter", "-t", l.pid, "-n", "--"}, args...)...)
}

// impair makes the link as thin as rate (of tc) from the far end, and lets so many
// of a hundred packets be lost each way. They are lost where they arrive: a sender
// would be told of its own kernel's dropping.
func (l link) impair(t *testing.T, rate string, loss int) {
	t.Helper()
	l.tool(t, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "4kb", "latency", "500ms")
	rules := func(chain, device string) []string {
		return []string{"nft", fmt.Sprintf("add table inet poor; add chain inet poor %s { type filter hook input priority 0 ; }; "+
			"add rule inet poor %[1]s iifname %s numgen random mod 100 < %d drop", chain, device, loss)}
	}
	tool(t, rules(fmt.Sprintf("from%d", l.number), fmt.Sprintf("near%d", l.number))...)
	l.tool(t, rules("arriving", "eth0")...)
}
