package album

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// TestAlbumNames: whatever a camera says, a name stays a name.
func TestAlbumNames(t *testing.T) {
	taken := time.Date(2026, 5, 4, 3, 2, 1, 7e6, time.UTC)
	for _, c := range []struct {
		meta seal.Meta
		want string
	}{
		{seal.Meta{Stream: seal.Durable, Seq: 17, Clock: seal.ClockNTP, Taken: taken}, "20260504T030201.007Z-durable-0000000017"},
		{seal.Meta{Stream: seal.Live, Seq: 1<<53 - 1, Clock: seal.ClockRTC, Taken: taken}, "20260504T030201.007Z-live-9007199254740991"},
		{seal.Meta{Stream: seal.Durable, Seq: 1, Clock: seal.ClockNone, Boot: [16]byte{0xab, 0xcd, 1, 2, 3}}, "boot-abcd0102-durable-0000000001"},
		{seal.Meta{Stream: seal.Will, Clock: seal.ClockNTP, Kind: "../../x"}, "boot-00000000-will-0000000000"},
	} {
		if got := Name(c.meta); got != c.want || filepath.Base(got) != got {
			t.Errorf("%+v is named %s, want %s", c.meta, got, c.want)
		}
	}
	for media, want := range map[string]string{"image/jpeg": ".jpg", "video/mp4": ".mp4", "text/html": ".bin", "../../x": ".bin", "": ".bin"} {
		if got := Ending(media); got != want {
			t.Errorf("%q is stored as %s, want %s", media, got, want)
		}
	}
}

// TestAlbumIsNotLedOut: a link that was put in its place leads nowhere.
func TestAlbumIsNotLedOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := os.Symlink(outside, filepath.Join(dir, "camera")); err != nil {
		t.Fatal(err)
	}
	if err := a.write("camera/x.jpg", []byte("x")); err == nil {
		t.Error("written through a link")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("outside there is %v", left)
	}
}
