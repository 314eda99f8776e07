package naming

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/capture/model/modeltest"
	"github.com/sealcam/sealcam/encode"
)

// write makes a file and returns its path.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(s Settings) (*Namer, error) { return New(s, time.Now, slog.New(slog.DiscardHandler)) }

// grey is a JPEG of nothing.
func grey(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A model that cannot be run is refused before the camera runs, by what is wrong.
func TestBadModelIsRefused(t *testing.T) {
	file := modeltest.Says(1, 3)
	for name, tc := range map[string]struct {
		file   []byte
		labels string
		only   []string
		want   string
	}{
		"no model":       {[]byte("#!/bin/sh"), "a\nb\nc\n", nil, "no TensorFlow Lite model"},
		"cut":            {file[:len(file)/2], "a\nb\nc\n", nil, "damaged"},
		"too few labels": {file, "a\n", nil, "1 labels for the model's 3 classes"},
		"no labels":      {file, "", nil, "the model has 3 classes and brings no labels"},
		"bad label":      {file, "a\nb=c\nd\n", nil, "line 2: a label with the character"},
		"unknown only":   {file, "a\nb\nc\n", []string{"dog"}, `"dog" is no label of the model; it has a, b, c`},
	} {
		s := Defaults()
		s.File, s.Only = write(t, "m.tflite", tc.file), tc.only
		if tc.labels != "" {
			s.Labels = write(t, "labels.txt", []byte(tc.labels))
		}
		if _, err := open(s); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	if _, err := open(Settings{File: filepath.Join(t.TempDir(), "nowhere.tflite")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// The model in the file names things while the detector does not answer.
func TestModelStandsInForTheDetector(t *testing.T) {
	s := Defaults()
	s.File, s.Labels = write(t, "m.tflite", modeltest.Says(2, 3)), write(t, "labels.txt", []byte("background\nperson\ncat\n"))
	s.Socket = filepath.Join(t.TempDir(), "nobody")
	s.Only = []string{"cat"}
	n, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	a, err := n.Look(t.Context(), grey(t), []model.Area{{X: 0.1, Y: 0.1, W: 0.2, H: 0.5}, {X: 0.12, Y: 0.1, W: 0.2, H: 0.5}, {X: 0.7, Y: 0.7, W: 0.1, H: 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	// The first two boxes are one cat.
	if len(a.Things) != 2 || a.Things[0].Name != "cat" || a.Things[0].X != 0.1 || a.Things[1].X != 0.7 || a.Model == ([32]byte{}) || !n.Wanted(a.Things) {
		t.Errorf("%+v", a)
	}
	if n.Wanted([]encode.Thing{{Name: "person", Score: 1}}) || n.Wanted(nil) {
		t.Error("a person, or nothing, is wanted by who wants cats")
	}
	if w := n.Words(); !strings.Contains(w, s.Socket) || !strings.Contains(w, "m.tflite") {
		t.Errorf("said to name things: %q", w)
	}
}

// What is no picture, or takes too long, is an error and no answer.
func TestLookFails(t *testing.T) {
	s := Defaults()
	s.File, s.Labels = write(t, "m.tflite", modeltest.Says(0, 2)), write(t, "labels.txt", []byte("a\nb\n"))
	n, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := n.Look(t.Context(), []byte("no picture"), nil); err == nil {
		t.Errorf("%+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := n.Look(ctx, grey(t), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", a, err)
	}
}
