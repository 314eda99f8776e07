package cli

import "strings"

// Printable keeps what a terminal shows as itself, in at most limit characters:
// no control, no change of direction, nothing invisible. What comes from elsewhere is
// printed through it.
func Printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == '\ufeff' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if runes := []rune(s); len(runes) > limit {
		s = string(runes[:limit-1]) + "…"
	}
	return strings.TrimRight(s, " ")
}
