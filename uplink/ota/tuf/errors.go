package tuf

import (
	"errors"
	"fmt"
)

// The reasons for which something of a repository is refused. errors.Is finds
// them in what this package returns.
var (
	ErrMalformed   = errors.New("not well formed")
	ErrTooLarge    = errors.New("larger than allowed")
	ErrSlow        = errors.New("arrives too slowly")
	ErrAbsent      = errors.New("not in the repository")
	ErrUnreachable = errors.New("repository not reachable")
	ErrWrongRole   = errors.New("metadata of another role")
	ErrUnsigned    = errors.New("not signed by any key of its role")
	ErrThreshold   = errors.New("signed by too few keys of its role")
	ErrRootVersion = errors.New("root versions do not follow each other")
	ErrRotations   = errors.New("too many root rotations at once")
	ErrRollback    = errors.New("older than what was accepted before")
	ErrExpired     = errors.New("expired")
	ErrMixed       = errors.New("does not belong to the rest of the metadata")
	ErrDelegation  = errors.New("delegates, which is not allowed here")
	ErrProduct     = errors.New("not meant for this camera")
	ErrLength      = errors.New("has another length than was signed")
	ErrHash        = errors.New("has another hash than was signed")
	ErrHeldOff     = errors.New("was wrong before and is not tried yet")
	ErrSpace       = errors.New("too little free space")
	ErrStore       = errors.New("cannot be stored")
)

// Error says what was refused, and why.
type Error struct {
	What   string // the file, such as "timestamp.json"
	Reason error  // one of the reasons above
	Detail string // what was found; may be empty
	Err    error  // what caused it; may be nil
}

func (e *Error) Error() string {
	s := e.What + ": " + e.Reason.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap lets errors.Is find the reason, and errors.As the cause.
func (e *Error) Unwrap() []error { return []error{e.Reason, e.Err} }

// Hint tells a person what to do about it.
func (e *Error) Hint() string {
	switch e.Reason {
	case ErrExpired:
		return "if the camera's clock is right, the repository was not renewed (sealcam release renew) or an old copy of it is being served"
	case ErrUnreachable, ErrSlow:
		return "check the network and the address of the repository; what has arrived is kept and continued"
	case ErrAbsent:
		return "check the address: it has the folders metadata and targets (sealcam release serve)"
	case ErrSpace:
		return "free space where the camera keeps its state"
	case ErrStore:
		return "check the disk that holds the camera's state: full, read-only or worn out"
	case ErrRotations:
		return "check again: what was accepted is kept, and the next check goes on from there"
	case ErrHeldOff:
		return "publish the release again under a new number, or wait"
	}
	return "nothing was installed; check whether the repository was published as a whole, then who else can write to it"
}

func refuse(what string, reason error, format string, a ...any) *Error {
	return &Error{What: what, Reason: reason, Detail: fmt.Sprintf(format, a...)}
}
