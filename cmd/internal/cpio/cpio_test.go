package cpio

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// readCPIO lists a newc archive as "mode path size" lines.
func readCPIO(t *testing.T, b []byte) []string {
	t.Helper()
	var lines []string
	for at := 0; ; {
		if len(b) < at+110 || string(b[at:at+6]) != "070701" {
			t.Fatalf("no header at %d of %d", at, len(b))
		}
		field := func(i int) int {
			n, err := strconv.ParseUint(string(b[at+6+8*i:at+14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		mode, size, nameLen := field(1), field(6), field(11)
		name := strings.TrimSuffix(string(b[at+110:at+110+nameLen]), "\x00")
		if name == "TRAILER!!!" {
			if end := (at + 110 + nameLen + 3) &^ 3; end != len(b) {
				t.Errorf("archive ends at %d of %d", end, len(b))
			}
			return lines
		}
		lines = append(lines, strconv.FormatInt(int64(mode), 8)+" "+name+" "+strconv.Itoa(size))
		at = (at + 110 + nameLen + 3) &^ 3
		at = (at + size + 3) &^ 3
	}
}

func TestWrite(t *testing.T) {
	host := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(host, []byte("12345"), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err := Write(&b, map[string]File{
		"/init":      {Host: host},
		"/etc/a/key": {Data: []byte("secret"), Mode: 0o600},
		"/etc/b":     {Mode: 0o644},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"40755 etc 0", "40755 etc/a 0", "100600 etc/a/key 6", "100644 etc/b 0", "100755 init 5"}
	if got := readCPIO(t, b.Bytes()); !slices.Equal(got, want) {
		t.Errorf("archive has\n%q, want\n%q", got, want)
	}
	for name, e := range map[string]File{"relative": {}, "/a/../b": {}, "/gone": {Host: host + "x"}, "/dir": {Host: filepath.Dir(host)}} {
		if err := Write(&b, map[string]File{name: e}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
