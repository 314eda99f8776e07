package boards

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/sealcam/sealcam/boards/toml"
)

// Use is one pin or channel of a profile.
type Use struct {
	Key   string // "filter.day"
	Pin   string // as in the profile: "pinctrl-bcm2711:17" or "fe20c000.pwm:0"
	Does  string // what for, in words
	Where string // where it is found and what is wired to it; may be empty
}

// Uses returns every pin and channel in the order of the profile.
func (p *Profile) Uses() []Use {
	var all []Use
	add := func(key, pin, does string) {
		if pin != "" {
			all = append(all, Use{key, pin, does, p.Where[pin]})
		}
	}
	if f := p.Filter; f != nil {
		pulse := "low"
		if !f.ActiveLow {
			pulse = "high"
		}
		add("filter.pin", f.Pin.String(), "cut filter, "+level(f.DayHigh)+" by day")
		add("filter.day", f.Day.String(), fmt.Sprintf("cut filter to the day side, %s for %v", pulse, f.Pulse))
		add("filter.night", f.Night.String(), fmt.Sprintf("cut filter to the night side, %s for %v", pulse, f.Pulse))
		add("filter.direction", f.Direction.String(), "direction of the cut filter, "+level(f.DayHigh)+" to the day side")
		add("filter.enable", f.Enable.String(), fmt.Sprintf("moves the cut filter, %s for %v", pulse, f.Pulse))
	}
	if l := p.Lamp; l != nil {
		add("lamp.pin", l.Pin.String(), "infrared lamp, lit when "+level(!l.ActiveLow))
		add("lamp.pwm", l.PWM.String(), fmt.Sprintf("infrared lamp, dimmed with a period of %v", l.Period))
	}
	if s := p.Status; s != nil {
		add("status.pin", s.Pin.String(), "status light, lit when "+level(!s.ActiveLow))
	}
	if b := p.Button; b != nil {
		add("button.pin", b.Pin.String(), "button, pressed when "+level(!b.ActiveLow))
	}
	return all
}

func level(high bool) string {
	if high {
		return "high"
	}
	return "low"
}

// checker gathers what is wrong with a profile, each with its place.
type checker struct {
	file string
	data []byte
	errs []error
}

func (c *checker) bad(key, format string, a ...any) {
	c.errs = append(c.errs, toml.At(c.file, c.data, key, fmt.Errorf(format, a...)))
}

// oneOf checks a kind.
func (c *checker) oneOf(key, found string, kinds ...string) bool {
	if slices.Contains(kinds, found) {
		return true
	}
	c.bad(key, "expected one of %s, found %q", strings.Join(kinds, ", "), found)
	return false
}

// need checks that what a kind needs is there, and nothing that belongs to another.
func (c *checker) need(section, kind string, set map[string]bool, needed ...string) {
	for _, key := range names(set) {
		switch wanted := slices.Contains(needed, key); {
		case wanted && !set[key]:
			c.bad(section, "kind %q needs %s", kind, key)
		case !wanted && set[key]:
			c.bad(section+"."+key, "kind %q has no %s: expected %s", kind, key, strings.Join(needed, ", "))
		}
	}
}

func (c *checker) within(key string, d, from, to time.Duration) {
	if d < from || d > to {
		c.bad(key, "expected %v to %v, found %v", from, to, d)
	}
}

// check finds everything that is wrong with p, which was read from data.
func (p *Profile) check(data []byte) error {
	c := &checker{file: p.File, data: data}
	if p.Title == "" {
		c.bad("title", "expected the board's name, as its maker writes it")
	}
	if p.Tried == "" {
		c.bad("tried", "expected what was really tried with this profile, such as \"nothing\"")
	}
	if p.HasPins() {
		c.oneOf("wiring", string(p.Wiring), string(Fixed), string(Proposed))
	}
	if g := p.Camera.GainUnit; !(g >= 0 && g <= 1e6) {
		c.bad("camera.gain_unit", "expected 0 (not known) to 1000000, found %g", g)
	}
	p.checkFilter(c)
	p.checkLamp(c)
	p.checkStatusAndButton(c)
	p.checkAmbient(c)
	p.checkPins(c)
	return errors.Join(c.errs...)
}

func (p *Profile) checkFilter(c *checker) {
	f := p.Filter
	if f == nil || !c.oneOf("filter.kind", f.Kind, "level", "coil", "bridge") {
		return
	}
	set := map[string]bool{"pin": !f.Pin.IsZero(), "day": !f.Day.IsZero(), "night": !f.Night.IsZero(),
		"direction": !f.Direction.IsZero(), "enable": !f.Enable.IsZero(), "pulse": f.Pulse.Duration != 0}
	switch f.Kind {
	case "level":
		c.need("filter", f.Kind, set, "pin")
	case "coil":
		c.need("filter", f.Kind, set, "day", "night", "pulse")
	case "bridge":
		c.need("filter", f.Kind, set, "direction", "enable", "pulse")
	}
	if f.Kind != "level" && f.Pulse.Duration != 0 {
		c.within("filter.pulse", f.Pulse.Duration, 10*time.Millisecond, 200*time.Millisecond)
	}
}

func (p *Profile) checkLamp(c *checker) {
	l := p.Lamp
	if l == nil || !c.oneOf("lamp.kind", l.Kind, "pin", "pwm") {
		return
	}
	set := map[string]bool{"pin": !l.Pin.IsZero(), "pwm": l.PWM.Chip != "", "period": l.Period.Duration != 0}
	if l.Kind == "pin" {
		c.need("lamp", l.Kind, set, "pin")
		return
	}
	c.need("lamp", l.Kind, set, "pwm", "period")
	if l.Period.Duration != 0 {
		c.within("lamp.period", l.Period.Duration, 10*time.Microsecond, 10*time.Millisecond)
	}
}

func (p *Profile) checkStatusAndButton(c *checker) {
	if s := p.Status; s != nil && c.oneOf("status.kind", s.Kind, "pin", "led") {
		set := map[string]bool{"pin": !s.Pin.IsZero(), "led": s.LED != ""}
		if s.Kind == "pin" {
			c.need("status", s.Kind, set, "pin")
		} else {
			c.need("status", s.Kind, set, "led")
		}
		if strings.ContainsAny(s.LED, "/\x00") || s.LED == ".." {
			c.bad("status.led", "expected a name below /sys/class/leds, found %q", s.LED)
		}
	}
	b := p.Button
	if b == nil {
		return
	}
	if b.Pin.IsZero() {
		c.bad("button", "a button needs pin")
	}
	c.oneOf("button.pull", b.Pull, "up", "down", "none")
	if b.Long.Duration == 0 {
		b.Long.Duration = 3 * time.Second
	}
	if b.Reset.Duration == 0 {
		b.Reset.Duration = 10 * time.Second
	}
	c.within("button.long", b.Long.Duration, time.Second, 30*time.Second)
	if b.Reset.Duration <= b.Long.Duration || b.Reset.Duration > time.Minute {
		c.bad("button.reset", "expected more than long (%v) and at most 1m0s, found %v", b.Long, b.Reset)
	}
}

// usualAddress is where each I2C sensor sits unless it is wired otherwise.
var usualAddress = map[string]int{"bh1750": 0x23, "tsl2561": 0x39, "tsl2591": 0x29, "veml7700": 0x10}

func (p *Profile) checkAmbient(c *checker) {
	a := p.Ambient
	if a == nil || !c.oneOf("ambient.kind", a.Kind, "iio", "adc", "bh1750", "tsl2561", "tsl2591", "veml7700") {
		return
	}
	if a.Channel < 0 || a.Channel > 31 {
		c.bad("ambient.channel", "expected 0 to 31, found %d", a.Channel)
	}
	if !(a.Day >= 0 && a.Day < 1e6 && a.Dark >= 0 && a.Dark < 1e6) {
		c.bad("ambient.day", "day and dark: expected 0 to 1000000")
	}
	set := map[string]bool{"device": a.Device != "", "bus": a.Bus != "", "address": a.Address != 0, "day": a.Day != 0}
	switch a.Kind {
	case "iio": // device may be left out: there is usually one sensor
		delete(set, "device")
		delete(set, "day")
		c.need("ambient", a.Kind, set)
	case "adc":
		c.need("ambient", a.Kind, set, "device", "day")
	default:
		delete(set, "day")
		delete(set, "address")
		c.need("ambient", a.Kind, set, "bus")
		if a.Address == 0 {
			a.Address = usualAddress[a.Kind]
		}
		if n, ok := strings.CutPrefix(a.Bus, "/dev/i2c-"); a.Bus != "" && (!ok || !number(n)) {
			c.bad("ambient.bus", "expected a bus such as \"/dev/i2c-1\", found %q", a.Bus)
		}
		if a.Address < 0x08 || a.Address > 0x77 {
			c.bad("ambient.address", "expected an address of 0x08 to 0x77, found %#x", a.Address)
		}
	}
}

func number(s string) bool {
	_, err := strconv.ParseUint(s, 10, 8)
	return err == nil
}

// checkPins compares the pins with each other and with the chips.
func (p *Profile) checkPins(c *checker) {
	used := map[string]string{}
	for _, u := range p.Uses() {
		if before, ok := used[u.Pin]; ok {
			c.bad(u.Key, "%s is used twice: %s has it already", u.Pin, before)
		}
		used[u.Pin] = u.Key
		var pin Pin
		if u.Key == "lamp.pwm" || pin.UnmarshalText([]byte(u.Pin)) != nil || pin.Chip == "" || len(p.Chips) == 0 {
			continue
		}
		switch lines, ok := p.Chips[pin.Chip]; {
		case !ok:
			c.bad(u.Key, "there is no chip %q here: [chips] has %s", pin.Chip, strings.Join(names(p.Chips), ", "))
		case pin.Line >= lines && lines > 0:
			c.bad(u.Key, "chip %q has lines 0 to %d, found %d", pin.Chip, lines-1, pin.Line)
		}
	}
	for _, chip := range names(p.Chips) {
		if n := p.Chips[chip]; n < 1 || n > 1024 {
			c.bad(quoted("chips", chip), "expected 1 to 1024 lines, found %d", n)
		}
	}
	for _, pin := range names(p.Where) {
		if _, ok := used[pin]; !ok {
			c.bad(quoted("where", pin), "no part of this board uses %q", pin)
		}
	}
}

// quoted returns the path of a key that may need quotes.
func quoted(table, key string) string {
	if strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" {
		return table + "." + key
	}
	return table + "." + strconv.Quote(key)
}

func names[T any](m map[string]T) []string {
	all := make([]string, 0, len(m))
	for name := range m {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}
