package naming

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealcam/sealcam/boards/toml"
	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/cmd/internal/nodetest"
	"github.com/sealcam/sealcam/uplink/seal"
)

var picture = []byte("\xff\xd8 a picture \xff\xd9")

// detector is one in Go: it answers each question by what says returns, and
// nothing to "".
type detector struct {
	path  string
	calls chan request
}

func listen(t *testing.T, says func(q request, jpeg []byte) string) *detector {
	t.Helper()
	d := &detector{filepath.Join(t.TempDir(), "s"), make(chan request, 16)}
	l, err := net.Listen("unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(c, says)
		}
	}()
	return d
}

func (d *detector) serve(c net.Conn, says func(q request, jpeg []byte) string) {
	defer c.Close()
	for {
		head, err := readAnswer(c)
		if err != nil {
			return
		}
		var q request
		if json.Unmarshal(head, &q) != nil {
			return
		}
		jpeg := make([]byte, q.Bytes)
		if _, err := io.ReadFull(c, jpeg); err != nil {
			return
		}
		d.calls <- q
		if s := says(q, jpeg); s != "" {
			_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...))
		}
	}
}

// namer returns one that asks the detector, with a clock that the test moves.
func namer(t *testing.T, path string, wait time.Duration) (n *Namer, clock *time.Time) {
	t.Helper()
	s := Defaults()
	s.Socket, s.Wait = path, toml.Duration{Duration: wait}
	now := time.Unix(1e9, 0)
	n, err := New(s, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n, &now
}

func says(q request, found string) string {
	return fmt.Sprintf(`{"v":1,"id":%d,"model":"%s","found":[%s],"more":1}`, q.ID, strings.Repeat("5a", 32), found)
}

var box = []model.Area{{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}}

func TestDetectorNames(t *testing.T) {
	d := listen(t, func(q request, jpeg []byte) string {
		if !bytes.Equal(jpeg, picture) {
			return ""
		}
		return says(q, `{"label":"cat","score":0.6,"box":[0,0,1,1]},{"label":"dog","score":0.2,"box":[0,0,1,1]},{"label":"person","score":0.9,"box":[0.1,0.2,0.3,0.4]}`)
	})
	n, _ := namer(t, d.path, time.Minute)
	for range 3 {
		a, err := n.Look(t.Context(), picture, box)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Things) != 2 || a.Things[0].Name != "person" || a.Things[0].W != 0.3 || a.Things[1].Name != "cat" || a.Model != [32]byte(bytes.Repeat([]byte{0x5a}, 32)) {
			t.Errorf("%+v", a)
		}
		if q := <-d.calls; q.Version != 1 || q.Boxes[0] != [4]float64{0.1, 0.2, 0.3, 0.4} {
			t.Errorf("asked %+v", q)
		}
	}
}

// Whatever a detector says wrongly costs the names of one event, and closes the
// connection, so that no late answer is taken for another.
func TestBadAnswers(t *testing.T) {
	good := `{"label":"cat","score":0.6,"box":[0,0,1,1]}`
	for name, bad := range map[string]func(q request) string{
		"silence":       func(request) string { return "" },
		"no JSON":       func(request) string { return "cat" },
		"other id":      func(q request) string { q.ID++; return says(q, good) },
		"other version": func(q request) string { return strings.Replace(says(q, good), `"v":1`, `"v":2`, 1) },
		"no model":      func(q request) string { return strings.Replace(says(q, good), "5a5a", "", 1) },
		"huge":          func(q request) string { return says(q, strings.Repeat(good+",", 2000)+good) },
		"many":          func(q request) string { return says(q, strings.Repeat(good+",", 256)+good) },
		"escape":        func(q request) string { return says(q, `{"label":"\u001b[2J","score":0.6,"box":[0,0,1,1]}`) },
		"mark":          func(q request) string { return says(q, `{"label":"model=x","score":0.6,"box":[0,0,1,1]}`) },
		"no label":      func(q request) string { return says(q, `{"score":0.6,"box":[0,0,1,1]}`) },
		"sure":          func(q request) string { return says(q, `{"label":"cat","score":6,"box":[0,0,1,1]}`) },
		"outside":       func(q request) string { return says(q, `{"label":"cat","score":0.6,"box":[0.5,0,0.6,1]}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Bool // each connection is served on its own
			d := listen(t, func(q request, _ []byte) string {
				if !asked.Swap(true) {
					return bad(q)
				}
				return says(q, good)
			})
			wait := time.Minute
			if name == "silence" {
				wait = 100 * time.Millisecond
			}
			n, now := namer(t, d.path, wait)
			if a, err := n.Look(t.Context(), picture, box); err == nil {
				t.Fatalf("accepted: %+v", a)
			}
			if a, err := n.Look(t.Context(), picture, box); err == nil {
				t.Fatalf("not left alone: %+v", a)
			}
			*now = now.Add(firstRest)
			n.settings.Wait.Duration = time.Minute
			if a, err := n.Look(t.Context(), picture, box); err != nil || len(a.Things) != 1 {
				t.Errorf("afterwards: %+v, %v", a, err)
			}
		})
	}
}

// A detector that is not there is asked less and less often.
func TestBackOff(t *testing.T) {
	n, now := namer(t, filepath.Join(t.TempDir(), "nobody"), time.Minute)
	want := firstRest
	for range 12 {
		if _, err := n.Look(t.Context(), picture, box); err == nil {
			t.Fatal("nobody answers")
		}
		if rest := n.outside.until.Sub(*now); rest != want {
			t.Errorf("left alone for %v, want %v", rest, want)
		}
		*now = now.Add(want)
		want = min(2*want, lastRest)
	}
}

// The adapter of the documentation works.
func TestNodeDetector(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	cmd := exec.CommandContext(t.Context(), nodetest.Tool(t, "node"), "testdata/detector.mjs", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	n, _ := namer(t, path, time.Minute)
	for range 2 {
		a, err := n.Look(t.Context(), picture, append(box, model.Area{X: 0.6, Y: 0.6, W: 0.1, H: 0.1}))
		if err != nil || len(a.Things) != 2 || a.Things[0].Name != "thing" || math.Abs(a.Things[0].Score-0.9) > 1e-9 {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// FuzzAnswer wants what is accepted of a detector to be fit for a seal.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(says(request{ID: 7}, `{"label":"cat","score":0.6,"box":[0,0,1,1]}`)))
	f.Add([]byte(says(request{ID: 7}, `{"label":"ä b","score":1e-9,"box":[0.5,0.25,0.5,0.75]}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parseAnswer(text, 7)
		if err != nil {
			return
		}
		for _, thing := range a.Things {
			if len(thing.Name) > seal.MaxName || strings.ContainsAny(thing.Name, "=\x1b\n\u202e") || !(thing.Score >= -1e-3 && thing.Score <= 1) {
				t.Errorf("%+v", thing)
			}
		}
	})
}
