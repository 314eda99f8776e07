//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/lab/wire"
)

// server runs the host's commands.
type server struct {
	dec *json.Decoder

	write sync.Mutex
	enc   *json.Encoder

	mu      sync.Mutex
	running map[uint64]*exec.Cmd
}

func newServer(port io.ReadWriter) *server {
	return &server{dec: json.NewDecoder(port), enc: json.NewEncoder(port), running: make(map[uint64]*exec.Cmd)}
}

// serve returns when the host goes away or asks to power off.
func (s *server) serve() error {
	for {
		var r wire.Request
		if err := s.dec.Decode(&r); err != nil {
			return fmt.Errorf("the host's port: %w", err)
		}
		switch r.Op {
		case wire.OpRun:
			s.start(r)
		case wire.OpSignal:
			s.signal(r)
		case wire.OpOff:
			return nil
		}
	}
}

// tell sends one event. A host that is gone ends the guest through serve.
func (s *server) tell(e wire.Event) {
	s.write.Lock()
	defer s.write.Unlock()
	_ = s.enc.Encode(e)
}

// start starts a command in a process group of its own and returns.
func (s *server) start(r wire.Request) {
	if len(r.Args) == 0 {
		s.tell(wire.Event{ID: r.ID, Done: true, Err: "no command"})
		return
	}
	cmd := exec.Command(r.Args[0], r.Args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"}
	cmd.Stdin = bytes.NewReader(r.Stdin)
	cmd.Stdout = stream(func(p []byte) { s.tell(wire.Event{ID: r.ID, Stdout: p}) })
	cmd.Stderr = stream(func(p []byte) { s.tell(wire.Event{ID: r.ID, Stderr: p}) })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // for what a shell leaves behind with our pipes open
	if err := cmd.Start(); err != nil {
		s.tell(wire.Event{ID: r.ID, Done: true, Err: err.Error()})
		return
	}
	s.mu.Lock()
	s.running[r.ID] = cmd
	s.mu.Unlock()
	go s.wait(r.ID, cmd)
}

func (s *server) wait(id uint64, cmd *exec.Cmd) {
	err := cmd.Wait()
	s.mu.Lock()
	delete(s.running, id)
	s.mu.Unlock()
	end := wire.Event{ID: id, Done: true}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		end.Exit = exit.ExitCode()
		if st, ok := exit.Sys().(syscall.WaitStatus); ok && st.Signaled() {
			end.Exit = 128 + int(st.Signal())
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		end.Err = err.Error()
	}
	s.tell(end)
}

// signal goes to the process alone, as a service manager's does at first.
func (s *server) signal(r wire.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cmd := s.running[r.ID]; cmd != nil {
		_ = cmd.Process.Signal(syscall.Signal(r.Signal))
	}
}

type stream func(p []byte)

func (f stream) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
