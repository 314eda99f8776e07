//go:build vm && linux

package lab

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/ota/tuf/repo"
)

// updateSettings are those of a camera that follows its maker closely.
const updateSettings = `state = "/data/sealcam"
log = "debug"
[camera]
source = "scene:empty?size=320x180&pixel=grey&rate=5"
[live]
every = "0s"
[clips]
enabled = false
[uplink]
status = "10s"
[update]
url = "https://%s:%d"
root = "/data/root.json"
ca = "/data/ca.pem"
every = "2s"
`

// TestUpdateRounds updates a board over HTTPS again and again, and cuts its power
// at any moment of it: while the release is brought, written, tried, or confirmed.
// What starts afterwards is signed, and never older than what was confirmed; the
// camera is the same one, and everything it sealed is seen.
func TestUpdateRounds(t *testing.T) {
	on(t, ARM64, func(t *testing.T, arch Arch) {
		r := &rig{home: newHome(t)}
		sealcamd, err := Build(t.Context(), arch, "cmd/sealcamd")
		if err != nil {
			t.Fatal(err)
		}
		w := newWorkshop(t, sealcamd)
		r.guest = Guest{Arch: arch, Net: true, Files: map[string]string{"/bin/sealcamd": sealcamd}, Disk: filepath.Join(t.TempDir(), "disk")}
		if err := NewDisk(t.Context(), r.guest.Disk, 256<<20); err != nil {
			t.Fatal(err)
		}
		r.m = boot(t, r.guest)
		for path, data := range map[string][]byte{
			settingsAt: fmt.Appendf(nil, updateSettings, Host, w.port), "/data/root.json": w.root, "/data/ca.pem": w.ca,
		} {
			if err := r.m.WriteFile(limit(t), path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r.camera = r.home.adopt(t, r.m, settingsAt, "Garden")
		r.screen = r.home.watch(t)
		r.m.must(t, "sync") // what a person has set up stays

		for n := range *rounds {
			w.publish(t)
			w.round(t, r, n+1)
		}
		w.publish(t)
		s := supervise(t, r.m)
		s.wait(t, fmt.Sprintf("and is confirmed\" part=update version=v%d", w.number))
		r.settle(t)
		s.end(t)
		r.ledger(t)
	})
}

// workshop is a maker who publishes releases of one program over HTTPS.
type workshop struct {
	repo      *repo.Repo
	program   []byte
	port      int
	root, ca  []byte
	number    uint64
	hashes    map[string]uint64 // in hexadecimal, of what was published
	confirmed uint64            // newest that a board said it has confirmed
}

func newWorkshop(t *testing.T, program string) *workshop {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repository")
	w := &workshop{hashes: map[string]uint64{}}
	var err error
	if w.repo, err = repo.Init(dir, repo.Options{RootKeys: 1, RootThreshold: 1}, time.Now); err != nil {
		t.Fatal(err)
	}
	if w.program, err = os.ReadFile(program); err != nil {
		t.Fatal(err)
	}
	if w.root, err = os.ReadFile(filepath.Join(dir, "public", "metadata", "1.root.json")); err != nil {
		t.Fatal(err)
	}
	files, err := repo.Handler(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.serve(t, files)
	return w
}

// serve serves files to guests.
func (w *workshop) serve(t *testing.T, files http.Handler) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "workshop"}, IPAddresses: []net.IP{net.ParseIP(Host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	w.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	server := httptest.NewUnstartedServer(files)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	w.port = server.Listener.Addr().(*net.TCPAddr).Port
}

// publish publishes the next release: the program with some bytes after its end,
// which make it another file and run the same.
func (w *workshop) publish(t *testing.T) {
	t.Helper()
	w.number++
	b := append(bytes.Clone(w.program), fmt.Sprintf("number %d", w.number)...)
	path := filepath.Join(t.TempDir(), "sealcamd")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := w.repo.Add(path, repo.Release{
		Kind: "agent", Version: fmt.Sprint("v", w.number), Number: w.number, Boards: []string{"*"}, Arch: "arm64", Channel: "stable", Share: 100,
	})
	if err == nil {
		err = w.repo.Publish()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.hashes[fmt.Sprintf("%x", sha256.Sum256(b))] = w.number
}

// moments are when the power may go: so long after something was said, at most.
var moments = []struct {
	said   string
	within time.Duration
}{
	{`msg="a release is brought" part=update version=v%d`, 10 * time.Second},                // brought, hashed, written
	{`msg="a release is installed, and is tried now" part=update version=v%d`, time.Second}, // started again
	{`msg="this version is on trial" part=update version=v%d`, 8 * time.Second},             // proving itself
	{`and is confirmed" part=update version=v%d`, time.Second},                              // confirmed
}

var confirmedLine = regexp.MustCompile(`and is confirmed" part=update version=v\d+ slot=. number=(\d+)`)

// round runs a camera under a supervisor, and cuts the power in the middle of the
// update.
func (w *workshop) round(t *testing.T, r *rig, n int) {
	t.Helper()
	s := supervise(t, r.m)
	moment := moments[n%len(moments)]
	s.wait(t, fmt.Sprintf(moment.said, w.number))
	after := time.Duration(rand.Int64N(int64(moment.within)))
	time.Sleep(after)
	r.m.PowerCut()
	said := s.said()
	for _, m := range confirmedLine.FindAllStringSubmatch(said, -1) {
		if number, err := strconv.ParseUint(m[1], 10, 64); err == nil {
			w.confirmed = max(w.confirmed, number)
		}
	}
	r.m = boot(t, r.guest)
	if id := strings.TrimSpace(r.m.must(t, "sealcamd", "-config", settingsAt, "id")); id != r.camera {
		t.Fatalf("round %d: this is camera %s, and was %s", n, id, r.camera)
	}
	now, slots := w.check(t, r)
	t.Logf("round %d: cut %v after a word on the update to %d; %s; number %d is confirmed\n%s", n, after.Round(time.Millisecond), w.number, stage(said), now, slots)
	if now < w.confirmed {
		t.Errorf("round %d: %d is confirmed, and %d was", n, now, w.confirmed)
	}
	w.confirmed = now
}

var heldLine = regexp.MustCompile(`(?m)^slot ([ab]) +v\d+ \(number (\d+)\) +(confirmed)?`)

// check holds the slots of a board that has just started to what was published. It
// returns the confirmed number, 0 for what was flashed.
func (w *workshop) check(t *testing.T, r *rig) (confirmed uint64, slots string) {
	t.Helper()
	slots = r.m.must(t, "sealcamd", "-config", settingsAt, "update")
	for _, m := range heldLine.FindAllStringSubmatch(slots, -1) {
		number, _ := strconv.ParseUint(m[2], 10, 64)
		hash, _, _ := strings.Cut(r.m.must(t, "sha256sum", "/data/sealcam/update/"+m[1]+"/sealcamd"), " ")
		if w.hashes[hash] != number {
			t.Errorf("slot %s is to hold %d, and its hash is that of %d (0 for nothing signed)", m[1], number, w.hashes[hash])
		}
		if m[3] != "" {
			confirmed = number
		}
	}
	return confirmed, slots
}

// stage says how far an update had come.
func stage(said string) string {
	at := "it was being brought"
	said = said[strings.LastIndex(said, "a release is brought"):]
	for _, x := range [][2]string{{"is tried now", "it was installed"}, {"is on trial", "it was on trial"}, {"is confirmed", "it was confirmed"}} {
		if strings.Contains(said, x[0]) {
			at = x[1]
		}
	}
	return at
}

// supervised starts sealcamd again whenever it ends, as a supervisor does, until the
// power goes.
type supervised struct {
	m    *Machine
	done chan struct{}

	mu    sync.Mutex
	procs []*Process
	over  bool
}

func supervise(t *testing.T, m *Machine) *supervised {
	t.Helper()
	s := &supervised{m: m, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for {
			p, err := m.Start(nil, "sealcamd", "-config", settingsAt)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.procs = append(s.procs, p)
			s.mu.Unlock()
			_, err = p.Wait(context.Background())
			s.mu.Lock()
			over := s.over
			s.mu.Unlock()
			if err != nil || over {
				return
			}
		}
	}()
	t.Cleanup(func() {
		m.PowerCut()
		<-s.done
		if t.Failed() {
			afterwards(t, "sealcamd", s.said())
		}
	})
	return s
}

func (s *supervised) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all strings.Builder
	for _, p := range s.procs {
		all.WriteString(p.Said().Stderr)
	}
	return all.String()
}

func (s *supervised) wait(t *testing.T, text string) {
	t.Helper()
	for within := limit(t); !strings.Contains(s.said(), text); time.Sleep(50 * time.Millisecond) {
		if within.Err() != nil {
			t.Fatalf("sealcamd did not say %q", text)
		}
	}
}

// end has sealcamd end in good order.
func (s *supervised) end(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	s.over = true
	p := s.procs[len(s.procs)-1]
	s.mu.Unlock()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-limit(t).Done():
		t.Fatal("sealcamd does not end")
	}
}
