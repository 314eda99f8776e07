package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
)

// Sectors is where an environment of U-Boot is stored: a device or file.
type Sectors interface {
	io.ReaderAt
	io.WriterAt
	// Sync returns when what was written survives a power cut.
	Sync() error
}

// EnvSize is how many bytes a copy of the environment has: one sector, which a
// disk writes whole or not at all.
const EnvSize = 512

// envCopies are the places of the two copies, in bytes.
var envCopies = [2]int64{0, 64 << 10}

// errEnv says that a copy is none.
var errEnv = errors.New("no environment of U-Boot")

// parseEnv reads one copy, in U-Boot's format without redundancy of its own:
// CRC-32 of what follows, little endian, then name=value strings, each ended by a
// zero byte, and an empty one.
func parseEnv(b []byte) (map[string]string, error) {
	if len(b) != EnvSize || binary.LittleEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:]) {
		return nil, errEnv
	}
	env := map[string]string{}
	for rest := b[4:]; ; {
		line, after, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return nil, errEnv
		}
		if len(line) == 0 {
			return env, nil
		}
		name, value, ok := strings.Cut(string(line), "=")
		if !ok || name == "" {
			return nil, errEnv
		}
		env[name], rest = value, after
	}
}

// sum puts the checksum of a copy in its place.
func sum(b []byte) { binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:])) }

// formatEnv is the inverse of parseEnv.
func formatEnv(env map[string]string) ([]byte, error) {
	b := make([]byte, 4, EnvSize)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(env[name], "\x00") {
			return nil, fmt.Errorf("%q cannot be a variable of U-Boot", name)
		}
		b = append(append(b, name+"="+env[name]...), 0)
	}
	if len(b)+1 > EnvSize {
		return nil, fmt.Errorf("U-Boot's environment has no room for %d bytes", len(b)-4)
	}
	b = append(b, make([]byte, EnvSize-len(b))...)
	sum(b)
	return b, nil
}

// readEnv returns the first copy that is good. The boot script does the same.
func readEnv(s Sectors) (map[string]string, error) {
	var errs error
	for _, at := range envCopies {
		b := make([]byte, EnvSize)
		_, err := s.ReadAt(b, at)
		if err == nil || errors.Is(err, io.EOF) {
			var env map[string]string
			if env, err = parseEnv(b); err == nil {
				return env, nil
			}
		}
		errs = errors.Join(errs, err)
	}
	return nil, errs
}

// writeEnv makes env the environment: after a power cut at any moment it is the one
// before or this one. The second copy is made to say what is true now, before the
// first is touched.
func writeEnv(s Sectors, env map[string]string) error {
	next, err := formatEnv(env)
	if err != nil {
		return err
	}
	if now, err := readEnv(s); err == nil {
		b, err := formatEnv(now)
		if err != nil {
			return err
		}
		if err := writeCopy(s, 1, b); err != nil {
			return err
		}
	}
	if err := writeCopy(s, 0, next); err != nil {
		return err
	}
	return writeCopy(s, 1, next)
}

func writeCopy(s Sectors, n int, b []byte) error {
	if _, err := s.WriteAt(b, envCopies[n]); err != nil {
		return err
	}
	return s.Sync()
}
