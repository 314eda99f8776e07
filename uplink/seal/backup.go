package seal

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// A backup is what a household keeps in case it loses everything else: an armored
// age file under a code. The code is made, never chosen: it has 125 bits of
// randomness, so that no guessing helps whoever finds the file, and scrypt need
// not be slow. Any age program opens a backup with it.
const (
	codeGroups, codeGroup = 5, 5
	codeWork              = 14 // log2 of scrypt's cost: 16 MiB and some 50 ms
	maxCodeWork           = 18 // of a file that is read
)

// ErrBackup says that a file is no backup, is damaged, or has another code.
var ErrBackup = errors.New("not a backup, or not its code")

// NewBackupCode makes a code: five groups of five letters and digits, to be
// written down. random may be nil for crypto/rand.
func NewBackupCode(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	raw := make([]byte, codeGroups*codeGroup)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("seal: no randomness for a code: %w", err)
	}
	var code strings.Builder
	for i, b := range raw {
		if i > 0 && i%codeGroup == 0 {
			code.WriteByte('-')
		}
		code.WriteByte("abcdefghijklmnopqrstuvwxyz234567"[b&31])
	}
	return code.String(), nil
}

// WriteBackup returns where to write what is to be encrypted under code. The
// backup is complete when it has been closed.
func WriteBackup(w io.Writer, code string) (io.WriteCloser, error) {
	plain, err := plainCode(code)
	if err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(plain)
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(codeWork)
	armored := armor.NewWriter(w)
	body, err := age.Encrypt(armored, to)
	if err != nil {
		return nil, err
	}
	return &backupWriter{body, armored}, nil
}

type backupWriter struct{ body, armored io.WriteCloser }

func (b *backupWriter) Write(p []byte) (int, error) { return b.body.Write(p) }

func (b *backupWriter) Close() error { return errors.Join(b.body.Close(), b.armored.Close()) }

// ReadBackup returns what a backup holds; the caller bounds how much of it is
// read. What has been read is genuine, and all of it is there only if the end
// comes as io.EOF. An error, also of reading, is ErrBackup.
func ReadBackup(r io.Reader, code string) (io.Reader, error) {
	plain, err := plainCode(code)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(plain)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(maxCodeWork)
	body, err := age.Decrypt(armor.NewReader(bufio.NewReader(r)), id)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", ErrBackup, printable(err.Error()))
	}
	return backupReader{body}, nil
}

type backupReader struct{ io.Reader }

func (b backupReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w (%s)", ErrBackup, printable(err.Error()))
	}
	return n, err
}

// plainCode returns code as it was made: people write capitals, spaces, and no
// dashes.
func plainCode(code string) (string, error) {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-' || r == '\t' || r == '\r' || r == '\n':
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, code)
	if len(plain) != codeGroups*codeGroup || strings.Trim(plain, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", fmt.Errorf("%w: a code has %d groups of %d letters and digits 2 to 7", ErrBackup, codeGroups, codeGroup)
	}
	var dashed []string
	for i := 0; i < len(plain); i += codeGroup {
		dashed = append(dashed, plain[i:i+codeGroup])
	}
	return strings.Join(dashed, "-"), nil
}
