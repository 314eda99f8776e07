package faults

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Ledger is what cameras have sealed and what became of it. Its methods are safe
// for concurrent use.
type Ledger struct {
	mu       sync.Mutex
	accounts map[seal.CameraID]*account
	faults   []string // contradictions
}

// account is one camera's, by number.
type account struct {
	until     uint64              // later numbers do not count; 0 while all do
	sealed    map[uint64][32]byte // durable messages, by their numbers
	pictures  map[uint64]bool     // of these, pictures and parts of clips
	shown     map[uint64]int      // how often a viewer verified it
	confessed map[uint64]bool     // the camera says that it will never come
	tail      []string            // last lines of the camera's log
}

// NewLedger returns an empty Ledger.
func NewLedger() *Ledger { return &Ledger{accounts: map[seal.CameraID]*account{}} }

func (l *Ledger) account(id seal.CameraID) *account {
	a := l.accounts[id]
	if a == nil {
		a = &account{sealed: map[uint64][32]byte{}, pictures: map[uint64]bool{}, shown: map[uint64]int{}, confessed: map[uint64]bool{}}
		l.accounts[id] = a
	}
	return a
}

// note takes down that the camera has sealed number seq as hash. l.mu is held.
func (l *Ledger) note(id seal.CameraID, seq uint64, hash [32]byte, whence string) {
	a := l.account(id)
	if before, ok := a.sealed[seq]; ok && before != hash {
		l.fault("%.8s: number %d is %x, and %s has %x", id, seq, before[:4], whence, hash[:4])
	}
	a.sealed[seq] = hash
}

func (l *Ledger) fault(format string, a ...any) {
	if len(l.faults) < 100 {
		l.faults = append(l.faults, fmt.Sprintf(format, a...))
	}
}

// Stored notes what lies in a spool's directory of messages: what was durable
// though the camera was killed before it could say so.
func (l *Ledger) Stored(id seal.CameraID, dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".sealed") || filepath.Base(filepath.Dir(path)) == "aside" {
			return err
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) { // given up meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		v, err := seal.Peek(b)
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.fault("%.8s: %s: %v", id, path, err)
			return nil
		}
		l.note(id, v.Seq, v.Hash, "the spool")
		return nil
	})
}

// Verified notes a durable message that a viewer was shown as news.
func (l *Ledger) Verified(v *seal.Verified) {
	m := v.Meta()
	if m.Stream != seal.Durable {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(v.Camera())
	l.note(v.Camera(), m.Seq, v.Hash(), "a viewer")
	a.shown[m.Seq]++
	if m.Kind == seal.KindSnapshot || m.Kind == seal.KindClip {
		a.pictures[m.Seq] = true
	}
	for _, r := range m.Lost {
		for seq := r.First; seq <= r.Last; seq++ {
			a.confessed[seq] = true
		}
	}
}

// Head returns the highest number known of a camera.
func (l *Ledger) Head(id seal.CameraID) (head uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.account(id).head()
}

func (a *account) head() (head uint64) {
	if a.until != 0 {
		return a.until
	}
	for seq := range a.sealed {
		head = max(head, seq)
	}
	return head
}

// Until leaves out what the camera seals after number seq.
func (l *Ledger) Until(id seal.CameraID, seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account(id).until = seq
}

// Count is what became of what was sealed.
type Count struct {
	Sealed    int // durable messages
	Pictures  int // of what was verified, pictures and parts of clips
	Verified  int
	Doubled   int // shown as news more than once
	Confessed int // and not verified
	Lost      int // numbers of which there is neither a message nor a word
	Denied    int // confessed, though a viewer has them
}

// Count returns the counts of a camera.
func (l *Ledger) Count(id seal.CameraID) (c Count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(id)
	for seq := uint64(1); seq <= a.head(); seq++ {
		_, sealed := a.sealed[seq]
		n, confessed := a.shown[seq], a.confessed[seq]
		for what, is := range map[*int]bool{
			&c.Sealed: sealed, &c.Pictures: a.pictures[seq], &c.Verified: n > 0, &c.Confessed: confessed && n == 0,
			&c.Lost: !confessed && n == 0, &c.Denied: confessed && n > 0,
		} {
			if is {
				*what++
			}
		}
		c.Doubled += max(0, n-1)
	}
	return c
}

// Total returns the counts of all cameras together.
func (l *Ledger) Total() (c Count) {
	l.mu.Lock()
	ids := slices.Collect(maps.Keys(l.accounts))
	l.mu.Unlock()
	for _, id := range ids {
		c = c.Plus(l.Count(id))
	}
	return c
}

// Plus returns the sum.
func (c Count) Plus(d Count) Count {
	return Count{
		c.Sealed + d.Sealed, c.Pictures + d.Pictures, c.Verified + d.Verified, c.Doubled + d.Doubled,
		c.Confessed + d.Confessed, c.Lost + d.Lost, c.Denied + d.Denied,
	}
}

// Missing returns the numbers of a camera that are neither verified nor
// confessed.
func (l *Ledger) Missing(id seal.CameraID) (missing []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(id)
	for seq := uint64(1); seq <= a.head(); seq++ {
		if a.shown[seq] == 0 && !a.confessed[seq] {
			missing = append(missing, seq)
		}
	}
	return missing
}

// Unverified returns the numbers of a camera that no viewer has verified.
func (l *Ledger) Unverified(id seal.CameraID) (none []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(id)
	for seq := uint64(1); seq <= a.head(); seq++ {
		if a.shown[seq] == 0 {
			none = append(none, seq)
		}
	}
	return none
}

// Contradictions returns what must not be: two messages of one number.
func (l *Ledger) Contradictions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.faults)
}

// Log returns a writer for the log of a camera, as slog.TextHandler writes it at
// level debug: it takes down what the camera says that it has sealed.
func (l *Ledger) Log(id seal.CameraID) *Log { return &Log{ledger: l, camera: id} }

// Log reads one camera's log.
type Log struct {
	ledger *Ledger
	camera seal.CameraID
	mu     sync.Mutex
	rest   []byte
}

// tailLines is how many lines of a log are kept for who looks for a fault.
const tailLines = 500

// Write implements io.Writer; it never fails.
func (w *Log) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, b...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		w.ledger.line(w.camera, string(line))
		w.rest = append([]byte(nil), rest...)
	}
}

// line takes down one line.
func (l *Ledger) line(id seal.CameraID, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(id)
	if !strings.Contains(line, " msg=sealed ") {
		a.tail = append(a.tail, line)
		a.tail = a.tail[max(0, len(a.tail)-tailLines):]
		return
	}
	seq, err := strconv.ParseUint(field(line, "seq"), 10, 64)
	hash, herr := hex.DecodeString(field(line, "hash"))
	if err != nil || herr != nil || len(hash) != 32 {
		l.fault("%.8s: cannot read its log: %q", id, line)
		return
	}
	l.note(id, seq, [32]byte(hash), "the camera's log")
}

// Tail returns the last lines of a camera's log that are not about sealing.
func (l *Ledger) Tail(id seal.CameraID) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.account(id).tail)
}

// Said reports whether one of these lines holds text.
func (l *Ledger) Said(id seal.CameraID, text string) bool {
	return slices.ContainsFunc(l.Tail(id), func(line string) bool { return strings.Contains(line, text) })
}

// field returns the value of a key in a line of slog.TextHandler that needs no
// quotes.
func field(line, key string) string {
	_, value, _ := strings.Cut(line, " "+key+"=")
	value, _, _ = strings.Cut(value, " ")
	return value
}
