package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/capturetest"
	"github.com/sealcam/sealcam/capture/scene"
	"github.com/sealcam/sealcam/cmd/internal/rig"
)

// warm is how long an agent runs before it is measured.
const warm = 8 * time.Second

// agents compares sealcamd, claimed and connected to a broker, with motion, which writes
// nothing: processor time by frame, and resident memory. sealcamd sends snapshots and live
// pictures meanwhile, no clips.
func (c *compare) agents(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	film := filepath.Join(c.dir, "1080.avi")
	if err := c.draw(ctx, film, "walk?size=1920x1080&rate=10&for=10s&seed=1", c.span+warm+10*time.Second); err != nil {
		return err
	}
	config, err := rig.Household(ctx, c.dir)
	if err != nil {
		return err
	}
	if err := rig.Set(config, fmt.Sprintf("log = \"error\"\n[camera]\nsource = %q\n[motion]\nrate = 10.0\n[clips]\nenabled = false\n", film)); err != nil {
		return err
	}
	sealcamd, err := rig.Sealcamd(ctx, c.dir)
	if err != nil {
		return err
	}
	theirs, err := c.motionConfig(film, "agent", 1920, 1080, 10, "picture_output off\n")
	if err != nil {
		return err
	}
	var cpu, memory [2][]float64
	for range 2 {
		for i, command := range [2][]string{{sealcamd, "-config", config}, {"motion", "-n", "-c", theirs}} {
			ms, mb, err := c.watch(ctx, command)
			if err != nil {
				return err
			}
			cpu[i], memory[i] = append(cpu[i], ms), append(memory[i], mb)
		}
	}
	mean := func(l []float64) float64 { return (l[0] + l[1]) / 2 }
	c.row("processor time a frame", mean(cpu[0]), mean(cpu[1]), "ms", "at most 0.167")
	c.row("resident memory", mean(memory[0]), mean(memory[1]), "MB", "at most 0.5")
	return nil
}

// watch runs one agent and returns its processor time by frame and its memory.
func (c *compare) watch(ctx context.Context, command []string) (ms, mb float64, err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	time.Sleep(warm)
	from, err := rig.CPU(cmd.Process.Pid)
	began := time.Now()
	time.Sleep(c.span)
	to, err2 := rig.CPU(cmd.Process.Pid)
	frames := time.Since(began).Seconds() * 10
	_, mb, err3 := rig.Resident(cmd.Process.Pid)
	for _, err := range []error{err, err2, err3} {
		if err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return 0, 0, fmt.Errorf("%s: %w\n%s", command[0], err, said.String())
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait() // motion ends with an error on a signal
	return (to - from).Seconds() * 1000 / frames, mb, nil
}

// draw writes a scene as motion JPEG in AVI, over and over until it lasts for so long.
func (c *compare) draw(ctx context.Context, path, spec string, least time.Duration) error {
	s, err := scene.New(spec, scene.Options{})
	if err != nil {
		return err
	}
	var frames [][]byte
	var f capture.Frame
	for s.Next(ctx, &f) == nil {
		frames = append(frames, bytes.Clone(f.Data))
	}
	format := s.Format()
	for n := len(frames); time.Duration(float64(len(frames))/format.Rate*float64(time.Second)) < least; {
		frames = append(frames, frames[:n]...)
	}
	return os.WriteFile(path, capturetest.AVI(format.Width, format.Height, format.Rate, frames...), 0o600)
}

// motionConfig writes settings for motion, beside its own defaults, and returns their file.
func (c *compare) motionConfig(film, name string, w, h int, rate float64, more string) (string, error) {
	path := filepath.Join(c.dir, name+".conf")
	text := fmt.Sprintf(`daemon off
setup_mode off
log_level 3
target_dir %s
netcam_url file://%s
width %d
height %d
framerate %d
movie_output off
webcontrol_port 0
stream_port 0
%s`, filepath.Join(c.dir, name), film, w, h, int(rate+0.5), more)
	return path, os.WriteFile(path, []byte(text), 0o600)
}
