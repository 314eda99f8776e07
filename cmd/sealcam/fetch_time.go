package main

import (
	"fmt"
	"strings"
	"time"
)

// momentOf returns the moment that a person means, in whole seconds: "now", "-10m"
// (ago), "14:05" or "14:05:30" (the last time it was that late), "2026-11-22 14:05:30"
// with or without seconds, all local, or a time of RFC 3339.
func momentOf(said string, now time.Time) (time.Time, error) {
	if said == "now" {
		return now.Truncate(time.Second), nil
	}
	if strings.HasPrefix(said, "-") {
		ago, err := time.ParseDuration(said)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q is no time: expected for example -10m or -1h30m", said)
		}
		return now.Add(ago).Truncate(time.Second), nil
	}
	for _, form := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(form, said); err == nil {
			t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location())
			if t.After(now) {
				t = t.AddDate(0, 0, -1)
			}
			return t, nil
		}
	}
	for _, form := range []string{time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(form, said, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, said); err == nil {
		return t.Truncate(time.Second), nil
	}
	return time.Time{}, fmt.Errorf(`%q is no time: expected "14:05", "2026-11-22 14:05:30", "-10m" or "now"`, said)
}
