//go:build linux

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/sealcam/sealcam/cmd/internal/lab/wire"
)

// ErrDown is the error of everything that is asked of a guest without power.
var ErrDown = errors.New("the guest is down")

// Machine is a running guest. Its methods are safe for concurrent use.
type Machine struct {
	dir     string // sockets and initramfs, removed when the guest is down
	cmd     *exec.Cmd
	console *console
	qmp     *monitor
	port    net.Conn
	up      chan wire.Event // the guest's first event
	dead    chan struct{}   // closed when QEMU has ended

	write sync.Mutex
	enc   *json.Encoder

	mu    sync.Mutex
	next  uint64
	procs map[uint64]*Process
}

func newMachine(dir string, copy io.Writer) *Machine {
	return &Machine{
		dir: dir, console: &console{copy: copy},
		up: make(chan wire.Event, 1), dead: make(chan struct{}),
		procs: make(map[uint64]*Process),
	}
}

// reap waits for QEMU's end, whoever caused it.
func (m *Machine) reap() {
	// How QEMU ended says nothing that the console does not say better.
	_ = m.cmd.Wait()
	close(m.dead)
	os.RemoveAll(m.dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, p := range m.procs {
		p.end(0, ErrDown)
		delete(m.procs, id)
	}
}

// read hands the guest's events on until the port closes.
func (m *Machine) read() {
	dec := json.NewDecoder(m.port)
	for {
		var e wire.Event
		if dec.Decode(&e) != nil {
			return
		}
		if e.ID == 0 {
			m.up <- e
			continue
		}
		m.mu.Lock()
		p := m.procs[e.ID]
		if e.Done {
			delete(m.procs, e.ID)
		}
		m.mu.Unlock()
		if p != nil {
			p.take(e)
		}
	}
}

func (m *Machine) tell(r wire.Request) error {
	m.write.Lock()
	defer m.write.Unlock()
	if err := m.enc.Encode(r); err != nil {
		return fmt.Errorf("%w: %w", ErrDown, err)
	}
	return nil
}

// Start starts a command in the guest: a path, or a name of busybox, guest or
// a file in /bin.
func (m *Machine) Start(stdin []byte, args ...string) (*Process, error) {
	m.mu.Lock()
	select {
	case <-m.dead:
		m.mu.Unlock()
		return nil, ErrDown
	default:
	}
	m.next++
	p := newProcess(m, m.next, args)
	m.procs[p.id] = p
	m.mu.Unlock()
	if err := m.tell(wire.Request{ID: p.id, Op: wire.OpRun, Args: args, Stdin: stdin}); err != nil {
		return nil, err
	}
	return p, nil
}

// Run runs a command in the guest to its end. An exit code other than 0 is no
// error of Run.
func (m *Machine) Run(ctx context.Context, args ...string) (Result, error) {
	p, err := m.Start(nil, args...)
	if err != nil {
		return Result{}, err
	}
	return p.Wait(ctx)
}

// Output runs a command that must succeed and returns its standard output.
func (m *Machine) Output(ctx context.Context, args ...string) (string, error) {
	r, err := m.Run(ctx, args...)
	if err == nil && r.Exit != 0 {
		err = fmt.Errorf("%v: exit code %d\n%s", args, r.Exit, r.end())
	}
	return r.Stdout, err
}

// WriteFile writes a file in the guest, making the directories above it.
func (m *Machine) WriteFile(ctx context.Context, path string, data []byte, mode os.FileMode) error {
	p, err := m.Start(data, "sh", "-c", `mkdir -p "$(dirname "$0")" && umask 077 && cat > "$0" && chmod "$1" "$0"`, path, fmt.Sprintf("%o", mode.Perm()))
	if err != nil {
		return err
	}
	r, err := p.Wait(ctx)
	if err == nil && r.Exit != 0 {
		err = fmt.Errorf("writing %s: %s", path, r.Stderr)
	}
	return err
}

// Monitor gives QEMU's own monitor a command, for example "system_powerdown",
// which pulses line 3 of the board's GPIO chip.
func (m *Machine) Monitor(command string) (string, error) {
	raw, err := m.qmp.do("human-monitor-command", map[string]string{"command-line": command})
	if err != nil {
		return "", err
	}
	var text string
	return text, json.Unmarshal(raw, &text)
}

// Down is closed when the guest has no power.
func (m *Machine) Down() <-chan struct{} { return m.dead }

// Console returns the end of what the guest's console and QEMU said.
func (m *Machine) Console() string { return m.console.String() }

// PowerCut takes the power away between two instructions and returns when it
// is off. What the guest had not handed to its disk is lost.
func (m *Machine) PowerCut() {
	if m.cmd == nil || m.cmd.Process == nil {
		os.RemoveAll(m.dir)
		return
	}
	_ = m.cmd.Process.Signal(syscall.SIGKILL) // an error says that it is off already
	<-m.dead
	if m.port != nil {
		m.port.Close()
	}
	if m.qmp != nil {
		m.qmp.conn.Close()
	}
}

// PowerOff syncs and unmounts the disk and turns the board off. It does not
// stop commands first.
func (m *Machine) PowerOff(ctx context.Context) error {
	defer m.PowerCut()
	if err := m.tell(wire.Request{Op: wire.OpOff}); err != nil {
		return err
	}
	select {
	case <-m.dead:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the guest does not power off: %w", ctx.Err())
	}
}

// console keeps the end of what is written to it.
type console struct {
	mu   sync.Mutex
	tail []byte
	copy io.Writer
}

const consoleKeep = 64 << 10

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail = append(c.tail, p...)
	if over := len(c.tail) - consoleKeep; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	if c.copy != nil {
		return c.copy.Write(p)
	}
	return len(p), nil
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.tail)
}
