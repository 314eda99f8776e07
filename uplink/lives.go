package uplink

import (
	"errors"
	"time"
)

// lives numbers live pictures, upwards over boots. A boot that is on record has
// half a range of numbers for itself, more than a camera gets through. One that
// could not be recorded, on a disk that has become read-only, may be followed by
// another of the same number: there the seconds since 2024 count, and there is no
// more than one picture for each, for a number that is used twice accuses the
// camera of having been copied.
type lives struct {
	boot    uint64 // first number of the boot's range
	counted bool
	seq     uint64 // used last
}

// ErrUncounted says that a live picture has to wait.
var ErrUncounted = errors.New("the disk cannot count this boot: one live picture a second, and none until the clock is set")

func newLives(boot uint64, counted bool, now time.Time) lives {
	l := lives{boot: boot << 32, counted: counted}
	l.seq = l.boot + 1<<31
	if !counted {
		l.seq = l.upTo(now)
	}
	return l
}

// upTo is the highest number of an uncounted boot at the time now.
func (l lives) upTo(now time.Time) uint64 {
	return l.boot + uint64(min(max(0, now.Unix()-before2024.Unix()), 1<<31-1))
}

// next returns the number of the next picture. It uses up nothing.
func (l lives) next(now time.Time) (uint64, error) {
	if !l.counted && l.seq >= l.upTo(now) {
		return 0, ErrUncounted
	}
	return l.seq + 1, nil
}
