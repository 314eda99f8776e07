package seal

import (
	"fmt"
	"strings"
)

// Roles say what a viewer may. Nobody but an owner closes or resets a camera, or
// changes the roster.
type Roles uint8

// The roles of a viewer, any of them together.
const (
	// MayWatch: cameras seal to it; it asks for pictures, live view and recordings,
	// says what has arrived and asks for what is missing, and reads from keepers.
	MayWatch Roles = 1 << iota
	// MayCommand: it signs settings, and all commands that are neither of MayWatch
	// nor an owner's.
	MayCommand
	// MayAdd: it takes cameras into the household (SignAddition).
	MayAdd

	// DefaultRoles are those of a viewer of which the roster says nothing else.
	DefaultRoles = MayWatch | MayCommand
	allRoles     = MayWatch | MayCommand | MayAdd
)

// May reports whether v has all of the roles; Roles of 0 are DefaultRoles.
func (v Viewer) May(roles Roles) bool {
	have := v.Roles
	if have == 0 {
		have = DefaultRoles
	}
	return have&roles == roles
}

var roleNames = [...]string{"watch", "command", "add"}

// String returns the roles as ParseRoles reads them: "watch,command".
func (r Roles) String() string {
	if r == 0 {
		r = DefaultRoles
	}
	var names []string
	for i, name := range roleNames {
		if r>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParseRoles reads roles with commas between them, such as "watch,add".
func ParseRoles(s string) (Roles, error) {
	var r Roles
next:
	for word := range strings.SplitSeq(s, ",") {
		for i, name := range roleNames {
			if word == name && r>>i&1 == 0 {
				r |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("seal: roles %.60q: expected some of %s, each once, with commas between them", s, strings.Join(roleNames[:], ","))
	}
	return r, nil
}

// check says whether the number n may stand for the roles of a viewer, with a
// signing key or without: what DefaultRoles say by being absent is not said again.
func checkRoles(n uint64, key bool) error {
	r := Roles(n)
	switch {
	case n == 0:
		return nil
	case n > uint64(allRoles) || r == DefaultRoles:
		return fmt.Errorf("roles %d", n)
	case r != MayWatch && !key:
		return fmt.Errorf("roles %s of a viewer that has no key to sign with", r)
	}
	return nil
}
