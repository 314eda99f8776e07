package page

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is the opener for browsers: uplink/seal compiled to WebAssembly, and
// the script of the same Go toolchain that starts it. The two must be of one
// toolchain, so they are only ever made and handed on together.
type Module struct {
	Wasm []byte // gzip
	Glue []byte // wasm_exec.js
}

const wasmPackage = "github.com/sealcam/sealcam/cmd/internal/page/wasm"

// The names of a Module's two files, in a folder of their own.
const (
	wasmFile = "seal.wasm.gz"
	glueFile = "wasm_exec.js"
)

// LoadModule returns the Module that was embedded when this program was built
// (make build does that), else it builds one from the source tree around the
// current folder, as happens under go run.
func LoadModule(ctx context.Context) (*Module, error) {
	if m := embedded(); m != nil {
		return m, nil
	}
	return BuildModule(ctx)
}

// BuildModule compiles the opener with the go command, or takes it from the
// user's cache folder if nothing that goes into it has changed since.
func BuildModule(ctx context.Context) (*Module, error) {
	key, err := sourceKey(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("build the opener for the browser: %w", err)
	}
	dir := filepath.Join(cache, "sealcam", "opener", key)
	if m, err := ReadModule(dir); err == nil {
		return m, nil
	}
	m, err := compile(ctx)
	if err != nil {
		return nil, err
	}
	// A cache that cannot be written costs time at the next start, no more.
	_ = m.Write(dir)
	return m, nil
}

// ReadModule reads what Write wrote.
func ReadModule(dir string) (*Module, error) {
	wasm, err := os.ReadFile(filepath.Join(dir, wasmFile))
	if err != nil {
		return nil, err
	}
	glue, err := os.ReadFile(filepath.Join(dir, glueFile))
	if err != nil {
		return nil, err
	}
	return &Module{Wasm: wasm, Glue: glue}, nil
}

// Write puts the module's two files into dir, each one whole or not at all.
func (m *Module) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{glueFile: m.Glue, wasmFile: m.Wasm} {
		f, err := os.CreateTemp(dir, "."+name)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
			err = os.Rename(f.Name(), filepath.Join(dir, name))
		}
		if err != nil {
			os.Remove(f.Name())
			return err
		}
	}
	return nil
}

// sourceKey hashes everything that decides what the compiled opener is: the
// toolchain, our own files it is made of, and the versions of the modules.
func sourceKey(ctx context.Context) (string, error) {
	// One line a package: its folder and files if it is ours, else its module.
	const each = `{{if .Standard}}{{else if .Module.Main}}{{.Dir}}{{range .GoFiles}}|{{.}}{{end}}{{range .EmbedFiles}}|{{.}}{{end}}
{{else}}={{.ImportPath}}@{{.Module.Version}}
{{end}}`
	list, err := goCommand(ctx, "list", "-deps", "-f", each, wasmPackage)
	if err != nil {
		return "", err
	}
	version, err := goCommand(ctx, "env", "GOVERSION", "GOWASM")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(version)
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		io.WriteString(sum, line+"\n")
		if line == "" || line[0] == '=' {
			continue
		}
		parts := strings.Split(line, "|")
		for _, name := range parts[1:] {
			data, err := os.ReadFile(filepath.Join(parts[0], name))
			if err != nil {
				return "", fmt.Errorf("build the opener for the browser: %w", err)
			}
			fmt.Fprintf(sum, "%s %d\n", name, len(data))
			sum.Write(data)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func compile(ctx context.Context) (*Module, error) {
	dir, err := os.MkdirTemp("", "sealcam-opener-")
	if err != nil {
		return nil, fmt.Errorf("build the opener for the browser: %w", err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "seal.wasm")
	if _, err := goCommand(ctx, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, wasmPackage); err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("build the opener for the browser: %w", err)
	}
	root, err := goCommand(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	glue, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", glueFile))
	if err != nil {
		return nil, fmt.Errorf("build the opener for the browser: this Go toolchain lacks its script for WebAssembly: %w", err)
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, 7)
	if err != nil {
		return nil, err
	}
	z.Write(wasm)
	if err := z.Close(); err != nil {
		return nil, err
	}
	return &Module{Wasm: packed.Bytes(), Glue: glue}, nil
}

// moduleError tells what is missing for the opener, and what to do.
type moduleError struct {
	msg, hint string
	err       error
}

func (e *moduleError) Error() string { return "build the opener for the browser: " + e.msg }
func (e *moduleError) Hint() string  { return e.hint }
func (e *moduleError) Unwrap() error { return e.err }

// goCommand runs the go command for the browser's platform and returns what it printed.
func goCommand(ctx context.Context, args ...string) ([]byte, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, &moduleError{"this sealcam was built without it, and there is no go command here", "build sealcam with `make build`, which embeds it, or install Go", err}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		last := strings.TrimSpace(stderr.String())
		if len(last) > 2000 {
			last = last[len(last)-2000:]
		}
		return nil, &moduleError{fmt.Sprintf("go %s: %v\n%s", args[0], err, last), "run sealcam from its source tree, or build it with `make build`, which embeds the opener", err}
	}
	return out, nil
}
