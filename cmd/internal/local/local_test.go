package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink"
)

// full is a report with everything in it.
func full() Report {
	return Report{
		Format: Format, At: time.Date(2026, 5, 4, 22, 30, 5, 0, time.Local), Camera: "camera-id", Household: "household-id", Pairing: Paired,
		Broker: "mqtts://broker.example:8883", Source: "/dev/video0",
		Status: uplink.Status{
			State: "trouble", Light: "night", Troubles: []string{"the lens is covered"}, Uptime: 93784, Clock: "ntp",
			Health:   &uplink.Health{Word: uplink.Trouble, Reasons: []string{"the lens is covered", "the board is so warm that it slows down"}},
			Software: &uplink.Software{Version: "v1.4.0", Commit: "0123456789abcdef", Slot: "b", Trial: true, Number: 140, Fell: "no frame came"},
			Machine:  &uplink.Machine{Celsius: 81.2, Sensor: "cpu-thermal", Free: 1 << 30, Size: 8 << 30, Worn: 0.3},
			Settings: &uplink.SettingsStatus{
				Wanted: []uplink.WantedSettings{
					{For: "all", Version: 5, By: "owner", Since: time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local), Newest: 5, State: uplink.Applied},
					{For: "camera", Newest: 7, State: uplink.RolledBack, Why: "no frame came\x1b[2J"},
				},
				Effective: []string{"motion.sensitivity = 7"},
			},
			Certificate: &uplink.Certificate{
				From: "est", Issuer: "CN=Site CA", Until: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Renew: time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC), Days: new(27),
				Trouble: "the PKI says no\x1b[2J",
			},
			Recording: &uplink.RecordingStatus{Bytes: 3 << 29, Budget: 2 << 30, Kept: 9},
		},
		Capture: Capture{
			Connected: true, Pixel: "mjpeg", Width: 1920, Height: 1080, Rate: 30, Looks: 9.5, Frames: 12345, Dropped: 3, Bad: map[string]uint64{"short": 1, "bad \"quoted\"\n": 2},
			Events: 4, EventAge: 125, Pictures: 5, Clips: 3,
		},
		Uplink: Uplink{
			Connected: true, Connects: 2, Sealed: 40, SealedBytes: 1 << 40, Waiting: 1, Acknowledged: 2, Delivered: 30, ReceiptAge: 4, Dropped: 1,
			Refused: map[string]uint64{"command replayed": 2}, Spool: 12 << 20, SpoolBudget: 256 << 20,
		},
		Sensors: []Sensor{{"cpu-thermal", 81.2, 80}, {"nvme Composite", 44, 0}}, Flashes: []Flash{{"mmcblk0", 0.3, "normal"}},
		Process: Process{CPU: 12.5, Memory: 30 << 20},
	}
}

// serve serves full on a socket until the test ends, and returns its path.
func serve(t *testing.T, report func() Report) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "status.sock")
	l, err := Listen([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	run(t, l, false, report)
	return path
}

func run(t *testing.T, l net.Listener, figuresOnly bool, report func() Report) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, figuresOnly, report) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAskGivesWhatWasServed(t *testing.T) {
	path := serve(t, full)
	got, err := Ask(t.Context(), []string{filepath.Join(t.TempDir(), "none.sock"), path})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(full(), got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
		t.Errorf("-served +asked:\n%s", d)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestWords(t *testing.T) {
	var out bytes.Buffer
	Print(&cli.Env{Stdout: &out}, full())
	want := strings.TrimPrefix(`
camera     camera-id
household  household-id
health     trouble, trouble, up 1 d 2 h
           the lens is covered
           the board is so warm that it slows down
software   v1.4.0 (0123456789ab), slot b, on trial
settings   for all: applied, signed by owner, since 2026-05-04 12:00:00
           for camera: rolled back: no frame came?[2J
           motion.sensitivity = 7
source     /dev/video0, 1920x1080 mjpeg 30 fps; 12345 frames, 3 dropped, 3 unusable
seeing     night, 4 events, the last 2 min 5 s ago, 5 pictures and 3 clips sealed
uplink     connected to mqtts://broker.example:8883
identity   by est, from CN=Site CA, until 2026-06-01 (27 days left), renewed from 2026-05-02
           the PKI says no?[2J
queue      1 wait, 2 with the broker alone, 30 with a viewer, 1 given up; last receipt 4 s ago
refused    2 command replayed
storage    spool 12.0 MiB of 256.0 MiB, recording 1.5 GiB of 2.0 GiB, 1.0 GiB of 8.0 GiB free, mmcblk0 worn up to 30 %
heat       81.2 °C cpu-thermal, 44.0 °C nvme Composite
clock      2026-05-04 22:30:05, kept set from the network
`, "\n")
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// What answers may be something else than a camera, and is printed on a terminal.
func TestHostileReport(t *testing.T) {
	evil := strings.Repeat("\x1b]0;owned\a\u202e", 500)
	r := full()
	r.Camera, r.Household, r.Broker, r.Source, r.Uplink.Error, r.Status.State, r.Status.Light, r.Status.Clock = evil, evil, evil, evil, evil, evil, evil, evil
	r.Status.Health = &uplink.Health{Word: evil}
	for range 1000 {
		r.Status.Health.Reasons = append(r.Status.Health.Reasons, evil)
		r.Sensors = append(r.Sensors, Sensor{Name: evil, Celsius: 1e300})
		r.Flashes = append(r.Flashes, Flash{Device: evil})
	}
	r.Capture.Bad, r.Uplink.Refused = map[string]uint64{}, map[string]uint64{}
	for i := range 1000 {
		r.Capture.Bad[fmt.Sprint(evil, i)], r.Uplink.Refused[fmt.Sprint(evil, i)] = 1, 1
	}
	r.Status.Certificate = &uplink.Certificate{From: evil, Issuer: evil, Trouble: evil}
	r.Status.Software = &uplink.Software{Version: evil, Commit: evil, Slot: evil}
	r.Capture.EventAge, r.Uplink.ReceiptAge, r.Status.Uptime = -1, 1e300, 1<<62
	var out bytes.Buffer
	Print(&cli.Env{Stdout: &out}, r)
	if out.Len() > 32<<10 || strings.ContainsAny(out.String(), "\x1b\a\u202e") {
		t.Errorf("%d bytes: %q", out.Len(), out.String()[:200])
	}
	if text := string(Metrics(r)); strings.Count(text, "\n") > 400 {
		t.Errorf("%d lines of figures", strings.Count(text, "\n"))
	}
}

func TestNobodyAnswers(t *testing.T) {
	dead := filepath.Join(t.TempDir(), "status.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // its process was killed
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), dead} {
		if _, err := Ask(t.Context(), []string{path}); !errors.Is(err, ErrNobody) {
			t.Errorf("%s: %v", path, err)
		}
	}
	// The next agent takes its place.
	again, err := Listen([]string{dead})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	// What is no socket is somebody's file.
	file := filepath.Join(t.TempDir(), "status.sock")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen([]string{file}); err == nil {
		t.Error("a file was replaced")
	}
	second := filepath.Join(t.TempDir(), "status.sock")
	if l, err := Listen([]string{file, second}); err != nil || l.Addr().String() != second {
		t.Errorf("the second best place was not taken: %v", err)
	} else {
		l.Close()
	}
}

// stranger answers on a socket as f does.
func stranger(t *testing.T, f func(net.Conn)) string {
	path := filepath.Join(t.TempDir(), "status.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			f(c)
		}
	}()
	return path
}

func TestHostileSocket(t *testing.T) {
	header := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, f := range map[string]func(net.Conn){
		"hangs up":          func(net.Conn) {},
		"no HTTP":           func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH\r\n") },
		"no report":         func(c net.Conn) { io.WriteString(c, header+"Content-Length: 2\r\n\r\n{}") },
		"not JSON":          func(c net.Conn) { io.WriteString(c, header+"Content-Length: 4\r\n\r\nnope") },
		"refuses":           func(c net.Conn) { io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") },
		"cut":               func(c net.Conn) { io.WriteString(c, header+"Content-Length: 4000\r\n\r\n{\"format\":1") },
		"endless":           func(c net.Conn) { io.WriteString(c, header+"\r\n"); io.Copy(c, zeros{}) },
		"a header, endless": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "); io.Copy(c, zeros{}) },
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := Ask(t.Context(), []string{stranger(t, f)}); err == nil || r.Format != 0 || strings.Contains(err.Error(), "nothing whole") { // by its size, not by its time
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
	t.Run("says nothing", func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		path := stranger(t, func(net.Conn) { <-end })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // instead of patience
		defer cancel()
		if _, err := Ask(ctx, []string{path}); err == nil || !strings.Contains(err.Error(), "nothing whole was said") {
			t.Errorf("got %v", err)
		}
	})
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// get asks as a browser or Prometheus would.
func get(t *testing.T, l net.Listener, request string) (int, string) {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return code(string(answered(c, request)))
}

func answered(c net.Conn, request string) []byte {
	io.WriteString(c, request)
	b, _ := io.ReadAll(c) // a reset after the answer is as good as its end
	return b
}

func code(answer string) (int, string) {
	var n int
	fmt.Sscanf(answer, "HTTP/1.1 %d", &n)
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	return n, body
}

func TestLoopbackPortGivesFiguresAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run(t, l, true, full)
	for request, want := range map[string]int{
		"GET /metrics HTTP/1.1\r\nHost: " + l.Addr().String() + "\r\n\r\n":       http.StatusOK,
		"GET /metrics HTTP/1.1\r\nHost: localhost:9464\r\n\r\n":                  http.StatusOK,
		"GET /metrics HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n":                      http.StatusOK,
		"GET /metrics HTTP/1.1\r\nHost: rebound.example:9464\r\n\r\n":            http.StatusForbidden,
		"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n":                        http.StatusNotFound,
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n":                              http.StatusNotFound,
		"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n": http.StatusMethodNotAllowed,
		"nonsense\r\n\r\n": http.StatusBadRequest,
		"GET /metrics HTTP/1.1\r\nX: " + strings.Repeat("x", requestSize): http.StatusBadRequest,
	} {
		if got, body := get(t, l, request); got != want || (got == http.StatusOK) != strings.Contains(body, "sealcam_info") {
			t.Errorf("%.60q: %d, want %d: %.60q", request, got, want, body)
		}
	}
}

// Whoever holds connections open does not keep others out for long, and the end
// does not wait for him.
func TestSilentClients(t *testing.T) {
	path := serve(t, full)
	for range atOnce {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	asked := time.Now()
	for { // each try has the patience that the silent ones have, too
		if _, err := Ask(t.Context(), []string{path}); err == nil {
			break
		} else if time.Since(asked) > time.Minute {
			t.Fatal(err)
		}
	}
}

func TestLoopback(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:9464": true, "[::1]:9464": true, "127.8.9.1:1": true, "[::ffff:127.0.0.1]:80": true,
		"": false, "9464": false, ":9464": false, "0.0.0.0:9464": false, "[::]:9464": false, "192.168.1.5:9464": false, "localhost:9464": false,
		"127.0.0.1": false, "127.0.0.1:0": false, "127.0.0.1:99999": false, "[::1%lo]:9464": false, "unix:/x": false,
	} {
		if got := Loopback(address) == nil; got != ok {
			t.Errorf("%q: accepted %v", address, got)
		}
	}
}

func TestSockets(t *testing.T) {
	if d := cmp.Diff([]string{"/run/sealcam/status.sock", "/var/lib/sealcam/status.sock"}, Sockets("/var/lib/sealcam/")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"/data/second/status.sock"}, Sockets("/data/second")); d != "" {
		t.Error(d)
	}
}
