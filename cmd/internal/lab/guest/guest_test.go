//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sealcam/sealcam/cmd/internal/lab/wire"
)

func TestStructuresAreTheKernels(t *testing.T) {
	wantFormat, wantBuffer := uintptr(208), uintptr(88)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		wantFormat, wantBuffer = 204, 68
	}
	for _, tc := range []struct {
		name      string
		got, want uintptr
	}{
		{"v4l2_format", unsafe.Sizeof(format{}), wantFormat},
		{"v4l2_buffer", unsafe.Sizeof(buffer{}), wantBuffer},
		{"v4l2_requestbuffers", unsafe.Sizeof(requestBuffers{}), 20},
		{"v4l2_queryctrl", unsafe.Sizeof(queryControl{}), 68},
		{"v4l2_control", unsafe.Sizeof(control{}), 8},
	} {
		if tc.got != tc.want {
			t.Errorf("%s has %d bytes, want %d", tc.name, tc.got, tc.want)
		}
	}
}

func TestControlName(t *testing.T) {
	for raw, want := range map[string]string{
		"Percentage of Dropped Buffers\x00": "percentage_of_dropped_buffers",
		"Inject V4L2_BUF_FLAG_ERROR\x00":    "inject_v4l2_buf_flag_error",
		"Limited RGB Range (16-235)\x00":    "limited_rgb_range_16_235",
	} {
		if got := controlName([]byte(raw)); got != want {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
}

func TestNetemMessage(t *testing.T) {
	var im impairment
	for _, arg := range []string{"delay=300ms", "loss=20%", "rate=64kbit"} {
		if err := im.parse(arg); err != nil {
			t.Fatal(err)
		}
	}
	if im != (impairment{delay: 300 * time.Millisecond, loss: 0.2, rate: 8000}) {
		t.Errorf("parsed %+v", im)
	}
	if err := im.parse("jitter=1"); err == nil {
		t.Error("an unknown option was taken")
	}
	msg := im.message(2)
	if got := binary.NativeEndian.Uint32(msg); int(got) != len(msg) || len(msg)%4 != 0 {
		t.Errorf("length field %d of %d bytes", got, len(msg))
	}
	if !bytes.Contains(msg, []byte("netem\x00")) {
		t.Error("no kind in the message")
	}
}

// TestServe runs commands through the protocol, on this machine.
func TestServe(t *testing.T) {
	host, port := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- newServer(port).serve() }()
	enc, dec := json.NewEncoder(host), json.NewDecoder(host)
	ask := func(r wire.Request) (out string, last wire.Event) {
		t.Helper()
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
		for {
			var e wire.Event
			if err := dec.Decode(&e); err != nil {
				t.Fatal(err)
			}
			out += string(e.Stdout)
			if e.Done {
				return out, e
			}
		}
	}
	if out, end := ask(wire.Request{ID: 1, Op: wire.OpRun, Args: []string{"cat"}, Stdin: []byte("hello")}); out != "hello" || end.ID != 1 || end.Exit != 0 {
		t.Errorf("cat: %q, %+v", out, end)
	}
	if _, end := ask(wire.Request{ID: 2, Op: wire.OpRun, Args: []string{"sh", "-c", "kill -9 $$"}}); end.Exit != 137 {
		t.Errorf("killed: %+v", end)
	}
	for _, args := range [][]string{nil, {"/no/such/command"}} {
		if _, end := ask(wire.Request{ID: 3, Op: wire.OpRun, Args: args}); end.Err == "" {
			t.Errorf("%v: started", args)
		}
	}
	if err := enc.Encode(wire.Request{Op: wire.OpOff}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUnknownToolsAreNamed(t *testing.T) {
	for _, args := range [][]string{nil, {"juggle"}, {"mjpeg", "-size", "big", "x"}, {"hold"}, {"look"}, {"controls"}, {"set", "/dev/null"}} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), "usage: guest mjpeg") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
