package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sealcam/sealcam/uplink/ota"
)

// SWUpdate is a board with SWUpdate (swupdate.org) and U-Boot's environment, in
// the scheme of U-Boot's boot counter: as long as upgrade_available is 1 each start
// counts bootcount up, and past bootlimit altbootcmd starts the other slot. A
// release is an .swu file; its sw-description chooses the slot and has U-Boot start
// it, so that here Write begins what elsewhere Activate does.
type SWUpdate struct {
	Runner
	// Args are handed to swupdate: "-k" and its key, "-H" and the hardware, "-e" and
	// the selection of software, as this board needs them.
	Args []string
	// Cmdline is the kernel's command line, "/proc/cmdline"; its root= says which
	// slot runs.
	Cmdline string
}

// Booted implements Backend. It returns the root device.
func (s SWUpdate) Booted(context.Context) (string, error) { return bootedRoot(s.Cmdline) }

// bootedRoot returns the root= of the kernel's command line at path.
func bootedRoot(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	root := ""
	for word := range strings.FieldsSeq(string(b)) {
		if dev, ok := strings.CutPrefix(word, "root="); ok {
			root = dev // the last counts, as it does for the kernel
		}
	}
	if root == "" {
		return "", fmt.Errorf("%s does not say which root file system runs (root=)", path)
	}
	return root, nil
}

// Write implements Backend.
func (s SWUpdate) Write(ctx context.Context, _ ota.Release, path string) error {
	_, err := s.run(ctx, installing, "swupdate", append([]string{"-i", path}, s.Args...)...)
	return err
}

// Activate implements Backend.
func (s SWUpdate) Activate(ctx context.Context) error { return s.count(ctx, "0", "1") }

// Good implements Backend.
func (s SWUpdate) Good(ctx context.Context) error { return s.count(ctx, "0", "0") }

// Bad implements Backend. No bootlimit is as high as this.
func (s SWUpdate) Bad(ctx context.Context) error { return s.count(ctx, "1000", "1") }

// count sets U-Boot's boot counter, and whether it counts.
func (s SWUpdate) count(ctx context.Context, bootcount, available string) error {
	_, err := s.run(ctx, asking, "fw_setenv", "bootcount", bootcount)
	_, err2 := s.run(ctx, asking, "fw_setenv", "upgrade_available", available)
	return errors.Join(err, err2)
}
