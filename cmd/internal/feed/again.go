package feed

import (
	"context"
	"time"
)

// Waiting times between attempts to connect.
const (
	firstWait = time.Second
	maxWait   = 30 * time.Second
	// steady is how long a connection must have lasted for the next attempt to
	// start over with firstWait.
	steady = 10 * time.Second
)

// again holds session after session, with growing and random pauses between them,
// until ctx ends, and returns ctx's error. A session returns for how long it was of
// use. lost is told why one ended, and whether that is news: each trouble is, once.
func again(ctx context.Context, jitter func() float64, session func(context.Context) (time.Duration, error), lost func(err error, news bool)) error {
	wait, told := time.Duration(0), ""
	for {
		lasted, err := session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		lost(err, err.Error() != told)
		told = err.Error()
		if lasted > 0 {
			told = ""
		}
		wait = min(2*wait, maxWait)
		if wait == 0 || lasted >= steady {
			wait = firstWait
		}
		// Between half and all of the wait, so that a thousand viewers do not
		// come back to a restarted broker in one moment.
		pause := wait/2 + time.Duration(jitter()*float64(wait/2))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
