package feed

import (
	"testing"

	"github.com/sealcam/sealcam/uplink/seal"
)

// FuzzTopic: a topic that is understood is the one topic of its camera and kind.
func FuzzTopic(f *testing.F) {
	f.Add("sealcam/v1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/media")
	f.Add("sealcam/v1//media/")
	f.Fuzz(func(t *testing.T, topic string) {
		camera, kind, ok := parseTopic(topic)
		if !ok {
			return
		}
		if _, err := seal.ParseCameraID(string(camera)); err != nil || Topic(camera, kind) != topic {
			t.Fatalf("%q is %q of %q", topic, kind, camera)
		}
	})
}
