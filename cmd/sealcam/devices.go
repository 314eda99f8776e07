package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
	"github.com/sealcam/sealcam/capture/v4l2"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

const devicesText = `
Lists the video devices of this machine, one line each: the formats that sealcam
reads, and the largest size, or what an encoder makes of raw frames. -v tells every format, size and rate. With
--device alone it shows one so, with its controls. With --frames it
captures from it and prints one JSON line for the format, one for each frame, and
a summary: the first thing to try with a new camera.
`

// runDevices is "sealcam devices".
func runDevices(ctx context.Context, env *cli.Env, args []string) error {
	fs := env.Flags("devices", "sealcam devices [-v] [--device PATH [--set NAME=VALUE] [--frames N] [--size WxH] [--rate FPS] [--pixel NAME]]", devicesText)
	device := fs.String("device", "", "show or try this `device` alone")
	verbose := fs.Bool("v", false, "tell every format, size and rate")
	frames := fs.Int("frames", 0, "capture `N` frames")
	size := fs.String("size", "", "wanted `WxH`; the device's best within 1920x1080 if empty")
	rate := fs.Float64("rate", 0, "wanted frames per second; the device's own if 0")
	set := fs.String("set", "", "set a control first, such as `gain=32`")
	pixel := fs.String("pixel", "", "wanted layout: mjpeg, nv12, yuyv, grey or h264; the best if empty")
	if err := cli.Parse(fs, args); err != nil {
		return err
	}
	want := v4l2.Want{Rate: *rate}
	if *size != "" {
		if n, err := fmt.Sscanf(*size, "%dx%d", &want.Width, &want.Height); n != 2 || err != nil || want.Width < 1 || want.Height < 1 {
			return cli.Usagef("--size %q: a size is WIDTHxHEIGHT, such as 1280x720", *size)
		}
	}
	var ok bool
	if want.Pixel, ok = pixelByName(*pixel); !ok {
		return cli.Usagef("--pixel %q: it is one of mjpeg, nv12, yuyv, grey, h264", *pixel)
	}
	switch {
	case fs.NArg() > 0:
		return cli.Usagef("%q: sealcam devices takes flags only", fs.Arg(0))
	case (*frames > 0 || *set != "") && *device == "":
		return cli.Usagef("--frames and --set need --device")
	}
	if *set != "" {
		if err := setControl(*device, *set); err != nil {
			return err
		}
	}
	if *frames > 0 {
		return tryDevice(ctx, env, *device, want, *frames)
	}
	return listDevices(env, *device, *verbose || *device != "")
}

func pixelByName(name string) (capture.Pixel, bool) {
	if name == "" {
		return 0, true
	}
	for _, p := range []capture.Pixel{capture.MJPEG, capture.NV12, capture.YUYV, capture.Grey, capture.H264} {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}

// listDevices prints every device, or the one at path with its controls; with
// all, everything that a device offers.
func listDevices(env *cli.Env, path string, all bool) error {
	found, err := v4l2.Devices()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	shown := 0
	head, write := "DEVICE\tCAMERA\tFORMATS\tLARGEST", writeDevice
	if all {
		head, write = "DEVICE\tCAMERA\tFORMAT\tSIZE\tFRAMES PER SECOND", writeOffers
	}
	for _, d := range found {
		if path != "" && d.Path != path {
			continue
		}
		if shown == 0 {
			fmt.Fprintln(w, head)
		}
		shown++
		write(w, d)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if path != "" {
		return writeControls(env.Stdout, path)
	}
	if shown == 0 {
		return cli.Hint(errors.New("there is no video device here"), "connect a camera, or try the rest without one: sealcam bench --source scene:walk")
	}
	return nil
}

// writeDevice writes one line.
func writeDevice(w io.Writer, d v4l2.Device) {
	var formats []string
	var best v4l2.Size
	for _, o := range d.Offers {
		if o.Pixel == 0 {
			continue
		}
		formats = append(formats, o.FourCC)
		for _, s := range o.Sizes {
			if s.Width*s.Height > best.Width*best.Height || s.Width*s.Height == best.Width*best.Height && fastest(s) > fastest(best) {
				best = s
			}
		}
	}
	text := "any size"
	switch {
	case len(formats) == 0:
		fmt.Fprintf(w, "%s\t%s\t-\t%s\n", d.Path, d.Name, whyNot(d))
		return
	case best.Width > 0 && fastest(best) > 0:
		text = fmt.Sprintf("%dx%d at %.4g a second", best.Width, best.Height, fastest(best))
	case best.Width > 0:
		text = fmt.Sprintf("%dx%d", best.Width, best.Height)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Path, d.Name, strings.Join(formats, " "), text)
}

// fastest returns the highest rate of a size, 0 if it is not known.
func fastest(s v4l2.Size) (fps float64) {
	for _, r := range s.Rates {
		fps = max(fps, r)
	}
	return fps
}

// whyNot says why a device is no camera for sealcam.
func whyNot(d v4l2.Device) string {
	switch {
	case d.Encoder != nil:
		return d.Encoder.Does()
	case d.Err != nil:
		return strings.TrimPrefix(d.Err.Error(), d.Path+": ")
	case len(d.Offers) > 0:
		return "no format that sealcam reads, -v tells which"
	}
	return "offers nothing"
}

// writeOffers writes one line for each size of each format that sealcam reads,
// and one for the others; what is as in the line above is left blank.
func writeOffers(w io.Writer, d v4l2.Device) {
	first := d.Path + "\t" + d.Name
	if len(d.Offers) == 0 {
		fmt.Fprintf(w, "%s\t-\t-\t%s\n", first, whyNot(d))
	}
	var unread []string
	for _, o := range d.Offers {
		if o.Pixel == 0 {
			unread = append(unread, o.FourCC)
			continue
		}
		format := o.FourCC
		for _, s := range o.Sizes {
			var rates []string
			for _, r := range s.Rates {
				rates = append(rates, fmt.Sprintf("%.4g", r))
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", first, format, s, strings.Join(rates, " "))
			first, format = "\t", ""
		}
		if len(o.Sizes) == 0 {
			fmt.Fprintf(w, "%s\t%s\tany\t\n", first, format)
			first = "\t"
		}
	}
	if len(unread) > 0 {
		text := strings.Join(unread[:min(len(unread), 8)], " ")
		if n := len(unread) - 8; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(w, "%s\tnot read\t-\t%s\n", first, text)
	}
}

// setControl sets one control by its name.
func setControl(path, assignment string) error {
	name, text, _ := strings.Cut(assignment, "=")
	value, err := strconv.Atoi(text)
	if err != nil {
		return cli.Usagef("--set %q: a control is set as name=number", assignment)
	}
	var names []string
	for _, id := range v4l2.KnownControls() {
		names = append(names, id.String())
		if id.String() != name {
			continue
		}
		c, err := v4l2.OpenControls(path)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Set(id, value)
		return err
	}
	return cli.Usagef("--set %q: the controls are %s", name, strings.Join(names, ", "))
}

// writeControls writes the controls of a device that light depends on.
func writeControls(out io.Writer, path string) error {
	c, err := v4l2.OpenControls(path)
	if err != nil {
		return err
	}
	defer c.Close()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCONTROL\tVALUE\tRANGE\tDEFAULT\t")
	for _, id := range v4l2.KnownControls() {
		r, err := c.Range(id)
		if errors.Is(err, v4l2.ErrNoControl) {
			continue
		}
		if err != nil {
			return err
		}
		value, err := c.Get(id)
		text := fmt.Sprint(value)
		if err != nil { // some cannot be read, such as buttons
			text = "-"
		}
		note := ""
		switch {
		case r.ReadOnly:
			note = "read only"
		case r.Inactive:
			note = "set by something else now"
		}
		fmt.Fprintf(w, "%s\t%s\t%d to %d by %d\t%d\t%s\n", id, text, r.Min, r.Max, r.Step, r.Default, note)
	}
	return w.Flush()
}

// seen is a JSON line about one frame. Times are seconds.
type seen struct {
	Seq    uint64  `json:"seq"`
	Mono   float64 `json:"mono"`
	Bytes  int     `json:"bytes"`
	JPEG   int     `json:"jpeg,omitempty"` // bytes from the JPEG's start to its end, MJPEG only
	Width  int     `json:"width,omitempty"`
	Height int     `json:"height,omitempty"`
	Bad    string  `json:"bad,omitempty"`
	Detail string  `json:"detail,omitempty"`
}

// deviceSilence is how long a device may deliver nothing before it is given up.
const deviceSilence = 10 * time.Second

// tryDevice captures n frames, the bad ones counted in, and says what came.
func tryDevice(ctx context.Context, env *cli.Env, path string, want v4l2.Want, n int) error {
	cam, err := v4l2.Open(path, want)
	if err != nil {
		return err
	}
	defer cam.Close()
	out := json.NewEncoder(env.Stdout)
	f := cam.Format()
	if err := out.Encode(map[string]any{"device": path, "pixel": f.Pixel.String(), "width": f.Width, "height": f.Height, "stride": f.Stride, "rate": f.Rate}); err != nil {
		return err
	}
	var bad int
	var first, last float64
	for i := range n {
		s, err := nextSeen(ctx, cam)
		if err != nil {
			return err
		}
		if s.Bad != "" {
			bad++
		} else if last = s.Mono; first == 0 {
			first = s.Mono
		}
		if err := out.Encode(s); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
	}
	fps := 0.0
	if last > first {
		fps = float64(n-bad-1) / (last - first)
	}
	return out.Encode(map[string]any{"frames": n - bad, "bad_frames": bad, "fps": fps})
}

// nextSeen waits for a frame and looks at it.
func nextSeen(ctx context.Context, cam capture.Camera) (seen, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, deviceSilence, capture.ErrStuck)
	defer cancel()
	var f capture.Frame
	err := cam.Next(ctx, &f)
	var bad *capture.BadFrame
	switch {
	case errors.As(err, &bad):
		s := seen{Bad: bad.Reason}
		if bad.Err != nil {
			s.Detail = bad.Err.Error()
		}
		return s, nil
	case err != nil && errors.Is(context.Cause(ctx), capture.ErrStuck):
		return seen{}, cli.Hint(fmt.Errorf("%w: none for %v", capture.ErrStuck, deviceSilence), "check the cable and the power of the USB port, or try --size 640x480")
	case err != nil:
		return seen{}, err
	}
	s := seen{Seq: f.Seq, Mono: f.Mono.Seconds(), Bytes: len(f.Data), Width: f.Format.Width, Height: f.Format.Height}
	if f.Format.Pixel == capture.MJPEG {
		h, err := mjpeg.Scan(f.Data)
		s.Width, s.Height, s.JPEG = h.Width, h.Height, h.End-h.Start
		if why, ok := err.(mjpeg.Error); ok {
			s.Bad, s.Detail = string(why), why.Error()
		}
	}
	return s, nil
}
