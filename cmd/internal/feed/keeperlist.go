package feed

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Bounds of lists.
const (
	pageSize = 100  // entries of one camera that are listed ahead
	maxPage  = 1000 // entries that any list may have
)

// entry is what a keeper's list says of one message: a hint, like a topic.
type entry struct {
	hash     [32]byte
	camera   seal.CameraID
	stream   seal.Stream
	seq      uint64
	kind     string
	size     int // bytes
	received time.Time
	cursor   uint64 // place in the keeper's order; 0 for what it does not keep
	retained bool
}

// page is one answer to a question for a list.
type page struct {
	entries []entry
	more    bool
}

// span is durable messages of a camera that are wanted: from..to, both included.
type span struct {
	camera   seal.CameraID
	from, to uint64
}

// errList says that a list is not what was asked for.
var errList = errors.New("the keeper's list is not what was asked for")

// UnmarshalJSON reads an entry, and refuses what no message could be.
func (e *entry) UnmarshalJSON(b []byte) error {
	var j struct {
		Hash, Camera, Stream, Kind string
		Seq, Cursor                uint64
		Size                       int
		Received                   time.Time
		Retained                   bool
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	camera, err := seal.ParseCameraID(j.Camera)
	if err != nil {
		return err
	}
	hash, err := hex.DecodeString(j.Hash)
	if err != nil || len(hash) != 32 {
		return fmt.Errorf("%w: hash %.80q", errList, j.Hash)
	}
	stream := streamOf(j.Stream)
	switch {
	case stream == 0 || !keptKind(j.Kind):
		return fmt.Errorf("%w: a message of stream %.20q and kind %.20q", errList, j.Stream, j.Kind)
	case j.Size < 1 || j.Size > seal.MaxSealed:
		return fmt.Errorf("%w: a message of %d bytes", errList, j.Size)
	}
	*e = entry{[32]byte(hash), camera, stream, j.Seq, j.Kind, j.Size, j.Received, j.Cursor, j.Retained}
	return nil
}

func streamOf(name string) seal.Stream {
	for s := seal.Durable; s <= seal.View; s++ {
		if s.String() == name {
			return s
		}
	}
	return 0
}

func keptKind(kind string) bool {
	switch kind {
	case Status, Live, Media, View, Recording:
		return true
	}
	return false
}

// page asks for a list of messages.
func (a *api) page(ctx context.Context, u *url.URL) (page, error) {
	var j struct {
		Entries []entry
		More    bool
	}
	if err := a.list(ctx, u, &j); err != nil {
		return page{}, err
	}
	if len(j.Entries) > maxPage {
		return page{}, fmt.Errorf("%w: %d messages at once", errList, len(j.Entries))
	}
	return page{j.Entries, j.More}, nil
}

// check refuses a page that is not of s, or does not rise.
func (p page) check(s span) error {
	next := s.from
	for _, e := range p.entries {
		if e.camera != s.camera || e.stream != seal.Durable || e.seq < next || e.seq > s.to {
			return fmt.Errorf("%w: %s message %d of camera %.12s, but %d to %d of %.12s were", errList, e.stream, e.seq, e.camera, next, s.to, s.camera)
		}
		next = e.seq + 1
	}
	return nil
}

// kept is what a keeper says that it has of a camera.
type kept struct {
	id   seal.CameraID
	last uint64
}

// cameras lists what there is of which camera.
func (a *api) cameras(ctx context.Context) ([]kept, error) {
	var j struct {
		Cameras []struct {
			ID   string
			Last uint64
		}
	}
	if err := a.list(ctx, a.of("cameras"), &j); err != nil {
		return nil, err
	}
	if len(j.Cameras) > 2*seal.MaxCameras {
		return nil, fmt.Errorf("%w: %d cameras", errList, len(j.Cameras))
	}
	var all []kept
	seen := map[seal.CameraID]bool{}
	for _, c := range j.Cameras {
		id, err := seal.ParseCameraID(c.ID)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errList, err)
		}
		if seen[id] {
			return nil, fmt.Errorf("%w: camera %.12s twice", errList, id)
		}
		seen[id] = true
		all = append(all, kept{id, c.Last})
	}
	return all, nil
}
