//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// NewDisk makes an empty ext4 disk at path. Given to one guest after another
// as Guest.Disk it keeps what they wrote to /data, also over power cuts.
func NewDisk(ctx context.Context, path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if _, err := debian.Output(ctx, nil, "mkfs.ext4", "-q", "-F", path); err != nil {
		return fmt.Errorf("making a disk: %w", err)
	}
	return nil
}
