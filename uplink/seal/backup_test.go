package seal_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
)

func backup(t testing.TB, code, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := seal.WriteBackup(&b, code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readBackup(b []byte, code string) (string, error) {
	r, err := seal.ReadBackup(bytes.NewReader(b), code)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

func TestBackup(t *testing.T) {
	code, err := seal.NewBackupCode(nil)
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := seal.NewBackupCode(nil); len(code) != 29 || other == code {
		t.Errorf("codes %q and %q", code, other)
	}
	long := strings.Repeat("a household ", 20_000)
	file := backup(t, code, long)
	if !bytes.HasPrefix(file, []byte("-----BEGIN AGE ENCRYPTED FILE-----\n")) || bytes.Contains(file, []byte("household")) {
		t.Error("not an armored age file")
	}
	for _, said := range []string{code, strings.ToUpper(code), strings.ReplaceAll(code, "-", " "), " " + strings.ReplaceAll(code, "-", "") + "\r\n"} {
		if got, err := readBackup(file, said); err != nil || got != long {
			t.Errorf("with %q: %d bytes, %v", said, len(got), err)
		}
	}
	wrong, _ := seal.NewBackupCode(nil)
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"another code": {file, wrong}, "no code": {file, ""}, "half a code": {file, code[:14]}, "a word": {file, "correct horse battery staple xx"},
		"cut": {file[:len(file)/2], code}, "nothing": {nil, code}, "something else": {[]byte("owner.key"), code},
	} {
		if _, err := readBackup(c.file, c.code); !errors.Is(err, seal.ErrBackup) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := 0; i < len(file); i += 49_999 {
		bad := bytes.Clone(file)
		bad[i] ^= 1
		if got, err := readBackup(bad, code); err == nil {
			t.Fatalf("byte %d changed: %d bytes", i, len(got))
		}
	}
}

// FuzzBackup: what is not a backup is refused, without much work.
func FuzzBackup(f *testing.F) {
	const code = "aaaaa-bbbbb-ccccc-ddddd-eeeee"
	f.Add(backup(f, code, "text"), code)
	f.Add([]byte("-----BEGIN AGE ENCRYPTED FILE-----\n"), "AAAAABBBBBCCCCCDDDDDEEEEE")
	f.Fuzz(func(t *testing.T, file []byte, said string) {
		text, err := readBackup(file, said)
		if err != nil && !errors.Is(err, seal.ErrBackup) {
			t.Fatal(err)
		}
		if err == nil && text != "text" {
			t.Fatalf("read %q", text)
		}
	})
}
