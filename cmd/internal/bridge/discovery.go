package bridge

import (
	"encoding/json"

	"github.com/sealcam/sealcam/uplink/seal"
)

// entity is what Home Assistant is told of one entity by MQTT discovery, see
// https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and the page
// of each platform there.
type entity struct {
	Name              *string  `json:"name"` // null: it is what the device is about
	UniqueID          string   `json:"unique_id"`
	Topic             string   `json:"topic,omitempty"`       // of a camera
	ImageTopic        string   `json:"image_topic,omitempty"` // of an image
	ContentType       string   `json:"content_type,omitempty"`
	StateTopic        string   `json:"state_topic,omitempty"`
	DetailTopic       string   `json:"json_attributes_topic,omitempty"`
	DeviceClass       string   `json:"device_class,omitempty"`
	EntityCategory    string   `json:"entity_category,omitempty"`
	Options           []string `json:"options,omitempty"`
	PayloadOn         string   `json:"payload_on,omitempty"`
	PayloadOff        string   `json:"payload_off,omitempty"`
	Unit              string   `json:"unit_of_measurement,omitempty"`
	Icon              string   `json:"icon,omitempty"`
	AvailabilityTopic string   `json:"availability_topic"`
	Available         string   `json:"payload_available"`
	NotAvailable      string   `json:"payload_not_available"`
	Device            device   `json:"device"`
	Origin            origin   `json:"origin"`
}

// device groups the entities of one camera.
type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model"`
	Serial       string   `json:"serial_number"`
	Firmware     string   `json:"sw_version,omitempty"`
}

// origin says who tells Home Assistant of an entity.
type origin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
	URL     string `json:"support_url"`
}

// Payloads that Home Assistant knows.
const (
	online, offline = "online", "offline"
	on, off         = "ON", "OFF"
	unknown         = "None"
)

// lights are what a camera may say about the light, as Frame.Light has them.
func lights() []string { return []string{"day", "night", "switching"} }

// announce returns the discovery message of one entity of a camera.
func (n names) announce(id seal.CameraID, what, label, firmware string) string {
	e := entity{
		UniqueID:          "sealcam_" + string(id) + "_" + what,
		AvailabilityTopic: n.available(), Available: online, NotAvailable: offline,
		Device: device{
			Identifiers: []string{"sealcam_" + string(id)}, Name: label, Manufacturer: "sealcam",
			Model: "sealed camera", Serial: string(id), Firmware: firmware,
		},
		Origin: origin{Name: "sealcam bridge", Version: n.version, URL: "https://github.com/sealcam/sealcam"},
	}
	e.describe(what, n.state(id, what))
	switch what {
	case entVerdict, entMissing, entProblem, entEvent:
		e.DetailTopic = n.detail(id, what)
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic("bridge: " + err.Error()) // strings marshal
	}
	return string(text)
}

// describe fills in what is particular to an entity, whose state is on topic.
func (e *entity) describe(what, topic string) {
	named := func(name string) { e.Name = &name }
	switch what {
	case entPicture:
		e.Topic = topic
		return
	case entEvent:
		named("Last event")
		e.ImageTopic, e.ContentType = topic, "image/jpeg"
		return
	case entMotion:
		named("Motion")
		e.DeviceClass, e.PayloadOn, e.PayloadOff = "motion", on, off
	case entOnline:
		named("Online")
		e.DeviceClass, e.PayloadOn, e.PayloadOff = "connectivity", on, off
		e.EntityCategory = "diagnostic"
	case entProblem:
		named("Problem")
		e.DeviceClass, e.PayloadOn, e.PayloadOff = "problem", on, off
		e.EntityCategory = "diagnostic"
	case entLight:
		named("Light")
		e.DeviceClass, e.Options, e.Icon = "enum", lights(), "mdi:theme-light-dark"
	case entVerdict:
		named("Last verdict")
		e.Icon, e.EntityCategory = "mdi:shield-check", "diagnostic"
	case entMissing:
		named("Missing messages")
		e.Unit, e.Icon, e.EntityCategory = "messages", "mdi:timeline-alert", "diagnostic"
	case entWarmth:
		named("Temperature")
		e.DeviceClass, e.Unit, e.EntityCategory = "temperature", "°C", "diagnostic"
	}
	e.StateTopic = topic
}
