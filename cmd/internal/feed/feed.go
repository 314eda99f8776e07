// Package feed is a viewer's way to its cameras: what they published, as it
// comes, and a way back to them.
//
// Four things are a Feed: Broker, over MQTT; Keeper, over HTTPS, which is an Archive
// too: it has what was published while nobody read; Relay, which stands between
// another Feed and a viewer and can be made hostile; and Fake, for tests. Join makes
// several into one.
//
// Messages that a camera sent in pieces are put together here: nobody behind a Feed
// knows of pieces.
//
// What this package does not do: it opens no seal and believes nothing. The
// camera of an Item is what a topic said, which is a hint about whose picture
// it might be and never proof. It keeps nothing for later.
package feed

import (
	"context"
	"errors"
	"strings"

	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// The kinds of Item, which are the last parts of topics. Upwards:
const (
	Hello  = "hello"
	Status = "status"
	Live   = "live"
	Media  = "media"
	View   = "view" // frames of live view, of feeds that want them
	// Recording has what a viewer has fetched. Only who asks for it reads it.
	Recording = "recording"

	pieces = piece.Topic // of Live and Media; no Item has this kind
)

// Downwards:
const (
	Roster  = "roster" // also upwards: a viewer may learn of a newer one
	Command = "cmd"
	// Settings, with a slash and a level for each target, has what cameras shall be set
	// to. The broker keeps it, and viewers do not read it.
	Settings = "settings"
)

// Item is one message as it came from the broker.
type Item struct {
	Camera   seal.CameraID // of the topic: a hint, never proof
	Kind     string        // Hello, Status, Live, Media, View, Recording or Roster
	Sealed   []byte        // nobody writes to it any more
	Retained bool          // the broker had kept it: it is not news
	Stored   bool          // an Archive had kept it: it is news to who was away
	Asked    bool          // with Archive.Fill
}

// Feed is what viewers read from.
type Feed interface {
	// Run hands every Item to each, one at a time, until ctx ends, and then
	// returns ctx's error. Only one Run of a Feed may be running.
	Run(ctx context.Context, each func(Item)) error
	// Send publishes payload to the topic kind (Command, or Roster and Settings, which
	// the broker keeps) of a camera, and returns when the broker has it. Without a
	// connection it is ErrOffline at once. It is safe for concurrent use.
	Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error
	// Link says whether the broker is reached, and if not, why, for a person to
	// read. It is safe for concurrent use.
	Link() (up bool, why string)
}

// ErrOffline says that there is no connection to send on.
var ErrOffline = errors.New("no connection to the broker")

const topicRoot = "sealcam/v1/"

// Filters returns the topic filters of what a viewer reads, but for View.
func Filters() []string {
	var filters []string
	for _, kind := range []string{Roster, Hello, Status, Live, Media, pieces} {
		filters = append(filters, topicRoot+"+/"+kind)
	}
	return filters
}

// Topic returns the topic of one kind of one camera.
func Topic(camera seal.CameraID, kind string) string {
	return topicRoot + string(camera) + "/" + kind
}

// parseTopic is the inverse of Topic, for the kinds that a viewer reads.
func parseTopic(topic string) (camera seal.CameraID, kind string, ok bool) {
	rest, ok := strings.CutPrefix(topic, topicRoot)
	if !ok {
		return "", "", false
	}
	id, kind, _ := strings.Cut(rest, "/")
	camera, err := seal.ParseCameraID(id)
	switch kind {
	case Hello, Status, Live, Media, View, Recording, Roster, pieces:
		return camera, kind, err == nil
	}
	return "", "", false
}
