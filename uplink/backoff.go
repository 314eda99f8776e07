package uplink

import (
	"math/rand/v2"
	"strings"
	"time"
)

// Pauses between attempts to connect. Each is drawn evenly between nothing and a
// length (full jitter), so that attempts which began in one moment do not stay
// together: not those of a street whose power came back, and not those of a fleet
// whose broker was started again. The length doubles from the first to the longest.
const (
	firstPause   = time.Second
	longestPause = 2 * time.Minute
	// MaxSpread is the longest Config.Spread: longer, and a camera is more often
	// away than there.
	MaxSpread = time.Hour
)

// backoff says how long to wait for the next attempt.
type backoff struct {
	spread time.Duration // no length is shorter; 0 for none that was asked for
	length time.Duration // of the next pause
}

func newBackoff(spread time.Duration) backoff {
	b := backoff{spread: spread}
	b.reset()
	return b
}

// reset begins anew, after a connection that was worth something.
func (b *backoff) reset() { b.length = firstPause }

// start is how long to wait for the very first attempt. A home's camera does not
// wait; those of a fleet may all have begun in the same moment.
func (b *backoff) start(part float64) time.Duration {
	return time.Duration(part * float64(b.spread))
}

// next is how long to wait after an attempt. part is random, in [0,1).
func (b *backoff) next(part float64) time.Duration {
	pause := time.Duration(part * float64(max(b.length, b.spread)))
	b.length = min(2*b.length, longestPause)
	return pause
}

// brokers are the URLs of one broker's nodes, and which of them is tried next.
type brokers struct {
	urls []string
	at   int
}

// newBrokers takes URLs apart at commas. Cameras begin at different ones.
func newBrokers(list string) brokers {
	b := brokers{}
	for url := range strings.SplitSeq(list, ",") {
		b.urls = append(b.urls, strings.TrimSpace(url))
	}
	b.at = rand.IntN(len(b.urls))
	return b
}

func (b *brokers) url() string { return b.urls[b.at] }

// other goes on to the next URL, after one that gave no connection, or no longer does.
func (b *brokers) other() { b.at = (b.at + 1) % len(b.urls) }
