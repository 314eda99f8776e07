package bridge

import (
	"slices"
	"strings"

	"github.com/sealcam/sealcam/uplink/seal"
)

// The entities of a camera; each is the last part of its state topic.
const (
	entPicture = "picture"
	entEvent   = "event"
	entMotion  = "motion"
	entOnline  = "online"
	entLight   = "light"
	entProblem = "problem"
	entVerdict = "verdict"
	entMissing = "missing"
	entWarmth  = "temperature"
)

// platforms says what kind of thing each entity is to Home Assistant, in the
// order in which they are told.
var platforms = []struct{ entity, platform string }{
	{entPicture, "camera"}, {entEvent, "image"}, {entMotion, "binary_sensor"}, {entOnline, "binary_sensor"},
	{entProblem, "binary_sensor"}, {entLight, "sensor"}, {entVerdict, "sensor"}, {entMissing, "sensor"},
	{entWarmth, "sensor"},
}

// root is the first part of every topic of the bridge's but discovery.
const root = "sealcam-bridge"

// names makes the topics of a bridge.
type names struct {
	prefix    string
	household seal.HouseholdID
	version   string
}

// node names a camera of this household in discovery topics, which are shared
// with other bridges.
func (n names) node(id seal.CameraID) string { return n.nodePrefix() + string(id) }

func (n names) nodePrefix() string { return "sealcam_" + string(n.household[:16]) + "_" }

// config is the discovery topic of an entity.
func (n names) config(platform string, id seal.CameraID, entity string) string {
	return n.prefix + "/" + platform + "/" + n.node(id) + "/" + entity + "/config"
}

// leftovers is the filter of discovery topics that tell of every camera that
// any bridge has announced; cameraOf finds those of this household.
func (n names) leftovers() string { return n.prefix + "/camera/+/" + entPicture + "/config" }

// cameraOf returns the camera of this household that a topic of leftovers is about.
func (n names) cameraOf(topic string) (seal.CameraID, bool) {
	rest, ok := strings.CutPrefix(topic, n.prefix+"/camera/"+n.nodePrefix())
	if !ok {
		return "", false
	}
	text, ok := strings.CutSuffix(rest, "/"+entPicture+"/config")
	if !ok {
		return "", false
	}
	id, err := seal.ParseCameraID(text)
	return id, err == nil
}

// state is the topic of what an entity shows now.
func (n names) state(id seal.CameraID, entity string) string {
	return root + "/" + string(id) + "/" + entity
}

// detail is the topic of what there is to know about that, as JSON.
func (n names) detail(id seal.CameraID, entity string) string {
	return n.state(id, entity) + "/detail"
}

// available is the topic that says whether the bridge runs.
func (n names) available() string { return root + "/" + string(n.household) + "/available" }

// birth is the topic on which Home Assistant says that it has started.
func (n names) birth() string { return n.prefix + "/status" }

// all returns every topic of a camera that the local broker may have kept. The
// one by which leftovers are found is the last, so that what is cut short is
// found again.
func (n names) all(id seal.CameraID) []string {
	topics := []string{n.detail(id, entVerdict), n.detail(id, entMissing), n.detail(id, entProblem), n.detail(id, entEvent)}
	for _, p := range platforms {
		topics = append(topics, n.state(id, p.entity))
	}
	for _, p := range slices.Backward(platforms) {
		topics = append(topics, n.config(p.platform, id, p.entity))
	}
	return topics
}
