package seal

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Reason says in one word why something was refused. The set is closed.
type Reason string

// The reasons. SPEC.md says in which order they are looked for.
const (
	Malformed   Reason = "malformed"    // not a message of this format
	BrokenSeal  Reason = "broken seal"  // signature, hash or history does not fit
	WrongCamera Reason = "wrong camera" // a genuine seal of another camera
	NotForYou   Reason = "not for you"  // of another household, or not encrypted to this viewer
	Revoked     Reason = "revoked"      // the camera, or the issuer, is not in the roster
	Replayed    Reason = "replayed"     // seen before, or older than what was seen
	Stale       Reason = "stale"        // past its expiry, or without proof of when
)

// Person returns the reason in words for the person in front of the screen.
func (r Reason) Person() string {
	switch r {
	case Malformed:
		return "This picture is damaged"
	case BrokenSeal:
		return "This picture was changed on its way, or is not from your camera"
	case WrongCamera:
		return "This picture is from another camera"
	case NotForYou:
		return "This picture is meant for somebody else"
	case Revoked:
		return "This camera is not one of your household's"
	case Replayed:
		return "This picture was sent before and is not new"
	case Stale:
		return "This picture is too old to be shown as now"
	}
	return "This picture could not be verified"
}

// Refusal is the error of everything in this package that judges bytes from
// outside.
type Refusal struct {
	Reason Reason
	Camera CameraID // the camera the screen, or the command, is about; may be empty
	Detail string   // one line for those who want to know: ids, sequence, which check
	Err    error    // cause in a library, or nil

	// Seq is the place in the durable sequence that a message with a changed body
	// was sealed for, by the word of the camera that it names; 0 if that is not
	// known. It says where something is missing, and nothing else.
	Seq uint64

	// Duplicate is set with Replayed when exactly this message was accepted
	// before, and, if it is live, none newer: networks deliver twice, brokers
	// retain, and nothing is wrong. Check may be asked whether it can be drawn
	// again.
	Duplicate bool
	// Alarm is set when a genuine signature contradicts what the camera signed
	// before: its key was copied, or its memory was set back.
	Alarm bool
}

// Error returns reason and detail in one line.
func (r *Refusal) Error() string {
	s := "refused: " + string(r.Reason)
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return printable(s)
}

// printable makes s safe for a terminal and a log: errors of libraries may quote
// what they were given, and that is a stranger's.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxError {
		s = strings.ToValidUTF8(s[:maxError], "") + "..."
	}
	return s
}

const maxError = 400 // bytes of an error's text

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// ReasonOf returns the reason of a refusal, or "" for any other error.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

func refuseErr(reason Reason, detail string, err error) *Refusal {
	return &Refusal{Reason: reason, Detail: detail, Err: err}
}

func alarm(format string, args ...any) *Refusal {
	r := refuse(BrokenSeal, format, args...)
	r.Alarm = true
	return r
}

// about names the camera in err, if err is a refusal, and returns it.
func about(camera CameraID, err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		r.Camera = camera
	}
	return err
}
