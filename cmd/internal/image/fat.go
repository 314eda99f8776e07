//go:build linux

package image

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

// fat makes a FAT file system of size bytes at path, with files (by their name in
// it, of the host), all of time zero of FAT.
func fat(ctx context.Context, path, label, id string, size int64, files map[string]string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	if _, err := debian.Output(ctx, nil, "mkfs.vfat", "--invariant", "-n", label, "-i", id, "-C", path, fmt.Sprint(size>>10)); err != nil {
		return err
	}
	made := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if dir := filepath.Dir(name); !made[dir] {
			made[dir] = true
			if _, err := debian.Output(ctx, mtools(), "mmd", "-i", path, "::"+dir); err != nil {
				return err
			}
		}
		if _, err := debian.Output(ctx, mtools(), "mcopy", "-m", "-i", path, files[name], "::"+name); err != nil {
			return fmt.Errorf("%w\n(is %d MiB too small for it?)", err, size>>20)
		}
	}
	return nil
}

// epoch is the time of everything in an image: the first that FAT knows of, in UTC.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

func mtools() []string {
	return []string{"MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", "TZ=UTC", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch.Unix())}
}

// stage writes a file of time epoch and returns its path.
func stage(dir, name string, data []byte) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return "", err
	}
	return path, os.Chtimes(path, epoch, epoch)
}
