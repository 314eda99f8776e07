package v4l2

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// What reach_linux.go finds by reflection is pinned to this version. Whoever
// raises it reads the new source first: fields, what StartStreaming leaves behind,
// and the text of its errors.
func TestWebcamIsTheVersionThatWasRead(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\tgithub.com/blackjack/webcam v0.6.1") {
		t.Error("go.mod has another webcam; reach_linux.go was written for v0.6.1")
	}
	typ := reflect.TypeFor[webcam.Webcam]()
	for name, want := range map[string]string{"fd": "uintptr", "buffers": "[][]uint8", "streaming": "bool"} {
		f, ok := typ.FieldByName(name)
		if !ok || f.Type.String() != want {
			t.Errorf("field %s is %v, want %s", name, f.Type, want)
		}
	}
}

func TestReachIntoAClosedWebcam(t *testing.T) {
	var w webcam.Webcam
	if fd, err := descriptor(&w); err != nil || fd != 0 {
		t.Errorf("descriptor %d, %v", fd, err)
	}
	if m, err := mappings(&w); err != nil || len(m) != 0 {
		t.Errorf("mappings %v, %v", m, err)
	}
}

// A webcam that was never opened has descriptor 0, which is no camera: the
// error's text is webcam's own and the errno is found in it.
func TestStartFindsTheErrno(t *testing.T) {
	var w webcam.Webcam
	err := start(&w)
	var errno unix.Errno
	if !errors.As(err, &errno) || !strings.HasPrefix(err.Error(), "Failed to map request buffers: ") {
		t.Errorf("%v carries no errno", err)
	}
	if err := withErrno(errors.New("Failed to start streaming: " + unix.ENOSPC.Error())); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("%v is not ENOSPC", err)
	}
	if err := withErrno(errors.New("odd")); err.Error() != "odd" {
		t.Error(err)
	}
}
