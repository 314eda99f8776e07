package drill

import (
	"errors"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

// subject is a viewer that is put through the drill. Its errors are those of the
// drill, not of what it was given. It is not safe for concurrent use.
type subject interface {
	// begin makes it a viewer of a household, that has seen nothing.
	begin(h *household, key *seal.ViewerKey, r *roster) error
	roster(r *roster) error
	open(now time.Time, screen seal.CameraID, sealed []byte) (answer, error)
	reconnect() error
	forget() error
	// gaps returns which durable messages of a camera it knows to be missing.
	gaps(camera seal.CameraID) ([]span, error)
	// clip returns what it says of a clip; false if it joins no parts.
	clip(camera seal.CameraID, boot [16]byte, event uint64) (statement, bool, error)
	close() error
}

// answer is what a viewer does with what arrived.
type answer struct {
	shown bool

	// What is shown, and as what.

	camera seal.CameraID
	stream seal.Stream
	seq    uint64
	media  []byte

	reason string // why nothing is shown
	alarm  bool
}

type span struct{ first, last uint64 }

// openers is a subject that is what sealcam's own viewers are.
type openers struct {
	key    *seal.ViewerKey
	home   *household
	now    time.Time
	opener *seal.Opener
	films  films
}

func (o *openers) begin(h *household, key *seal.ViewerKey, r *roster) error {
	o.home, o.key, o.films = h, key, films{}
	return o.make(r.opened, nil)
}

func (o *openers) make(r *seal.Roster, state []byte) (err error) {
	o.opener, err = seal.NewOpener(seal.OpenerConfig{
		Household: o.home.id, Roster: r, Key: o.key, State: state,
		Now: func() time.Time { return o.now },
	})
	return err
}

func (o *openers) roster(r *roster) error { return o.opener.SetRoster(r.opened) }

func (o *openers) open(now time.Time, screen seal.CameraID, sealed []byte) (answer, error) {
	o.now = now
	v, err := o.opener.Open(screen, sealed)
	if err != nil {
		var r *seal.Refusal
		if !errors.As(err, &r) {
			return answer{}, fmt.Errorf("an opener that fails: %w", err)
		}
		return answer{reason: string(r.Reason), alarm: r.Alarm}, nil
	}
	o.films.add(v)
	m := v.Meta()
	camera, media := v.Media()
	return answer{shown: true, camera: camera, stream: m.Stream, seq: m.Seq, media: media}, nil
}

func (o *openers) reconnect() error { return o.make(o.opener.Roster(), o.opener.State()) }

func (o *openers) forget() error {
	o.films = films{}
	return o.make(o.opener.Roster(), nil)
}

func (o *openers) clip(camera seal.CameraID, boot [16]byte, event uint64) (statement, bool, error) {
	s, err := o.films.say(clip.Key{Camera: camera, Boot: boot, Event: event})
	return s, true, err
}

func (o *openers) gaps(camera seal.CameraID) (spans []span, err error) {
	for _, g := range o.opener.Gaps(camera) {
		spans = append(spans, span{g.First, g.Last})
	}
	return spans, nil
}

func (o *openers) close() error { return nil }
