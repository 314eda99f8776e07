package mqtt

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The packet types that a broker may send to a client that publishes and
// subscribes with QoS 0 and 1 (MQTT 3.1.1, table 2.1).
const (
	connackType  = 2
	publishType  = 3
	pubackType   = 4
	subackType   = 9
	unsubackType = 11
	pingrespType = 13
)

// maxSkipped is the largest message that is read to its end only to be dropped,
// in bytes. One that is larger ends the connection.
const maxSkipped = 32 << 20

// reader reads the packets of a broker, and looks at type and length of each
// before paho can: what a broker may not send is a *violation. A message that is
// larger than max goes on without its payload. Else one such message that a
// broker keeps would end every connection of a client as soon as it had
// subscribed.
type reader struct {
	src  io.Reader
	max  int    // largest remaining length of a PUBLISH
	next []byte // read, and to be handed on
	left int    // bytes of the packet's body that src still has
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for len(r.next) == 0 && r.left == 0 {
		if err := r.packet(); err != nil {
			return 0, err
		}
	}
	if len(r.next) > 0 {
		n := copy(p, r.next)
		r.next = r.next[n:]
		return n, nil
	}
	n, err := r.src.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// packet reads the beginning of the next packet.
func (r *reader) packet() error {
	head := make([]byte, 1, 8)
	if _, err := io.ReadFull(r.src, head); err != nil {
		return err
	}
	head, length, err := r.length(head)
	if err != nil {
		return err
	}
	if err := judge(head[0], length, r.max); err != nil {
		return err
	}
	switch kind := head[0] >> 4; {
	case kind == connackType:
		return r.connack(head)
	case kind == publishType && length > r.max:
		return r.skip(head[0], length)
	}
	r.next, r.left = head, length
	return nil
}

// length reads a packet's remaining length, and appends its bytes to head.
func (r *reader) length(head []byte) (_ []byte, length int, err error) {
	var b [1]byte
	for shift := 0; shift < 28; shift += 7 {
		if _, err := io.ReadFull(r.src, b[:]); err != nil {
			return nil, 0, err
		}
		head = append(head, b[0])
		length |= int(b[0]&0x7f) << shift
		if b[0]&0x80 == 0 {
			return head, length, nil
		}
	}
	return nil, 0, &violation{"a packet's length field does not end"}
}

// connack reads the answer to the greeting: a return code past 5 has no meaning,
// and paho takes it for success.
func (r *reader) connack(head []byte) error {
	var body [2]byte
	if _, err := io.ReadFull(r.src, body[:]); err != nil {
		return err
	}
	if body[1] > 5 {
		return &violation{fmt.Sprintf("unknown answer %d to the greeting", body[1])}
	}
	r.next = append(head, body[:]...)
	return nil
}

// skip reads a PUBLISH that is too large, and keeps its topic, its packet
// identifier and nothing else of it (MQTT 3.1.1, 3.3).
func (r *reader) skip(kind byte, length int) error {
	body := make([]byte, 2)
	if _, err := io.ReadFull(r.src, body); err != nil {
		return err
	}
	keep := int(binary.BigEndian.Uint16(body))
	if kind>>1&3 > 0 {
		keep += 2 // packet identifier
	}
	if 2+keep > min(length, r.max) {
		return &violation{fmt.Sprintf("a message of %d bytes with a topic of %d", length, keep)}
	}
	body = append(body, make([]byte, keep)...)
	if _, err := io.ReadFull(r.src, body[2:]); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, r.src, int64(length-len(body))); err != nil {
		return err
	}
	r.next = appendLength([]byte{kind}, len(body))
	r.next = append(r.next, body...)
	return nil
}

// appendLength appends a remaining length (MQTT 3.1.1, 2.2.3).
func appendLength(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

// judge checks the first byte and the remaining length of a packet.
func judge(kind byte, length, max int) error {
	want := 2
	switch kind >> 4 {
	case publishType:
		if kind>>1&3 > 1 {
			return &violation{"a message with a quality of service that was not asked for"}
		}
		if length > max && length > maxSkipped {
			return &violation{fmt.Sprintf("a message of %d bytes; at most %d are taken", length, max)}
		}
		if length < 3 {
			return &violation{fmt.Sprintf("a message of %d bytes, which has no room for a topic", length)}
		}
		return nil
	case connackType, pubackType, unsubackType:
	case subackType:
		want = 3 // Subscribe asks for one filter at a time
	case pingrespType:
		want = 0
	default:
		return &violation{fmt.Sprintf("a packet of type %d, which a broker does not send", kind>>4)}
	}
	if length != want {
		return &violation{fmt.Sprintf("a packet of type %d with %d bytes instead of %d", kind>>4, length, want)}
	}
	return nil
}
