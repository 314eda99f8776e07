// Package scene is a camera that draws: a house front, a garden path and what
// may happen there, with the truth about it. Scenes stand in for a camera
// where there is none, and judge the motion detector where there is one. The
// same spec and seed give the same bytes on every machine of one architecture.
//
// What this package does not do: it judges nothing (capture/motion does), and
// its light is the light as a camera with a settled exposure shows it, without
// an infrared lamp or a cut filter to switch.
package scene

import (
	"context"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// Options are the parts of the world that a Scene needs. The zero value draws
// as fast as it is asked.
type Options struct {
	Pace  bool                                                   // deliver frames when they are due, and drop the overdue
	Now   func() time.Time                                       // time.Now if nil; used with Pace alone
	Sleep func(ctx context.Context, d time.Duration) (err error) // returns ctx's error early; a timer if nil
}

// Truth is what a scene really shows at one moment.
type Truth struct {
	Moving bool            // a person is in the picture, walking or standing, with a quarter of the body at least
	Tamper string          // what was done to the camera: "covered", "blinded", "defocused", "moved"; "" for nothing
	Visit  int             // which visit it is, counted from 1; 0 for none
	Box    image.Rectangle // the part of the picture that the person covers; empty for none
	Lux    float64         // light on the garden
}

// Scene is a capture.Camera. One goroutine uses it at a time.
type Scene struct {
	spec   spec
	opt    Options
	script *script
	packer packer

	base   *canvas // the garden by day
	lamp   []uint8 // how much of the lamps' light falls on each pixel
	work   *canvas // base and who is in it, by day
	out    *canvas // work in the scene's light, with noise
	dirty  image.Rectangle
	turned *canvas // the garden after the camera was turned; nil for scenes in which it is not
	aside  []uint8 // lamp, after the camera was turned
	grain  *grain
	coarse *grain // the same in weak light

	start time.Time
	next  uint64 // index of the frame that Next draws
	fixed []byte // the only frame of a frozen scene
}

// Open returns the camera that spec describes, for example
// "walk?size=1280x720&rate=10&seed=3&pixel=mjpeg". The names are walk, stand and
// night, with people; dusk, rain, snow, wind, clouds, shadows, exposure, insects, spider,
// headlights, lamp, frozen and empty, without; covered, blinded, defocused and
// moved, in which something happens to the camera, and fog, truck and blackout, in
// which it only seems so. In those, odd seeds are night. Options are
//
//	size=WxH   pixels, even, 64x48 to 4096x2304; 1280x720 if absent
//	rate=N     frames a second, 1 to 60; 10 if absent
//	seed=N     another seed, other people at other times
//	pixel=P    mjpeg, yuyv, nv12 or grey; mjpeg if absent
//	noise=N    standard deviation of a pixel's noise by day, 0 to 20; 1.5 if absent
//	people=P   walk, stand, far (somebody 3 % of the picture high) or none, in any scene
//	quality=N  of the JPEGs, 1 to 100, or A-B: each frame another, as rate control does; 80 if absent
//	speed=N    its time goes 1 to 100 times as fast as the clock, where it is paced; 1 if absent
//	for=D      ends with io.EOF after so much time, for example 30s; never if absent
//
// The Camera is a *Scene; New returns it as such.
func Open(spec string, opt Options) (capture.Camera, error) {
	s, err := New(spec, opt)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// New is Open, for those who want to know the truth as well.
func New(text string, opt Options) (*Scene, error) {
	spec, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("scene %q: %w", text, err)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Sleep == nil {
		opt.Sleep = sleep
	}
	s := &Scene{spec: spec, opt: opt, script: &spec.script}
	v := viewOf(spec.w, spec.h)
	if spec.script.grey {
		v.sun = 0.1
	}
	s.base, s.lamp = drawGarden(v, spec.w, spec.h)
	s.work, s.out = newCanvas(spec.w, spec.h), newCanvas(spec.w, spec.h)
	s.work.copyFrom(s.base, s.base.bounds())
	if spec.script.name == "moved" {
		s.turned, s.aside = drawGarden(turnedView(v, spec.seed, spec.w, spec.h), spec.w, spec.h)
	}
	s.grain = newGrain(dice(spec.seed, 4, 0), spec.noise)
	s.coarse = newGrain(dice(spec.seed, 4, 1), 2*spec.noise)
	s.packer.pixel, s.packer.quality = spec.pixel, spec.quality
	return s, nil
}

// Format returns what Next delivers.
func (s *Scene) Format() capture.Format {
	return capture.Format{Pixel: s.spec.pixel, Width: s.spec.w, Height: s.spec.h, Stride: s.packer.stride(s.spec.w), Rate: s.spec.rate}
}

// Truth returns what the scene shows at t, the time since its start that a
// Frame has as Mono.
func (s *Scene) Truth(t time.Duration) Truth {
	_, lux := s.script.light(s.spec.seed, t, float32(s.spec.w))
	truth := Truth{Lux: lux, Tamper: s.lens(t).tamper()}
	if who, n := s.person(t); who != nil {
		whole := who.box()
		if box := whole.Intersect(s.base.bounds()); 4*box.Dx()*box.Dy() >= whole.Dx()*whole.Dy() {
			truth.Moving, truth.Visit, truth.Box = true, n, box
		}
	}
	return truth
}

// lens returns what happens to the camera at t.
func (s *Scene) lens(t time.Duration) lens {
	if s.script.lens == nil {
		return lens{}
	}
	return s.script.lens(s.spec.seed, t)
}

// person returns who is in the garden at t, and the number of the visit.
func (s *Scene) person(t time.Duration) (*skeleton, int) {
	if s.script.people == nil {
		return nil, 0
	}
	n := int(t / s.script.cycle)
	v := s.script.people(dice(s.spec.seed, 1, n), n)
	t -= time.Duration(n) * s.script.cycle
	if t < v.start || t >= v.end {
		return nil, 0
	}
	return v.who.skeleton(viewOf(s.spec.w, s.spec.h), v.pose(float32((t - v.start).Seconds()))), n + 1
}

// Next draws the next frame. It fails only when ctx or the scene has ended.
func (s *Scene) Next(ctx context.Context, f *capture.Frame) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	n := s.next
	t := s.due(n)
	if s.spec.end > 0 && t >= s.spec.end {
		return io.EOF
	}
	s.next++
	*f = capture.Frame{Format: s.Format(), Seq: n, Mono: t}
	if s.script.frozen {
		if s.fixed == nil {
			s.draw(0, 0)
			data, err := s.packer.pack(s.out, 0)
			if err != nil {
				return err
			}
			s.fixed = append([]byte(nil), data...)
		}
		f.Data = s.fixed
		return nil
	}
	s.draw(n, t)
	var err error
	f.Data, err = s.packer.pack(s.out, n)
	return err
}

// due is when frame n is taken.
func (s *Scene) due(n uint64) time.Duration {
	return time.Duration(float64(n) / s.spec.rate * float64(time.Second))
}

// wait holds the pace. What fell due long ago is never drawn: as with a real
// camera, a slow reader finds frames missing, not old ones.
func (s *Scene) wait(ctx context.Context) error {
	if !s.opt.Pace {
		return ctx.Err()
	}
	now := s.opt.Now()
	if s.next == 0 {
		s.start = now
		return ctx.Err()
	}
	elapsed := time.Duration(float64(now.Sub(s.start)) * s.spec.speed)
	if late := uint64(max(elapsed.Seconds()*s.spec.rate, 0)); late > s.next {
		s.next = late
	}
	if d := s.due(s.next) - elapsed; d > 0 {
		return s.opt.Sleep(ctx, time.Duration(float64(d)/s.spec.speed))
	}
	return ctx.Err()
}

// draw composes frame n, taken at t, in s.out.
func (s *Scene) draw(n uint64, t time.Duration) {
	l, _ := s.script.light(s.spec.seed, t, float32(s.spec.w))
	lens := s.lens(t)
	s.work.copyFrom(s.base, s.dirty)
	s.dirty = image.Rectangle{}
	if s.script.windy {
		wind(s.work, s.base, t)
	}
	lamp := s.lamp
	if lens.what == turned && lens.k > 0 {
		s.dirty, lamp = s.work.bounds(), s.aside
		s.work.copyFrom(s.turned, s.dirty)
	}
	if who, _ := s.person(t); who != nil {
		s.dirty = who.draw(s.work, float32(smooth(0.5, 1, float32(l.ambient))))
	}
	if l.isDay() {
		s.out.copyFrom(s.work, s.out.bounds())
	} else {
		s.out.lit(s.work, l, lamp)
	}
	lens.apply(s.out)
	rng := rand.New(rand.NewPCG(s.spec.seed, n<<8|5))
	if s.script.air != nil {
		s.script.air(s.out, s.spec.seed, t, rng)
	}
	switch {
	case s.spec.noise == 0:
	case l.ambient < 0.4:
		s.coarse.addTo(s.out, rng)
	default:
		s.grain.addTo(s.out, rng)
	}
}

// Close releases nothing: a scene has only memory.
func (s *Scene) Close() error { return nil }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
