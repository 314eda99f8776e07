package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Credentials give what a connection to the broker is made with. Run calls them,
// and whoever asks for the time; none of them may wait.
type Credentials interface {
	// TLS returns whom to believe and what to show, at the next attempt. The caller
	// owns it.
	TLS() (*tls.Config, error)
	// Tried is told what became of an attempt with what TLS returned: nil once the
	// broker has let the camera in and lets it listen.
	Tried(err error)
	// Changed is sent to when there is something better than what the connection
	// was made with: it is ended in good order then, and made again at once.
	Changed() <-chan struct{}
}

// household is the Credentials of a camera that has its household's certificate
// and no other.
type household struct{ *identity.Camera }

func (household) Tried(error) {}

func (household) Changed() <-chan struct{} { return nil }

// errCredentials ends a connection that is to be made again with others.
var errCredentials = errors.New("connecting again with a new certificate")

// tried tells the credentials what became of an attempt, unless it was given up.
func (u *Uplink) tried(ctx context.Context, err error) {
	if ctx.Err() == nil {
		u.config.Credentials.Tried(err)
	}
}

// Time returns the time by which certificates are judged, and whether the clock
// is known to be right as far as a camera can know. If it is not, the time is one
// that has passed for certain. It is safe for concurrent use.
func (u *Uplink) Time() (t time.Time, known bool) {
	if u.clock() != seal.ClockNone {
		return u.config.Now(), true
	}
	return u.floor(), false
}
