//go:build linux

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/cmd/internal/debian"
)

const modulePath = "github.com/sealcam/sealcam/"

// Build builds a command of this module ("cmd/sealcamd") for a board, as it
// would be flashed, and returns the path of the executable. What has not
// changed is not linked again. The go command must be on the PATH and the
// working directory inside the module.
func Build(ctx context.Context, arch Arch, pkg string) (string, error) {
	sp, err := arch.spec()
	if err != nil {
		return "", err
	}
	return build(ctx, sp.goEnv, string(arch), pkg)
}

// build builds a command with additional environment, for a place called name.
func build(ctx context.Context, env []string, name, pkg string) (string, error) {
	cache, err := debian.CacheDir()
	if err != nil {
		return "", err
	}
	mod, err := debian.Output(ctx, nil, "go", "env", "GOMOD")
	if err != nil {
		return "", err
	}
	// Two checkouts may share a cache, so executables are kept by checkout.
	sum := sha256.Sum256([]byte(strings.TrimSpace(mod)))
	out := filepath.Join(cache, "bin-"+hex.EncodeToString(sum[:4]), name, path.Base(pkg))
	unlock, err := debian.Lock(cache)
	if err != nil {
		return "", err
	}
	defer unlock()
	env = append([]string{"CGO_ENABLED=0"}, env...)
	if _, err := debian.Output(ctx, env, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, modulePath+pkg); err != nil {
		return "", fmt.Errorf("building %s for %s: %w", pkg, name, err)
	}
	return out, nil
}
