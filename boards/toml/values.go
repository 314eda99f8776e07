package toml

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	durationForm = `a duration in quotes, such as "500ms", "5s" or "1h30m"`
	sizeForm     = `a size in quotes, such as "64 KiB", "512 MiB" or "2 GB"`
)

// Duration is a time span written in quotes with its unit: "5s", "1m30s". It
// is never negative. A bare number is refused: nobody can tell its unit.
type Duration struct {
	time.Duration `toml:"-"`
}

// UnmarshalText reads what time.ParseDuration reads, except negative spans.
func (d *Duration) UnmarshalText(text []byte) error {
	span, err := time.ParseDuration(string(text))
	if err != nil || span < 0 {
		return fmt.Errorf("expected %s, found %q", durationForm, shortened(text))
	}
	d.Duration = span
	return nil
}

// MarshalText writes the form that UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.Duration.String()), nil }

// ByteSize is a number of bytes written in quotes with its unit: "512 MiB",
// "2 GB", "800 B".
type ByteSize struct {
	Bytes int64 `toml:"-"`
}

// byteUnits lists the units, longest suffix first.
var byteUnits = [...]struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText reads a number, which may have a fraction, and a unit.
func (s *ByteSize) UnmarshalText(text []byte) error {
	refused := fmt.Errorf("expected %s, found %q", sizeForm, shortened(text))
	for _, unit := range byteUnits {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		number = strings.TrimSuffix(number, " ")
		// ParseFloat also reads "inf", hex and underscores; sizes do not.
		if number == "" || strings.Trim(number, "0123456789.") != "" {
			return refused
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n*unit.bytes >= math.MaxInt64 || n*unit.bytes != math.Trunc(n*unit.bytes) {
			return refused
		}
		s.Bytes = int64(n * unit.bytes)
		return nil
	}
	return refused
}

// String returns the size in its largest whole unit, for example "512 MiB".
func (s ByteSize) String() string {
	for _, unit := range [...]struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s.Bytes >= unit.bytes && s.Bytes%unit.bytes == 0 {
			return fmt.Sprintf("%d %s", s.Bytes/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d B", s.Bytes)
}

// MarshalText writes the form that UnmarshalText reads.
func (s ByteSize) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func shortened(text []byte) string {
	if len(text) > 40 {
		return string(text[:40]) + "..."
	}
	return string(text)
}
