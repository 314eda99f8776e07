package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/capturetest"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/album"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/clip"
)

// running is a bench under test.
type running struct {
	*bench
	stop  context.CancelFunc
	ended chan error
}

// start runs a bench until the test ends or stops it.
func start(t *testing.T, source agent.Source, save string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	b, err := newBench(ctx, Config{
		Source: source, Listen: "127.0.0.1:0", Report: filepath.Join(t.TempDir(), "r.json"), Save: save,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{bench: b, stop: stop, ended: make(chan error, 1)}
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: t.Output(), Stderr: t.Output()}
	go func() { r.ended <- errors.Join(b.run(ctx, env), b.clear()) }()
	return r
}

// wait waits for the bench's end and returns what it wrote as its report.
func (r *running) wait(t *testing.T) Report {
	t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the bench has not ended after two minutes")
	}
	text, err := os.ReadFile(r.Report)
	if err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// post throws a switch of the page's drawer.
func (r *running) post(t *testing.T, path string) {
	t.Helper()
	resp, err := http.Post("http://"+r.listener.Addr().String()+path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("POST %s: %s", path, resp.Status)
	}
}

// until waits for a condition, for a minute: these machines are shared.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute it is not so that %s", what)
		}
	}
}

// counts returns what the counting viewer has verified and refused.
func (r *running) counts() (verified, refused uint64) {
	r.verdicts.mu.Lock()
	defer r.verdicts.mu.Unlock()
	return r.verdicts.verified, r.verdicts.refused
}

// film writes a motion JPEG AVI in which somebody walks by.
func film(t *testing.T, frames int) string {
	t.Helper()
	var jpegs [][]byte
	cam, err := scene.Open("walk?size=320x180&rate=25&pixel=mjpeg", scene.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cam.Close()
	for range frames {
		var f capture.Frame
		if err := cam.Next(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		jpegs = append(jpegs, bytes.Clone(f.Data))
	}
	path := filepath.Join(t.TempDir(), "film.avi")
	if err := os.WriteFile(path, capturetest.AVI(320, 180, 25, jpegs...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A film, played once at its own pace, ends the bench; every frame was seen, or
// counted as overdue on a busy machine; every picture that
// was sealed was verified, also that of the event which the film ends in, and the
// report says so.
func TestFilmOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	save := t.TempDir()
	r := start(t, agent.Source{Name: film(t, 90), Once: true}, save).wait(t)
	if r.Frames+r.Dropped != 90 || r.Frames < 45 || r.Format != "320x180 mjpeg 25 fps" {
		t.Errorf("%d frames and %d dropped of %q, want 90 in all of 320x180 mjpeg 25 fps", r.Frames, r.Dropped, r.Format)
	}
	if r.Events == 0 || r.Sealed == 0 || r.Verified != r.Sealed || r.Refused != 0 {
		t.Errorf("%d events, %d pictures sealed, %d verified, %d refused", r.Events, r.Sealed, r.Verified, r.Refused)
	}
	if r.CPU <= 0 || r.RSS <= 0 || r.FirstVerified <= 0 {
		t.Errorf("figures are missing: %+v", r)
	}
	saved, err := filepath.Glob(filepath.Join(save, "*.jpg"))
	if err != nil || uint64(len(saved)) != r.Verified {
		t.Errorf("%d pictures saved (%v), %d verified", len(saved), err, r.Verified)
	}
	films, err := filepath.Glob(filepath.Join(save, "*.mp4"))
	if err != nil || len(films) == 0 || uint64(len(films)) != r.Clips || r.PartsVerified != r.PartsSealed {
		t.Errorf("%d films saved (%v) of %d clips, %d parts verified of %d sealed", len(films), err, r.Clips, r.PartsVerified, r.PartsSealed)
	}
	for _, f := range films {
		plays(t, f)
	}
	noLeak(t, before)
}

// When the bench's time is over in the middle of an event, its clip is delivered to
// its end, and its film is whole and proven.
func TestForEndsInAClip(t *testing.T) {
	save := t.TempDir()
	b, err := newBench(t.Context(), Config{
		Source: agent.Source{Name: film(t, 200)}, For: 7 * time.Second, Listen: "127.0.0.1:0", Report: filepath.Join(t.TempDir(), "r.json"), Save: save,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.run(t.Context(), &cli.Env{Stdout: t.Output(), Stderr: t.Output()}), b.clear()); err != nil {
		t.Fatal(err)
	}
	if r := b.report(); r.Clips == 0 || r.PartsVerified != r.PartsSealed {
		t.Errorf("%d clips, %d parts verified of %d sealed", r.Clips, r.PartsVerified, r.PartsSealed)
	}
	films, err := filepath.Glob(filepath.Join(save, "*.mp4"))
	if err != nil || len(films) == 0 {
		t.Fatalf("no films: %v", err)
	}
	for _, f := range films {
		plays(t, f)
		media, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		defer media.Close()
		proof, err := os.Open(f + album.ProofEnding)
		if err != nil {
			t.Fatal(err)
		}
		defer proof.Close()
		got, sound, err := clip.Check(media, proof, func(clip.Piece) {})
		if err != nil || !sound || !got.Whole() {
			t.Errorf("%s: %v: %s", f, err, got.Words())
		}
	}
}

// plays reads a film as strangers do: neither ffprobe nor a decoder complains.
func plays(t *testing.T, film string) {
	t.Helper()
	for _, args := range [][]string{{"ffprobe", "-v", "warning", "-show_streams", film}, {"ffmpeg", "-v", "warning", "-xerror", "-i", film, "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"}} {
		path, err := exec.LookPath(args[0])
		if err != nil {
			t.Fatalf("%v: make test-deps installs it", err)
		}
		cmd := exec.Command(path, args[1:]...)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		if err := cmd.Run(); err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v: %s", args[0], err, &complaints)
		}
	}
}

// A hostile relay swaps the neighbour's pictures in: every one is refused, and
// when it is honest again pictures are shown again.
func TestHostile(t *testing.T) {
	b := start(t, agent.Source{Name: "scene:walk?size=320x180&rate=10&pixel=yuyv"}, "")
	more := func(what string, of func() uint64) {
		t.Helper()
		before := of()
		until(t, what, func() bool { return of() >= before+3 })
	}
	verified := func() uint64 { v, _ := b.counts(); return v }
	refused := func() uint64 { _, r := b.counts(); return r }
	more("pictures are verified", verified)
	b.post(t, "/bench/hostile?on=1")
	more("pictures are refused", refused)
	b.post(t, "/bench/hostile?on=0")
	more("pictures are verified again", verified)
	b.stop()
	r := b.wait(t)
	if r.Reasons["wrong camera"] == 0 || r.Reasons["wrong camera"] != r.Refused {
		t.Errorf("%d refused, for %v, want all as of the wrong camera", r.Refused, r.Reasons)
	}
}

// While the cameras' network is cut events wait in the spool, and arrive when
// it is healed.
func TestNetworkCut(t *testing.T) {
	b := start(t, agent.Source{Name: "scene:walk?size=320x180&rate=10&pixel=yuyv"}, "")
	until(t, "a picture is verified", func() bool { v, _ := b.counts(); return v > 0 })
	b.post(t, "/bench/network?on=0")
	until(t, "the camera has lost its broker", func() bool { return !b.mine.agent.Stats().Uplink.Connected })
	until(t, "something waits", func() bool { return b.mine.agent.Stats().Uplink.Waiting > 0 })
	b.post(t, "/bench/network?on=1")
	until(t, "nothing waits", func() bool { return b.mine.agent.Stats().Uplink.Waiting == 0 })
	b.stop()
	if r := b.wait(t); r.Refused != 0 {
		t.Errorf("%d refused: %v", r.Refused, r.Reasons)
	}
}

// noLeak fails when goroutines are left that were not there before.
func noLeak(t *testing.T, before int) {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	until(t, "every goroutine has ended", func() bool { return runtime.NumGoroutine() <= before })
}
