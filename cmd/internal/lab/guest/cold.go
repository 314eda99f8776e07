//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// cold starts a command, waits until a line that it writes to standard error holds
// a text, and ends it. It prints how long that took by the clock from before its exec,
// and how much processor time it and the kernel for it have used by its end, in
// milliseconds.
func cold(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) < 2 {
		return errors.New("expected a text, a command and its arguments")
	}
	cmd := exec.CommandContext(ctx, args[1], args[2:]...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	var took time.Duration
	said := ""
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if took == 0 && strings.Contains(lines.Text(), args[0]) {
			took = time.Since(began)
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
		}
		said = lines.Text()
	}
	err = cmd.Wait()
	if took == 0 {
		return fmt.Errorf("%s ended (%v) before it said %q; the last it said: %s", args[1], err, args[0], said)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	_, err = fmt.Fprintln(stdout, took.Milliseconds(), used.Milliseconds())
	return err
}
