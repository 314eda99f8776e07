//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"
)

// monitor speaks QMP, QEMU's machine protocol, over an accepted connection.
type monitor struct {
	mu   sync.Mutex
	conn net.Conn
	dec  *json.Decoder
}

// newMonitor reads the greeting and leaves QMP's negotiation mode.
func newMonitor(conn net.Conn) (*monitor, error) {
	m := &monitor{conn: conn, dec: json.NewDecoder(conn)}
	var greeting struct{ QMP json.RawMessage }
	if err := m.dec.Decode(&greeting); err != nil {
		return nil, fmt.Errorf("QEMU's monitor: %w", err)
	}
	_, err := m.do("qmp_capabilities", nil)
	return m, err
}

// do runs one command and returns its result. Events in between are of no
// interest.
func (m *monitor) do(name string, args any) (json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	request := struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{name, args}
	if err := json.NewEncoder(m.conn).Encode(request); err != nil {
		return nil, fmt.Errorf("QEMU's monitor: %w", err)
	}
	for {
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := m.dec.Decode(&answer); err != nil {
			return nil, fmt.Errorf("QEMU's monitor: %w", err)
		}
		switch {
		case answer.Error != nil:
			return nil, fmt.Errorf("QEMU's monitor: %s: %s", name, answer.Error.Desc)
		case answer.Return != nil:
			return answer.Return, nil
		}
	}
}
