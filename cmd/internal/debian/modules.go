//go:build linux

package debian

import (
	"context"
	"strings"
)

// Modules returns the files of kernel modules, in the order in which they are
// loaded, so that every named one has what it depends on. What is built in is left
// out. dir holds lib/modules of the kernel release; depmod has been there.
func Modules(ctx context.Context, dir, release string, names ...string) ([]string, error) {
	var files []string
	seen := make(map[string]bool)
	for _, name := range names {
		text, err := Output(ctx, nil, "modprobe", "-d", dir, "-S", release, "--show-depends", name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "insmod" && !seen[f[1]] {
				seen[f[1]] = true
				files = append(files, f[1])
			}
		}
	}
	return files, nil
}
