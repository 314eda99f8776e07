// Package rig runs the true sealcamd for those who measure it: built for this
// machine, claimed by a household of its own, with a broker at the other end.
//
// What this package does not do: it measures nothing but resident memory.
package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/broker"
	"github.com/sealcam/sealcam/uplink/identity"
)

// Sealcamd builds sealcamd for this machine in dir, and returns where it is.
func Sealcamd(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "sealcamd")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "github.com/sealcam/sealcam/cmd/sealcamd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return out, cmd.Run()
}

// Household founds a household in dir, with a broker that runs until ctx ends and a
// claimed camera, and returns the settings file of that camera. It has the setting
// state, and is to be completed with more.
func Household(ctx context.Context, dir string) (string, error) {
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "", time.Now)
	if err != nil {
		return "", err
	}
	if _, err := h.AddViewer("desk"); err != nil {
		return "", err
	}
	conf, err := h.ServerTLS("127.0.0.1")
	if err != nil {
		return "", err
	}
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", TLS: conf})
	if err != nil {
		return "", err
	}
	go b.Run(ctx) // ends with ctx; its error would show as a camera that cannot connect
	if err := h.SetBroker(b.URL()); err != nil {
		return "", err
	}
	state := filepath.Join(dir, "state")
	c, err := identity.OpenCamera(filepath.Join(state, "identity"))
	if err != nil {
		return "", err
	}
	if err := h.AddCamera(c.ID(), "camera"); err != nil {
		return "", err
	}
	if err := h.Adopt(c); err != nil {
		return "", err
	}
	config := filepath.Join(dir, "sealcamd.toml")
	return config, os.WriteFile(config, fmt.Appendf(nil, "state = %q\n", state), 0o600)
}

// Set adds settings to a file of Household.
func Set(config, text string) error {
	f, err := os.OpenFile(config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Resident returns the resident memory of a process, now and at its peak, in MB.
func Resident(pid int) (now, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kb / 1024
		case "VmHWM":
			peak = kb / 1024
		}
	}
	if now == 0 {
		return 0, 0, errors.New("the system does not tell resident memory")
	}
	return now, peak, nil
}

// CPU returns the processor time that a process has taken, of the user and of the
// system on its behalf.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// proc(5): the name, in parentheses, may hold spaces; utime and stime are 12th and 13th after it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("the system does not tell processor time")
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ
}
