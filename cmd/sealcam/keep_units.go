package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// span is a flag of time that knows days: 30d, 12h, 90m.
type span time.Duration

// String implements flag.Value.
func (s span) String() string {
	if d := time.Duration(s); d != 0 && d%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	return time.Duration(s).String()
}

// Set implements flag.Value.
func (s *span) Set(text string) error {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > 36500 {
			return fmt.Errorf("%q: expected days such as 30d", text)
		}
		*s = span(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("%q: expected a time such as 30d or 12h", text)
	}
	*s = span(d)
	return nil
}

// volume is a flag of bytes that knows powers of 1024: 500M, 50G, 2T.
type volume int64

const sizeUnits = "KMGTP"

// String implements flag.Value.
func (s volume) String() string {
	n, unit := float64(s), ""
	for i := 0; n >= 1024 && i < len(sizeUnits); i++ {
		n, unit = n/1024, sizeUnits[i:i+1]
	}
	if unit == "" {
		return strconv.FormatInt(int64(s), 10) + " bytes"
	}
	return strconv.FormatFloat(math.Round(10*n)/10, 'f', -1, 64) + unit
}

// Set implements flag.Value.
func (s *volume) Set(text string) error {
	digits, factor := text, uint64(1)
	if n := len(text); n > 0 {
		if i := strings.IndexByte(sizeUnits, text[n-1]); i >= 0 {
			digits, factor = text[:n-1], 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt64/factor {
		return fmt.Errorf("%q: expected a size such as 500M or 50G", text)
	}
	*s = volume(n * factor)
	return nil
}
