package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
	"github.com/sealcam/sealcam/capture/motion"
	"github.com/sealcam/sealcam/capture/scene"
)

// rounds is how often each side has its turn; the median counts.
const rounds = 9

// spent returns the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// each returns the milliseconds of one of n calls.
func each(n int, f func() error) (float64, error) {
	from := spent()
	for range n {
		if err := f(); err != nil {
			return 0, err
		}
	}
	return float64(spent()-from) / float64(n) / 1e6, nil
}

// turns runs both sides in turns and returns the medians of their results.
func turns(ours, theirs func() (float64, error)) (a, b float64, err error) {
	var all [2][]float64
	for range rounds {
		for i, f := range [2]func() (float64, error){ours, theirs} {
			v, err := f()
			if err != nil {
				return 0, 0, err
			}
			all[i] = append(all[i], v)
		}
	}
	return median(all[0]), median(all[1]), nil
}

// work compares what is done with single frames.
func (c *compare) work(ctx context.Context) error {
	frame, raw, err := c.frame(ctx)
	if err != nil {
		return err
	}
	eighth := filepath.Join(c.dir, "eighth")
	if out, err := exec.CommandContext(ctx, "gcc", "-O2", "-o", eighth, "cmd/internal/compare/testdata/eighth.c", "-ljpeg").CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w\n%s", err, out)
	}
	var dc mjpeg.DC
	luma := func() (float64, error) {
		return each(100, func() error { _, _, _, err := dc.Read(frame); return err })
	}
	turbo := func() (ms float64, err error) {
		out, err := exec.CommandContext(ctx, eighth, filepath.Join(c.dir, "frame.jpg"), "100").Output()
		if err != nil {
			return 0, fmt.Errorf("eighth: %w", err)
		}
		_, err = fmt.Sscan(string(out), &ms)
		return ms / 1e6, err
	}
	decode := func() (float64, error) {
		return each(3, func() error { _, err := jpeg.Decode(bytes.NewReader(frame)); return err })
	}
	a, b, err := turns(luma, turbo)
	if err != nil {
		return err
	}
	c.row("small grey picture of 1080p 4:2:2, against libjpeg-turbo at 1/8", a, b, "ms", "at most 1.0")
	if a, b, err = turns(luma, decode); err != nil {
		return err
	}
	c.row("the same, against image/jpeg", a, b, "ms", "at most 0.04")
	var encoder mjpeg.Encoder
	var out []byte
	if a, b, err = turns(func() (float64, error) {
		return each(5, func() (err error) { out, err = encoder.Append(out[:0], planes(raw), 85); return err })
	}, func() (float64, error) {
		return each(3, func() error { return jpeg.Encode(io.Discard, raw, &jpeg.Options{Quality: 85}) })
	}); err != nil {
		return err
	}
	c.row("raw 1080p to JPEG of quality 85, against image/jpeg", a, b, "ms", "at most 0.5")
	return c.detector(ctx)
}

// detector measures Observe at 240x135 alone; there is nothing to compare it with.
func (c *compare) detector(ctx context.Context) error {
	s, err := scene.New("walk?size=1920x1080&seed=1&for=10s&rate=5&pixel=grey", scene.Options{})
	if err != nil {
		return err
	}
	var lumas []capture.Luma
	var f capture.Frame
	for s.Next(ctx, &f) == nil {
		var r capture.LumaReader
		l, err := r.Read(&f)
		if err != nil {
			return err
		}
		lumas = append(lumas, *l)
	}
	d, err := motion.New(motion.Config{})
	if err != nil {
		return err
	}
	n, at := 0, time.Duration(0)
	var all []float64
	for range rounds {
		ms, err := each(500, func() error {
			d.Observe(&lumas[n%len(lumas)], at, capture.LightDay)
			n, at = n+1, at+200*time.Millisecond
			return nil
		})
		if err != nil {
			return err
		}
		all = append(all, ms)
	}
	fmt.Fprintf(c.table, "motion detector at 240x135, while somebody walks by\t%.3g ms\t\t\tat most 0.25 ms\n", median(all))
	return nil
}

// frame returns a frame as a webcam sends it, 1080p and 4:2:2, which is in frame.jpg
// too, and its pixels as 4:2:0.
func (c *compare) frame(ctx context.Context) ([]byte, *image.YCbCr, error) {
	s, err := scene.New("walk?size=1920x1080&seed=1&quality=95&noise=3", scene.Options{})
	if err != nil {
		return nil, nil, err
	}
	var f capture.Frame
	for range 45 { // by then somebody is there
		if err := s.Next(ctx, &f); err != nil {
			return nil, nil, err
		}
	}
	m, err := jpeg.Decode(bytes.NewReader(f.Data))
	if err != nil {
		return nil, nil, err
	}
	raw, ok := m.(*image.YCbCr)
	if !ok {
		return nil, nil, fmt.Errorf("the scene is drawn as %T", m)
	}
	// cjpeg reads PPM.
	ppm := fmt.Appendf(nil, "P6 1920 1080 255\n")
	for y := range 1080 {
		for x := range 1920 {
			r, g, b, _ := raw.At(x, y).RGBA()
			ppm = append(ppm, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	cmd := exec.CommandContext(ctx, "cjpeg", "-quality", "85", "-sample", "2x1")
	cmd.Stdin = bytes.NewReader(ppm)
	b, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("cjpeg: %w", err)
	}
	return b, raw, os.WriteFile(filepath.Join(c.dir, "frame.jpg"), b, 0o600)
}

func planes(m *image.YCbCr) *mjpeg.Raw {
	return &mjpeg.Raw{
		Width: m.Rect.Dx(), Height: m.Rect.Dy(), Y: mjpeg.Plane{Pix: m.Y, Stride: m.YStride, Step: 1},
		Cb: mjpeg.Plane{Pix: m.Cb, Stride: m.CStride, Step: 1}, Cr: mjpeg.Plane{Pix: m.Cr, Stride: m.CStride, Step: 1},
	}
}
