package scene

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
)

// spec is a scene as it was asked for.
type spec struct {
	script  script
	w, h    int
	rate    float64
	seed    uint64
	pixel   capture.Pixel
	noise   float64
	quality [2]int        // lowest and highest
	end     time.Duration // 0 for never
	speed   float64       // how much faster than the clock its time goes, when it is paced
}

// Names returns the scenes there are.
func Names() []string {
	names := make([]string, len(scripts))
	for i := range scripts {
		names[i] = scripts[i].name
	}
	return names
}

func parse(text string) (spec, error) {
	s := spec{w: 1280, h: 720, rate: 10, pixel: capture.MJPEG, noise: 1.5, quality: [2]int{80, 80}, speed: 1}
	name, query, _ := strings.Cut(strings.TrimPrefix(text, "scene:"), "?")
	i := slices.Index(Names(), name)
	if i < 0 {
		return s, fmt.Errorf("there is no scene of this name; there are %s", strings.Join(Names(), ", "))
	}
	s.script = scripts[i]
	values, err := url.ParseQuery(query)
	if err != nil {
		return s, err
	}
	for key, all := range values {
		if len(all) != 1 {
			return s, fmt.Errorf("option %s is given twice", key)
		}
		if err := s.set(key, all[0]); err != nil {
			return s, fmt.Errorf("option %s=%s: %w", key, all[0], err)
		}
	}
	return s, nil
}

func (s *spec) set(key, v string) (err error) {
	switch key {
	case "size":
		w, h, ok := strings.Cut(v, "x")
		if s.w, err = strconv.Atoi(w); err == nil {
			s.h, err = strconv.Atoi(h)
		}
		if !ok || err != nil || s.w < 64 || s.h < 48 || s.w > 4096 || s.h > 2304 || s.w%2 != 0 || s.h%2 != 0 {
			return errors.New("want an even WIDTHxHEIGHT from 64x48 to 4096x2304")
		}
	case "rate":
		if s.rate, err = strconv.ParseFloat(v, 64); err != nil || !(s.rate >= 1 && s.rate <= 60) {
			return errors.New("want 1 to 60 frames a second")
		}
	case "seed":
		if s.seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			return errors.New("want a whole number")
		}
	case "noise":
		if s.noise, err = strconv.ParseFloat(v, 64); err != nil || !(s.noise >= 0 && s.noise <= 20) {
			return errors.New("want 0 to 20")
		}
	case "for":
		if s.end, err = time.ParseDuration(v); err != nil || s.end <= 0 {
			return errors.New("want a time such as 30s")
		}
	case "speed":
		if s.speed, err = strconv.ParseFloat(v, 64); err != nil || !(s.speed >= 1 && s.speed <= 100) {
			return errors.New("want 1 to 100 times the clock")
		}
	case "pixel":
		for _, p := range [...]capture.Pixel{capture.MJPEG, capture.YUYV, capture.NV12, capture.Grey} {
			if p.String() == v {
				s.pixel = p
				return nil
			}
		}
		return errors.New("want mjpeg, yuyv, nv12 or grey")
	case "quality":
		low, high, ok := strings.Cut(v, "-")
		if s.quality[0], err = strconv.Atoi(low); err == nil && ok {
			s.quality[1], err = strconv.Atoi(high)
		} else {
			s.quality[1] = s.quality[0]
		}
		if err != nil || s.quality[0] < 1 || s.quality[1] < s.quality[0] || s.quality[1] > 100 {
			return errors.New("want 1 to 100, or two such numbers as in 30-60")
		}
	case "people":
		return s.script.invite(v)
	default:
		return errors.New("there is no such option; there are size, rate, seed, pixel, noise, people, quality, speed and for")
	}
	return nil
}

// invite lets other people into the scene than its own.
func (s *script) invite(who string) error {
	switch who {
	case "walk":
		s.people, s.cycle = passOrCall, 26*time.Second
	case "stand":
		s.people, s.cycle = standStill, 75*time.Second
	case "far":
		s.people, s.cycle = passFarAway, 16*time.Second
	case "none":
		s.people = nil
	default:
		return errors.New("want walk, stand, far or none")
	}
	return nil
}
