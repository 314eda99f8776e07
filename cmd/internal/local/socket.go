package local

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
)

const (
	socketName = "status.sock"
	runtimeDir = "/run/sealcam"
	usualState = "/var/lib/sealcam"
)

// Sockets returns where the camera of a state directory may have its socket, the
// best place first: the runtime directory, for the usual camera of a machine, and
// the state directory, for others and where there is no /run.
func Sockets(state string) []string {
	own := filepath.Join(state, socketName)
	if filepath.Clean(state) == usualState {
		return []string{filepath.Join(runtimeDir, socketName), own}
	}
	return []string{own}
}

// Listen makes the socket at the first of paths where that can be done. Who holds
// the camera's state directory alone may call it: what an agent that is gone has left
// is replaced. The camera's user and group may connect.
func Listen(paths []string) (net.Listener, error) {
	var all error
	for _, path := range paths {
		l, err := listenAt(path)
		if err == nil {
			return l, nil
		}
		all = errors.Join(all, err)
	}
	return nil, all
}

func listenAt(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	switch st, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case st.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s: there is something else than a socket", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Loopback says what is wrong with an address to give figures at, nil for nothing:
// it has to be a loopback address in figures and a port, as in 127.0.0.1:9464. A
// name is none, because what it means may change.
func Loopback(address string) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().Unmap().IsLoopback() || a.Addr().Zone() != "" || a.Port() == 0 {
		return fmt.Errorf(`expected a loopback address and a port, such as "127.0.0.1:9464" or "[::1]:9464", or nothing, found %q`, address)
	}
	return nil
}
