package identity

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileArchives(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1} }
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x", "a//b", ".ssh", "a/.x", "a\\b", "C:x", "con.", "a b", "a/b/c/d/e", "ü", strings.Repeat("a", 81)} {
		err := unpack(bytes.NewReader(tarOf(t, file(name))), func(archived) error { t.Errorf("%q is unpacked", name); return nil })
		if !errors.Is(err, ErrArchive) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for what, b := range map[string][]byte{
		"a link":      tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "roster", Linkname: "/etc/passwd"}),
		"a device":    tarOf(t, tar.Header{Typeflag: tar.TypeChar, Name: "roster"}),
		"a directory": tarOf(t, tar.Header{Typeflag: tar.TypeDir, Name: "viewers/"}),
		"twice":       tarOf(t, file("roster"), file("roster")),
		"a large one": tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "roster", Size: maxFile + 1}),
		"none":        []byte("roster"),
	} {
		if err := unpack(bytes.NewReader(b), func(archived) error { return nil }); !errors.Is(err, ErrArchive) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzUnpack: whatever an archive holds, only small files with harmless names
// come out of it.
func FuzzUnpack(f *testing.F) {
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeReg, Name: "viewers/desk/state", Size: 3}))
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeReg, Name: "../../etc/passwd", Size: 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := unpack(bytes.NewReader(b), func(a archived) error {
			if !filepath.IsLocal(filepath.FromSlash(a.name)) || len(a.data) > maxFile {
				t.Fatalf("%q with %d bytes", a.name, len(a.data))
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrArchive) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	})
}

// FuzzRecovery: whatever a recovery file holds, it is refused or it is whole.
func FuzzRecovery(f *testing.F) {
	h, err := CreateHousehold(filepath.Join(f.TempDir(), "home"), "mqtts://b", clockZero)
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	code, _ := seal.NewBackupCode(nil)
	if err := h.CreateRecovery(&b, code); err != nil {
		f.Fatal(err)
	}
	files := map[string][]byte{}
	if err := readArchive(&b, code, func(a archived) error { files[a.name] = a.data; return nil }); err != nil {
		f.Fatal(err)
	}
	f.Add(files[householdName], files[recoveryKeyFile], files[authorityKey], files[authorityCert], files[rosterFile])
	f.Fuzz(func(t *testing.T, about, key, caKey, caCert, roster []byte) {
		rec, err := parseRecovery(map[string][]byte{householdName: about, recoveryKeyFile: key, authorityKey: caKey, authorityCert: caCert, rosterFile: roster})
		if err == nil && (rec.roster.Household != rec.Household() || !owns(rec.roster, rec.key)) {
			t.Fatalf("%+v", rec)
		}
	})
}

// FuzzParseRequest: a camera's request is a stranger's text.
func FuzzParseRequest(f *testing.F) {
	c, err := OpenCamera(filepath.Join(f.TempDir(), "camera"))
	if err != nil {
		f.Fatal(err)
	}
	text, err := c.Request("1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := ParseRequest(text)
		if err != nil {
			if !errors.Is(err, ErrRequest) && seal.ReasonOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if _, err := requestKey(h.CSR); err != nil && len(h.CSR) > seal.MaxCSR {
			t.Fatal(err)
		}
	})
}

func clockZero() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }
