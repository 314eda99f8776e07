package boards

import (
	"fmt"
	"strconv"
	"strings"
)

// Pin names a GPIO line, in one of two ways: "LABEL:NUMBER" is a line of the chip
// with that label (gpiodetect shows labels; "gpiochip0:4" works too, but the
// kernel numbers chips as it likes), and "NAME" is the line that the device tree
// gives that name (gpioinfo shows names). A name may be followed by a blank and
// more, which is not compared: "P9_14" finds "P9_14 [ehrpwm1a]".
type Pin struct {
	Chip string // label or name; empty for a named line
	Line int
	Name string // empty for a numbered line
}

// UnmarshalText reads "pinctrl-bcm2711:17" or "GPIO17".
func (p *Pin) UnmarshalText(text []byte) error {
	s := string(text)
	const form = `a line as "chip:number", such as "pinctrl-bcm2711:17", or its name, such as "GPIO17"`
	if s == "" || len(s) > 64 || strings.TrimSpace(s) != s || strings.ContainsAny(s, "\x00\n\t") {
		return fmt.Errorf("expected %s, found %.70q", form, s)
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		*p = Pin{Name: s}
		return nil
	}
	line, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || i == 0 {
		return fmt.Errorf("expected %s, found %q", form, s)
	}
	*p = Pin{Chip: s[:i], Line: int(line)}
	return nil
}

// String returns what UnmarshalText reads; "" for none.
func (p Pin) String() string {
	if p.Chip != "" {
		return p.Chip + ":" + strconv.Itoa(p.Line)
	}
	return p.Name
}

// IsZero says that no pin was named.
func (p Pin) IsZero() bool { return p == Pin{} }

// PWM names a channel of a PWM chip as "CHIP:CHANNEL". Chip is the device that
// /sys/class/pwm/pwmchipN/device points to, such as "fe20c000.pwm", because
// the kernel numbers PWM chips differently from one version to the next; or
// "pwmchip0".
type PWM struct {
	Chip    string
	Channel int
}

// UnmarshalText reads "fe20c000.pwm:0".
func (p *PWM) UnmarshalText(text []byte) error {
	s := string(text)
	i := strings.LastIndexByte(s, ':')
	if i > 0 && len(s) <= 64 && !strings.ContainsAny(s, "/ \x00\n\t") {
		if channel, err := strconv.ParseUint(s[i+1:], 10, 8); err == nil {
			*p = PWM{Chip: s[:i], Channel: int(channel)}
			return nil
		}
	}
	return fmt.Errorf(`expected a channel as "chip:number", such as "fe20c000.pwm:0" or "pwmchip0:1", found %.70q`, s)
}

// String returns what UnmarshalText reads; "" for none.
func (p PWM) String() string {
	if p.Chip == "" {
		return ""
	}
	return p.Chip + ":" + strconv.Itoa(p.Channel)
}
