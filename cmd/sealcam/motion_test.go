package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/capturetest"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// motionLines runs "sealcam motion" and returns its lines by kind.
func motionLines(t *testing.T, args ...string) (frames []motionFrame, events []motionEvent, judged []truthLine) {
	t.Helper()
	frames, events, judged, _, _ = motionLinesAll(t, args...)
	return frames, events, judged
}

// motionLinesAll also returns what was not raised, and what was told on standard error.
func motionLinesAll(t *testing.T, args ...string) (frames []motionFrame, events []motionEvent, judged []truthLine, refused []motionRefusal, told string) {
	t.Helper()
	var out, complaints bytes.Buffer
	env := &cli.Env{Stdout: &out, Stderr: &complaints}
	if err := runMotion(t.Context(), env, args); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	for line := range strings.Lines(out.String()) {
		var err error
		switch {
		case strings.HasPrefix(line, `{"refused":`):
			refused = append(refused, motionRefusal{})
			err = strict(line, &refused[len(refused)-1])
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
	return frames, events, judged, refused, complaints.String()
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
	if b := e.Box; b[2] < 8 || b[3] < 30 || b[0]+b[2] > 640 || b[1]+b[3] > 360 || e.Score <= 0 || e.Score > 1 || len(e.Track) < 8 {
		t.Errorf("event %+v", e)
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
	var single [][]byte
	var f capture.Frame
	for s.Next(t.Context(), &f) == nil {
		single = append(single, bytes.Clone(f.Data))
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
	convert(t, filepath.Join(dir, "frames"), filepath.Join(dir, "png"), ".png", (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode)
	convert(t, filepath.Join(dir, "frames"), filepath.Join(dir, "bmp"), ".bmp", bmp)
	if err := os.WriteFile(filepath.Join(dir, "walk.avi"), capturetest.AVI(320, 180, 10, single...), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"walk.mjpeg", "walk.avi", "frames", "png", "bmp"} {
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

// convert decodes the JPEGs of a directory into another one.
func convert(t *testing.T, from, to, ext string, encode func(io.Writer, image.Image) error) {
	t.Helper()
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(from, "*.jpg"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%v: %d files", err, len(names))
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := encode(&out, m); err != nil {
			t.Fatal(err)
		}
		name = filepath.Join(to, strings.TrimSuffix(filepath.Base(name), ".jpg")+ext)
		if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// bmp writes an uncompressed bitmap of 24 bits, bottom row first.
func bmp(w io.Writer, m image.Image) error {
	width, height := m.Bounds().Dx(), m.Bounds().Dy()
	row := (3*width + 3) &^ 3
	b := make([]byte, 54+row*height)
	copy(b, "BM")
	for at, v := range map[int]int{2: len(b), 10: 54, 14: 40, 18: width, 22: height, 26: 1 | 24<<16, 34: row * height} {
		binary.LittleEndian.PutUint32(b[at:], uint32(v))
	}
	for y := range height {
		for x := range width {
			r, g, bl, _ := m.At(x, height-1-y).RGBA()
			copy(b[54+y*row+3*x:], []byte{byte(bl >> 8), byte(g >> 8), byte(r >> 8)})
		}
	}
	_, err := w.Write(b)
	return err
}

func TestMotionOfZones(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "sealcamd.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const lawn = "[[motion.zone]]\nname = \"lawn\"\narea = [[0, 500], [1000, 500], [1000, 1000], [0, 1000]]\n"
	write(lawn)
	_, events, _, refused, told := motionLinesAll(t, "-v", "--settings", settings, walkSpec)
	if len(events) != 1 || events[0].Zone != "lawn" || strings.Contains(told, "outside") {
		t.Errorf("%+v; %s", events, told)
	}
	for _, p := range events[0].Track {
		if p[0] < events[0].Start || p[0] > events[0].End || p[2] < 500 {
			t.Errorf("feet at %v", p)
		}
	}
	for _, r := range refused {
		if r.Refused == "" || r.T <= 0 || r.Box[2] < 1 {
			t.Errorf("refused %+v", r)
		}
	}
	write(lawn + "hours = [\"22:00-06:00\"]\n")
	for clock, want := range map[string]int{"": 1, "23:59": 1, "12:00": 0} {
		_, events, _, refused, told := motionLinesAll(t, "-v", "--events", "--settings", settings, "--clock", clock, walkSpec)
		if len(events) != want || (want == 0) != strings.Contains(told, "hours 1") {
			t.Errorf("at %q: %d events, %d refused; %s", clock, len(events), len(refused), told)
		}
	}
	write("[[motion.zone]]\narea = [[0, 0], [500, 500], [500, 0], [0, 500]]\n")
	var out bytes.Buffer
	err := runMotion(t.Context(), &cli.Env{Stdout: &out, Stderr: &out}, []string{"--settings", settings, walkSpec})
	if err == nil || !strings.Contains(err.Error(), settings+":2:1: motion.zone[0].area: its sides cross") {
		t.Errorf("%v", err)
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
		"--clock noon":  {"--clock", "noon", "x"},
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
