package bridge_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip/cliptest"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// TestFollowsCameras tells the story of two cameras to Home Assistant's broker.
func TestFollowsCameras(t *testing.T) {
	w := newWorld(t)
	door, garden := w.camera("Front door"), w.camera("Garden")
	relay := feed.NewRelay(w.fake)
	stop := w.bridge(relay)
	a := w.assist
	a.state("sealcam-bridge/"+string(w.owner.ID())+"/available", "online")
	a.state(door.topic("online"), "None")
	a.state(door.topic("verdict"), "None")
	none := a.card(door.topic("picture"))

	day := painted(t, 200)
	w.fake.Deliver(door.live("day", day), garden.live("night", painted(t, 20)))
	a.picture(door.topic("picture"), day)
	a.picture(garden.topic("picture"), painted(t, 20))
	a.state(door.topic("online"), "ON")
	a.state(door.topic("light"), "day")
	a.state(garden.topic("light"), "night")
	a.state(door.topic("verdict"), "verified")
	a.state(door.topic("motion"), "OFF")

	walker := painted(t, 90)
	w.fake.Deliver(door.motion(1, walker))
	a.state(door.topic("motion"), "ON")
	a.picture(door.topic("event"), walker)
	a.state(garden.topic("motion"), "OFF")
	w.pass(31 * time.Second)
	a.state(door.topic("motion"), "OFF")
	stale := a.card(door.topic("picture"), none)

	relay.Hostile(true)
	w.fake.Deliver(garden.live("night", painted(t, 21)), door.live("day", painted(t, 201)))
	a.state(door.topic("verdict"), "wrong camera")
	a.card(door.topic("picture"), none, stale)
	if d := a.detail(door.topic("verdict/detail")); d["says"] != seal.WrongCamera.Person() || d["refused"] != 1.0 {
		t.Errorf("the refusal is told as %v", d)
	}
	relay.Hostile(false)
	again := painted(t, 202)
	w.fake.Deliver(door.live("switching", again))
	a.picture(door.topic("picture"), again)
	a.state(door.topic("light"), "switching")
	a.state(door.topic("verdict"), "verified")

	w.fake.Deliver(door.status(seal.Will, "offline"))
	a.state(door.topic("online"), "OFF")
	w.fake.Deliver(door.status(seal.Durable, "running"))
	a.state(door.topic("online"), "ON")
	w.pass(16 * time.Minute)
	a.state(door.topic("online"), "OFF")
	w.fake.SetOffline(feed.ErrOffline)
	a.state(door.topic("online"), "None")

	stop()
	a.state("sealcam-bridge/"+string(w.owner.ID())+"/available", "offline")
	for _, c := range []*camera{door, garden} {
		for _, other := range [][]byte{painted(t, 21), painted(t, 201)} {
			if a.said(c.topic("picture"), string(other)) != 0 {
				t.Error("a swapped picture was shown")
			}
		}
	}
}

// Nothing that a local broker keeps is a picture: it would outlive the bridge.
func TestNoPictureIsKept(t *testing.T) {
	w := newWorld(t)
	door := w.camera("Front door")
	w.bridge(w.fake)
	w.fake.Deliver(door.live("day", painted(t, 1)), door.motion(1, painted(t, 2)))
	w.assist.picture(door.topic("event"), painted(t, 2))
	w.assist.conn.Close()
	late := w.listen()
	late.state(door.topic("motion"), "ON")
	late.state(door.topic("verdict"), "verified")
	late.publish("end-of-what-is-kept", "x")
	late.state("end-of-what-is-kept", "x")
	late.mu.Lock()
	for _, entity := range []string{"picture", "event"} {
		if m, kept := late.stands[door.topic(entity)]; kept {
			t.Errorf("%s is kept: %d bytes", m.Topic, len(m.Payload))
		}
	}
	late.mu.Unlock()
	// Home Assistant has started: it is told everything again once it listens.
	late.publish("homeassistant/status", "online")
	late.state("homeassistant/status", "online")
	w.passUntilTold(late, door)
	late.picture(door.topic("event"), painted(t, 2))
}

// passUntilTold lets time pass until the picture comes again.
func (w *world) passUntilTold(a *assistant, c *camera) {
	w.t.Helper()
	for limit := time.Now().Add(patience); a.said(c.topic("picture"), "") == 0; time.Sleep(50 * time.Millisecond) {
		w.pass(time.Second)
		if time.Now().After(limit) {
			w.t.Fatal("Home Assistant is not told again after its start")
		}
	}
}

// What is late, of a camera without a clock, or seen before is no motion now.
func TestMotionIsNow(t *testing.T) {
	w := newWorld(t)
	door := w.camera("Front door")
	w.bridge(w.fake)
	a := w.assist
	a.until("all is told", func(map[string]mqtt.Message) bool { return a.count(door) >= 16 })
	hour := time.Now().Add(-time.Hour)
	w.fake.Deliver(
		door.seal(seal.Meta{Stream: seal.Durable, Cause: "motion", Event: 1, Taken: hour}, painted(t, 1)),
		door.seal(seal.Meta{Stream: seal.Durable, Cause: "motion", Event: 2, Clock: seal.ClockNone}, painted(t, 2)))
	a.picture(door.topic("event"), painted(t, 2))
	a.state(door.topic("verdict"), "verified")
	if n := a.said(door.topic("motion"), "ON"); n != 0 {
		t.Errorf("motion was on %d times", n)
	}
	part := func(last bool) feed.Item {
		return door.seal(seal.Meta{Stream: seal.Durable, Kind: seal.KindClip, Media: "video/mp4", Cause: "motion", Event: 3, Last: last}, []byte("part"))
	}
	w.fake.Deliver(part(false))
	a.state(door.topic("motion"), "ON")
	w.fake.Deliver(part(true))
	a.state(door.topic("motion"), "OFF")
}

// What the camera says is wrong is a problem, in its words, until it says that it
// is not any more.
func TestProblemIsTold(t *testing.T) {
	w := newWorld(t)
	door := w.camera("Front door")
	w.bridge(w.fake)
	a := w.assist
	a.state(door.topic("problem"), "None")
	w.fake.Deliver(door.says(`{"state":"trouble","troubles":["the lens is covered","no frames from the camera"],"firmware":"v1.4.0","software":{"slot":"b","trial":true},"machine":{"celsius":61.26}}`))
	a.state(door.topic("problem"), "ON")
	a.state(door.topic("temperature"), "61.3")
	if d := a.detail(door.topic("problem/detail")); d["version"] != "v1.4.0" || d["slot"] != "b" || d["trial"] != true {
		t.Errorf("the software is told as %v", d)
	}
	if d := a.detail(door.topic("problem/detail")); d["says"] != "the lens is covered; no frames from the camera" {
		t.Errorf("the problem is told as %v", d)
	}
	w.fake.Deliver(door.says(`{"state":"running","machine":{"celsius":9999}}`))
	a.state(door.topic("problem"), "OFF")
	a.state(door.topic("temperature"), "None")
	w.fake.Deliver(door.says(`{"state":"privacy"}`), door.live("day", painted(t, 1)))
	a.picture(door.topic("picture"), painted(t, 1))
	if n := a.said(door.topic("problem"), "ON"); n != 1 {
		t.Errorf("there was a problem %d times", n)
	}
}

// Of the last event's clip it is told what has come.
func TestClipIsTold(t *testing.T) {
	w := newWorld(t)
	door := w.camera("Front door")
	w.bridge(w.fake)
	a := w.assist
	for _, c := range []struct {
		part uint32
		last bool
		want string
	}{
		{0, false, "clip of event 7: 1 part, 1.0 s; its end has not come"},
		{2, true, "clip of event 7: 2 of 3 parts, 3.0 s; part 2 missing (1.0 s to 2.0 s)"},
		{1, false, "clip of event 7: 3 parts, 3.0 s"},
	} {
		w.fake.Deliver(door.seal(seal.Meta{Stream: seal.Durable, Kind: seal.KindClip, Media: "video/mp4", Event: 7, Part: c.part, Last: c.last}, cliptest.Part(c.part, "head")))
		a.until(c.want, func(all map[string]mqtt.Message) bool {
			return strings.Contains(string(all[door.topic("event/detail")].Payload), `"clip":"`+c.want+`"`)
		})
	}
	if d := a.detail(door.topic("event/detail")); d["clip_parts"] != 3.0 || d["clip_whole"] != true {
		t.Errorf("the clip is told as %v", d)
	}
}

// What a broker has kept is no sign of life of a camera whose last will it has
// kept, too.
func TestKeptIsNoSignOfLife(t *testing.T) {
	w := newWorld(t)
	door := w.camera("Front door")
	w.bridge(w.fake)
	a := w.assist
	a.until("all is told", func(map[string]mqtt.Message) bool { return a.count(door) >= 16 })
	kept := func(it feed.Item) feed.Item { it.Retained = true; return it }
	w.fake.Deliver(kept(door.status(seal.Will, "offline")), kept(door.live("day", painted(t, 1))))
	a.state(door.topic("online"), "OFF")
	a.picture(door.topic("picture"), painted(t, 1))
	if a.said(door.topic("online"), "ON") != 0 {
		t.Error("the camera was told to be online")
	}
	w.fake.Deliver(door.live("day", painted(t, 2)))
	a.state(door.topic("online"), "ON")
}

func TestGapsAreTold(t *testing.T) {
	w := newWorld(t)
	door := w.camera("Front door")
	w.bridge(w.fake)
	a := w.assist
	first := door.motion(1, painted(t, 1))
	missing := []feed.Item{door.motion(2, painted(t, 2)), door.motion(3, painted(t, 3))}
	w.fake.Deliver(first, door.motion(4, painted(t, 4)))
	a.state(door.topic("missing"), "2")
	a.until("the gap in words", func(all map[string]mqtt.Message) bool {
		return strings.Contains(string(all[door.topic("missing/detail")].Payload), "2 missing between")
	})
	w.fake.Deliver(missing...)
	a.state(door.topic("missing"), "0")
	a.picture(door.topic("event"), painted(t, 4)) // what came late replaces nothing
	if a.said(door.topic("event"), string(painted(t, 2))) != 0 {
		t.Error("what came late was shown as the last event")
	}
}

// A camera that is the household's no more leaves nothing behind, whether the
// bridge runs meanwhile or not; another household's stays.
func TestRemovedCameraIsCleared(t *testing.T) {
	w := newWorld(t)
	door, garden := w.camera("Front door"), w.camera("Garden")
	other := newWorld(t) // neighbours, with the same broker at home
	other.local = w.local
	shed := other.camera("Shed")
	other.bridge(other.fake)
	a := w.assist
	a.state(shed.topic("online"), "None")
	stop := w.bridge(w.fake)
	w.fake.Deliver(door.live("day", painted(t, 1)), garden.live("day", painted(t, 2)))
	a.state(garden.topic("verdict"), "verified")
	a.state(door.topic("verdict"), "verified")
	check(t, w.owner.RemoveCamera(door.id))
	a.until("the door is gone", gone(door))
	if topics := a.about(garden); len(topics) < 16 {
		t.Errorf("of the garden there is only %q", topics)
	}
	stop()
	check(t, w.owner.RemoveCamera(garden.id))
	w.bridge(w.fake)
	a.until("the garden is gone", gone(garden))
	if topics := a.about(shed); len(topics) < 16 {
		t.Errorf("of another household's camera there is only %q", topics)
	}
}

func gone(c *camera) func(map[string]mqtt.Message) bool {
	return func(all map[string]mqtt.Message) bool {
		for topic := range all {
			if strings.Contains(topic, string(c.id)) {
				return false
			}
		}
		return true
	}
}

func (a *assistant) about(c *camera) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.topics(c)
}

// count is for until, which holds a.mu.
func (a *assistant) count(c *camera) int { return len(a.topics(c)) }

func (a *assistant) topics(c *camera) (topics []string) {
	for topic := range a.stands {
		if strings.Contains(topic, string(c.id)) {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return topics
}

// What Home Assistant wants of each platform by discovery, from its
// documentation and the schemas of its mqtt integration: keys that must be
// there, and all that may be.
var (
	shared = []string{
		"name", "unique_id", "availability_topic", "payload_available", "payload_not_available", "device", "origin",
		"entity_category", "icon", "json_attributes_topic",
	}
	platforms = map[string]struct{ must, may []string }{
		"camera":        {[]string{"topic"}, nil},
		"image":         {[]string{"image_topic"}, []string{"content_type"}},
		"binary_sensor": {[]string{"state_topic"}, []string{"device_class", "payload_on", "payload_off"}},
		"sensor":        {[]string{"state_topic"}, []string{"device_class", "options", "unit_of_measurement"}},
	}
	discoveryTopic = regexp.MustCompile(`^homeassistant/(\w+)/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)/config$`)
)

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	door := w.camera("Front door")
	w.bridge(w.fake)
	a := w.assist
	w.fake.Deliver(door.live("day", painted(t, 1)))
	a.until("every entity, with the firmware", func(all map[string]mqtt.Message) bool {
		n := 0
		for topic, m := range all {
			if discoveryTopic.MatchString(topic) && strings.Contains(string(m.Payload), `"sw_version":"7"`) {
				n++
			}
		}
		return n == 8
	})
	ids, classes := map[string]bool{}, map[string]string{}
	for topic, m := range a.stands {
		parts := discoveryTopic.FindStringSubmatch(topic)
		if parts == nil {
			continue
		}
		var e map[string]any
		check(t, json.Unmarshal(m.Payload, &e))
		want, known := platforms[parts[1]]
		if !known {
			t.Errorf("%s: no platform of Home Assistant's", topic)
		}
		for key := range e {
			if !slices.Contains(slices.Concat(shared, want.must, want.may), key) {
				t.Errorf("%s: %s does not belong there", topic, key)
			}
		}
		for _, key := range slices.Concat(want.must, shared[:7]) {
			if _, there := e[key]; !there {
				t.Errorf("%s: %s is missing", topic, key)
			}
		}
		id, _ := e["unique_id"].(string)
		if ids[id] || !strings.Contains(id, string(door.id)) {
			t.Errorf("%s: unique_id %q", topic, id)
		}
		ids[id] = true
		dev, _ := e["device"].(map[string]any)
		if dev["name"] != "Front door" || len(dev["identifiers"].([]any)) != 1 {
			t.Errorf("%s: device %v", topic, dev)
		}
		if o, _ := e["origin"].(map[string]any); o["name"] == "" || o["sw_version"] != "1.2" {
			t.Errorf("%s: origin %v", topic, e["origin"])
		}
		if state, ok := e["state_topic"].(string); ok {
			if _, stands := a.stands[state]; !stands {
				t.Errorf("%s: nothing on %s", topic, state)
			}
		}
		classes[parts[3]], _ = e["device_class"].(string)
	}
	for entity, class := range map[string]string{"motion": "motion", "online": "connectivity", "light": "enum"} {
		if classes[entity] != class {
			t.Errorf("%s has class %q, want %q", entity, classes[entity], class)
		}
	}
}
