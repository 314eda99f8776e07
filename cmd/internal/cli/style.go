package cli

// Style paints a word on a terminal that shows colours, and nothing elsewhere.
type Style string

// The few colours sealcam uses; meaning is never carried by colour alone.
const (
	Good  Style = "32"
	Bad   Style = "31"
	Warn  Style = "33"
	Faint Style = "2"
	Bold  Style = "1"
)

// Paint returns s in the style st when the terminal shows colours.
func (e *Env) Paint(st Style, s string) string {
	if !e.Colour {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}
