//go:build linux

package image

import (
	"encoding/binary"
	"hash/crc32"
)

// script wraps U-Boot commands as its source command wants them: a legacy image
// (include/image.h, 64 bytes, big endian) of type script, whose data is the length
// of the text, a zero and the text. Its time is zero.
func script(name, text string) []byte {
	const (
		magic      = 0x27051956
		linux      = 5
		arm64      = 22
		typeScript = 6
	)
	data := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	data = append(append(data, 0, 0, 0, 0), text...)
	head := make([]byte, 64)
	binary.BigEndian.PutUint32(head[0:], magic)
	binary.BigEndian.PutUint32(head[12:], uint32(len(data)))
	binary.BigEndian.PutUint32(head[24:], crc32.ChecksumIEEE(data))
	head[28], head[29], head[30] = linux, arm64, typeScript
	copy(head[32:63], name)
	binary.BigEndian.PutUint32(head[4:], crc32.ChecksumIEEE(head))
	return append(head, data...)
}

// EnvSize is the length of one copy of the environment, in bytes; EnvCopy is where
// in the partition the second one is.
const (
	EnvSize = 512
	EnvCopy = 64 << 10
)

// Env returns one copy of a U-Boot environment, the first of whose variables are
// "name=value": its CRC-32, little endian, then each with a zero, and zeros.
func Env(variables ...string) []byte {
	b := make([]byte, EnvSize)
	at := b[4:4]
	for _, v := range variables {
		at = append(append(at, v...), 0)
	}
	binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return b
}
