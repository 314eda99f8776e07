// Package clip joins the verified parts of clips into films, on the viewer's
// side: bench, watch, the page and whoever fetches recordings.
//
// Each part is a whole MP4 that plays alone; the film is the first part and what
// stands behind the heads of the others. Because every part says when it begins on
// the clip's own clock, a part that is missing is a pause in the film, and the
// rest stands where it belongs. What a film lacks, Film.Words says.
//
// A film can be published with a proof (WriteProof), with which Check shows
// anybody, without any key, that a camera sealed each of its parts; Check names
// the parts that are missing, were changed, stand twice or in another order.
//
// What this package does not do: it verifies no seal, which is why it takes
// nothing but *seal.Verified; it decodes no picture, opens no file, and links no
// camera code, so that it builds for js/wasm too.
package clip

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Media is the media type of a part and of a film.
const Media = "video/mp4"

// MaxParts bounds the number of parts that a Film takes: an hour of seconds,
// and as many again. What a camera numbers beyond that is no part of a clip.
const MaxParts = 7200

// ErrPart is the error for what is no part of the film.
var ErrPart = errors.New("not a part of this clip")

// Key names a clip: no other has the same, of any camera at any time.
type Key struct {
	Camera seal.CameraID
	Boot   [16]byte
	Event  uint64
}

// KeyOf returns the clip that v is a part of. It reports false for other messages.
func KeyOf(v *seal.Verified) (Key, bool) { return keyOf(v.Camera(), v.Meta()) }

func keyOf(camera seal.CameraID, m seal.Meta) (Key, bool) {
	return Key{camera, m.Boot, m.Event}, m.Stream == seal.Durable && m.Kind == seal.KindClip && m.Media == Media && m.Event != 0
}

// differs says in what a part of k is not one of want.
func (k Key) differs(want Key) error {
	switch {
	case k.Camera != want.Camera:
		return fmt.Errorf("%w: it is of camera %.12s", ErrPart, k.Camera)
	case k.Boot != want.Boot && k.Event == want.Event:
		return fmt.Errorf("%w: it is of an event %d before or after the camera was restarted", ErrPart, k.Event)
	case k != want:
		return fmt.Errorf("%w: it is of event %d", ErrPart, k.Event)
	}
	return nil
}

// Split divides a part into its head (ftyp, moov: how the media is decoded) and
// its body (moof, mdat: the media and its times). Both lie in data. The error
// wraps ErrPart for everything else than a part as cameras make them.
func Split(data []byte) (head, body []byte, err error) {
	order := []string{"ftyp", "moov", "moof", "mdat"}
	cut := 0
	for at, i := 0, 0; at < len(data) || i < len(order); i++ {
		if i == len(order) || len(data)-at < 8 || string(data[at+4:at+8]) != order[i] {
			return nil, nil, fmt.Errorf("%w: no MP4 of one fragment", ErrPart)
		}
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if size < 8 || size > int64(len(data)-at) {
			return nil, nil, fmt.Errorf("%w: a box of %d bytes in %d", ErrPart, size, len(data)-at)
		}
		if at += int(size); order[i] == "moov" {
			cut = at
		}
	}
	return data[:cut:cut], data[cut:], nil
}
