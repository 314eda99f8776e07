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
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cpio"
	"github.com/sealcam/sealcam/cmd/internal/debian"
	"github.com/sealcam/sealcam/cmd/internal/lab/wire"
)

// Host is where a guest with Net reaches the host's loopback address.
const Host = "10.0.2.2"

// Guest describes one emulated board.
type Guest struct {
	Arch    Arch
	Modules []string          // as after modprobe, in order: "vivid n_devs=1"
	Files   map[string]string // absolute path in the guest: file of the host; permissions are kept
	Net     bool              // eth0, 10.0.2.15; the host's loopback is Host
	Disk    string            // made by NewDisk, mounted at /data; "" for none
	Clock   time.Time         // what the board's clock says at power-on; zero for the real time
	CPUs    int               // processors; 0 for one, which costs the host least
	Console io.Writer         // gets the console as well; may be nil
	Say     func(line string) // progress of Prepare; may be nil
}

// bootLimit ends a boot that hangs: one takes 5 to 10 s of processor, of which a
// guest beside much else may get a twentieth.
const bootLimit = 15 * time.Minute

// Boot starts a board and returns when it runs commands. The end of ctx cuts
// its power; so does the end of this process.
func Boot(ctx context.Context, g Guest) (*Machine, error) {
	if g.Say == nil {
		g.Say = func(string) {}
	}
	sp, err := g.Arch.spec()
	if err != nil {
		return nil, err
	}
	board, err := Prepare(ctx, g.Arch, g.Say)
	if err != nil {
		return nil, err
	}
	// Unix sockets have short names: not below a test's own directory.
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		return nil, err
	}
	m := newMachine(dir, g.Console)
	if err := m.start(ctx, g, sp, board); err != nil {
		m.PowerCut()
		return nil, fmt.Errorf("booting %s: %w\n%s", g.Arch, err, tail(m.Console(), 1000))
	}
	return m, nil
}

func (m *Machine) start(ctx context.Context, g Guest, sp spec, board *Board) error {
	initrd := filepath.Join(m.dir, "initrd")
	if err := writeInitramfs(ctx, initrd, g, board); err != nil {
		return err
	}
	port, err := net.Listen("unix", filepath.Join(m.dir, "port"))
	if err != nil {
		return err
	}
	defer port.Close()
	qmp, err := net.Listen("unix", filepath.Join(m.dir, "qmp"))
	if err != nil {
		return err
	}
	defer qmp.Close()

	qemu, err := debian.Tool(sp.qemu)
	if err != nil {
		return err
	}
	m.cmd = exec.CommandContext(ctx, qemu, qemuArgs(g, sp, board, m.dir)...)
	m.cmd.Stdout, m.cmd.Stderr = m.console, m.console
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	go m.reap()

	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	if err := m.connect(ctx, port, qmp); err != nil {
		return err
	}
	go m.read()
	select {
	case up := <-m.up:
		if up.Err != "" {
			return errors.New(up.Err)
		}
		return nil
	case <-m.dead:
		return errors.New("the guest went down while it booted")
	case <-ctx.Done():
		return fmt.Errorf("the guest is not up after %v: %w", bootLimit, ctx.Err())
	}
}

// connect waits for QEMU to open its serial port and its monitor, which it
// does at once or never.
func (m *Machine) connect(ctx context.Context, port, qmp net.Listener) error {
	giveUp := func() { port.Close(); qmp.Close() }
	defer context.AfterFunc(ctx, giveUp)()
	go func() { <-m.dead; giveUp() }()
	var err error
	if m.port, err = port.Accept(); err != nil {
		return errors.New("QEMU ended at once")
	}
	m.enc = json.NewEncoder(m.port)
	conn, err := qmp.Accept()
	if err != nil {
		return errors.New("QEMU ended at once")
	}
	m.qmp, err = newMonitor(conn)
	return err
}

func qemuArgs(g Guest, sp spec, board *Board, dir string) []string {
	args := []string{
		// Always TCG: /dev/kvm may exist, open, and then hang.
		"-M", "virt", "-accel", "tcg", "-cpu", sp.cpu, "-smp", strconv.Itoa(max(1, g.CPUs)), "-m", "512",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", board.Kernel(), "-initrd", filepath.Join(dir, "initrd"),
		// Tests of the kernel's own ciphers, and zeroing of memory that nobody reads, are a tenth of a boot.
		"-append", "console=ttyAMA0 quiet panic=-1 rdinit=/init cryptomgr.notests init_on_alloc=0",
		"-chardev", "socket,id=qmp,path=" + filepath.Join(dir, "qmp"), "-mon", "chardev=qmp,mode=control",
		"-device", "virtio-serial-device",
		"-chardev", "socket,id=port,path=" + filepath.Join(dir, "port"),
		"-device", "virtserialport,chardev=port,name=" + wire.PortName,
	}
	if g.Net {
		args = append(args, "-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net")
	}
	if g.Disk != "" {
		// Writeback: what the guest has handed over survives QEMU's death,
		// what it still holds in memory does not.
		args = append(args, "-drive", "if=none,id=disk,format=raw,cache=writeback,file="+g.Disk,
			"-device", "virtio-blk-device,drive=disk")
	}
	if !g.Clock.IsZero() {
		args = append(args, "-rtc", "base="+g.Clock.UTC().Format("2006-01-02T15:04:05"))
	}
	return args
}

// writeInitramfs packs busybox, modules, the guest command as init, and the
// guest's own files.
func writeInitramfs(ctx context.Context, path string, g Guest, board *Board) error {
	init, err := Build(ctx, g.Arch, "cmd/internal/lab/guest")
	if err != nil {
		return err
	}
	files := map[string]cpio.File{
		"/init":        {Host: init, Mode: 0o755},
		"/bin/busybox": {Host: board.Busybox(), Mode: 0o755},
		"/etc/hosts":   {Data: []byte("127.0.0.1 localhost\n" + Host + " host\n"), Mode: 0o644},
	}
	for guest, host := range g.Files {
		files[guest] = cpio.File{Host: host}
	}
	config := wire.Config{Net: g.Net, Disk: g.Disk != ""}
	names := []string{"virtio_mmio", "virtio_console"}
	if g.Net {
		names = append(names, "virtio_net", "sch_netem")
	}
	if g.Disk != "" {
		names = append(names, "virtio_blk", "ext4")
	}
	params := make(map[string]string)
	for _, m := range g.Modules {
		name, p, _ := strings.Cut(m, " ")
		names = append(names, name)
		params[name] = p
	}
	modules, err := board.Modules(ctx, names...)
	if err != nil {
		return err
	}
	for _, host := range modules {
		base := filepath.Base(host)
		at := "/lab/modules/" + base
		files[at] = cpio.File{Host: host, Mode: 0o644}
		config.Modules = append(config.Modules, wire.Module{Path: at, Params: params[moduleName(base)]})
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	files[wire.ConfigPath] = cpio.File{Data: text, Mode: 0o644}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := cpio.Write(f, files); err != nil {
		return err
	}
	return f.Close()
}

// moduleName turns "virtio-blk.ko" into "virtio_blk".
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(file, ".ko"), "-", "_")
}
