package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture/model/modeltest"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// modelFiles writes a model that takes everything for a cat, and labels.
func modelFiles(t *testing.T) (file, labels string) {
	t.Helper()
	dir := t.TempDir()
	file, labels = filepath.Join(dir, "cats.tflite"), filepath.Join(dir, "labels.txt")
	if err := os.WriteFile(file, modeltest.Says(1, 3), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(labels, []byte("person\ncat\nvehicle\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, labels
}

func TestModelSaysWhatItTakes(t *testing.T) {
	file, labels := modelFiles(t)
	var out bytes.Buffer
	if err := runModel(t.Context(), &cli.Env{Stdout: &out, Stderr: &out}, []string{"--labels", labels, file}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^model +.*cats\.tflite$`, `(?m)^sha256 +[0-9a-f]{64}$`, `(?m)^kind +classifier of 3 classes$`, `(?m)^labels +person, cat, vehicle$`,
		`(?m)^input +8x8 grey, float32$`, `(?m)^memory +[0-9.]+ MiB$`, `(?m)^one look +0\.00 million multiply-adds, [0-9.]+ ms on this machine$`,
		`(?m)^MEAN +1 *$`, `(?m)^FULLY_CONNECTED +1 +3$`, `(?m)^SOFTMAX +1 *$`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%s is not in\n%s", want, out.String())
		}
	}
}

func TestModelRefuses(t *testing.T) {
	file, labels := modelFiles(t)
	f := modeltest.New(1)
	in := f.Input(modeltest.Float32, []int{1, 8, 8, 3}, modeltest.Quant{})
	strange := filepath.Join(t.TempDir(), "strange.tflite")
	if err := os.WriteFile(strange, f.Bytes(f.Op(16, nil, modeltest.Float32, []int{1, 8, 8, 3}, modeltest.Quant{}, in)), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"one FILE":                            {},
		"nowhere.tflite":                      {"nowhere.tflite"},
		"no TensorFlow Lite model":            {labels},
		"operator 0: LSTM is not supported":   {strange},
		"3 classes and brings no labels":      {file},
		"a label with the character":          {"--labels", labelFile(t, "a=b\n"), file},
		"nowhere.txt: no such file":           {"--labels", "nowhere.txt", file},
		"1 labels for the model's 3 classes":  {"--labels", labelFile(t, "cat\n"), file},
		"flag provided but not defined: -far": {"-far", file},
	} {
		var out bytes.Buffer
		err := runModel(t.Context(), &cli.Env{Stdout: &out, Stderr: &out}, args)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want a word about %q", args, err, want)
		}
	}
}

func labelFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "labels.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each event of a film says what a model recognised, and where.
func TestMotionNamesThings(t *testing.T) {
	file, labels := modelFiles(t)
	_, events, _ := motionLines(t, "--events", "--model", file, "--labels", labels, walkSpec)
	if len(events) == 0 {
		t.Fatal("no event")
	}
	for _, e := range events {
		if len(e.Things) != 1 || e.Things[0].Label != "cat" || e.Things[0].Score < 0.9 {
			t.Fatalf("%+v", e.Things)
		}
		for i, v := range e.Things[0].Box {
			if d := v - e.Box[i]; d < -2 || d > 2 { // of 640 pixels
				t.Errorf("the thing is at %v, the event at %v", e.Things[0].Box, e.Box)
			}
		}
	}
	var out bytes.Buffer
	if err := runMotion(t.Context(), &cli.Env{Stdout: &out, Stderr: &out}, []string{"--labels", labels, walkSpec}); err == nil || !strings.Contains(err.Error(), "--model") {
		t.Errorf("labels without a model: %v", err)
	}
}
