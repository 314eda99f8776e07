//go:build !linux

package pins

import (
	"errors"
	"log/slog"
)

// System says that pins need Linux.
func System(*slog.Logger) (Host, error) {
	return nil, errors.New("pins can be driven on Linux only")
}
