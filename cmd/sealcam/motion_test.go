package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// motionLines runs "sealcam motion" and returns its lines by kind.
func motionLines(t *testing.T, args ...string) (frames []motionFrame, events []motionEvent, judged []truthLine) {
	t.Helper()
	var out, complaints bytes.Buffer
	env := &cli.Env{Stdout: &out, Stderr: &complaints}
	if err := runMotion(t.Context(), env, args); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	for line := range strings.Lines(out.String()) {
		var err error
		switch {
		case strings.HasPrefix(line, `{"frame":`):
			frames = append(frames, motionFrame{})
			err = strict(line, &frames[len(frames)-1])
		case strings.HasPrefix(line, `{"event":`):
			events = append(events, motionEvent{})
			err = strict(line, &events[len(events)-1])
		default:
			judged = append(judged, truthLine{})
			err = strict(line, &judged[len(judged)-1])
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return frames, events, judged
}

func strict(line string, v any) error {
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// walkSpec has one visit, from about 3 s to 10 s.
const walkSpec = "scene:walk?size=640x360&seed=1&pixel=grey&for=16s"

func TestMotionOfAScene(t *testing.T) {
	frames, events, judged := motionLines(t, "--truth", "scene", walkSpec)
	if len(frames) != 160 || len(events) != 1 || len(judged) != 1 {
		t.Fatalf("%d frames, %d events, %d judgements", len(frames), len(events), len(judged))
	}
	moving := 0
	for i, f := range frames {
		if f.Frame != uint64(i) || f.T != float64(i)/10 || f.Score < 0 || f.Score > 1 || f.Boxes == nil {
			t.Fatalf("line %d: %+v", i, f)
		}
		if f.Moving {
			moving++
		}
		for _, b := range f.Boxes {
			if b[0] < 0 || b[1] < 0 || b[2] < 1 || b[3] < 1 || b[0]+b[2] > 640 || b[1]+b[3] > 360 {
				t.Fatalf("line %d: box %v outside of 640x360", i, b)
			}
		}
	}
	e := events[0]
	if moving < 40 || e.Event != 1 || !(e.Start < e.Peak && e.Peak < e.End && e.End < 16) {
		t.Errorf("%d frames move in event %+v", moving, e)
	}
	// The visit has five seconds, and whoever draws the line may put its edges into
	// the next one; how good the detector is, the table of capture/motion says.
	if j := judged[0]; j.Events != (truthCount{1, 0, 0, 1}) || j.Seconds.Miss > 1 || j.Seconds.Wrong > 1 || j.Seconds.Hit < 4 {
		t.Errorf("judged %+v", j)
	}
}

// TestMotionOfFiles plays the scene from files of each kind, and judges it by labels.
func TestMotionOfFiles(t *testing.T) {
	s, err := scene.New("walk?size=320x180&seed=1&for=13s", scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "frames"), 0o755); err != nil {
		t.Fatal(err)
	}
	var film []byte
	var f capture.Frame
	for s.Next(t.Context(), &f) == nil {
		film = append(film, f.Data...)
		name := filepath.Join(dir, "frames", string([]byte{'a' + byte(f.Seq/26), 'a' + byte(f.Seq%26)})+".jpg")
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	labels := filepath.Join(dir, "labels.csv")
	for name, content := range map[string][]byte{"walk.mjpeg": film, "labels.csv": []byte("start,end\n2.5,10\n20,30\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"walk.mjpeg", "frames"} {
		frames, events, judged := motionLines(t, "--rate", "10", "--truth", labels, filepath.Join(dir, name))
		if len(frames) != 130 || len(events) != 1 || len(judged) != 1 {
			t.Fatalf("%s: %d frames, %d events, %d judgements", name, len(frames), len(events), len(judged))
		}
		// The visit at 20 s is behind the film's end, and nobody could see it.
		if j := judged[0].Events; j.Hit != 1 || j.Miss != 0 || j.Wrong != 0 {
			t.Errorf("%s: judged %+v", name, judged[0])
		}
		frames, events, _ = motionLines(t, "--rate", "10", "--events", filepath.Join(dir, name))
		if len(frames) != 0 || len(events) != 1 {
			t.Errorf("%s --events: %d frames, %d events", name, len(frames), len(events))
		}
	}
}

func TestMotionCutsAnOpenEvent(t *testing.T) {
	frames, events, _ := motionLines(t, "--for", "6s", walkSpec)
	if len(frames) != 60 || len(events) != 1 || events[0].End != 5.9 {
		t.Errorf("%d frames, events %+v", len(frames), events)
	}
}

func TestMotionSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.csv")
	if err := os.WriteFile(bad, []byte("9,3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"one FILE":      {},
		"1 to 10":       {"--sensitivity", "11", "x"},
		"it is 1 to 10": {"--sensitivity", "0", "x"},
		"negative":      {"--for", "-1s", "x"},
		"no scene":      {"scene:wlak"},
		"only a scene":  {"--truth", "scene", "film.avi"},
		"line 1":        {"--truth", bad, walkSpec},
		"nowhere.csv":   {"--truth", filepath.Join(dir, "nowhere.csv"), walkSpec},
		"nowhere.avi":   {filepath.Join(dir, "nowhere.avi")},
	} {
		var out bytes.Buffer
		err := runMotion(t.Context(), &cli.Env{Stdout: &out, Stderr: &out}, args)
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%v: %v, want a word about %q; printed %q", args, err, want, out.String())
		}
	}
}
