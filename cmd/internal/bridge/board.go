package bridge

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// notice is what stands on one topic: a text that the local broker keeps, or
// one of a verified picture and a card, which it does not.
type notice struct {
	text    string
	picture *seal.Verified
	card    *card
}

// same reports whether saying n after old would tell nobody anything.
func (n notice) same(old notice) bool {
	if n.card != nil && old.card != nil {
		return *n.card == *old.card
	}
	return n == old
}

// payload returns the bytes to publish. This is where a seal ends.
func (n notice) payload() []byte {
	switch {
	case n.picture != nil:
		_, media := n.picture.Media()
		return media
	case n.card != nil:
		return n.card.draw()
	}
	return []byte(n.text)
}

// board is what the local broker is to be told: of each topic only the newest
// waits, so a slow broker costs nothing but news. Its methods are safe for
// concurrent use.
type board struct {
	wake chan struct{} // holds a token while there may be something to tell

	mu     sync.Mutex
	stands map[string]notice
	due    []string // topics, each once
}

func newBoard() *board {
	return &board{wake: make(chan struct{}, 1), stands: map[string]notice{}}
}

// text puts a text on a topic; the local broker keeps it.
func (b *board) text(topic, text string) { b.put(topic, notice{text: text}) }

// picture puts a verified picture on the topic that entity has for the camera
// in its seal.
func (b *board) picture(n names, entity string, v *seal.Verified) {
	b.put(n.state(v.Camera(), entity), notice{picture: v})
}

// card puts a drawn card on a topic.
func (b *board) card(topic string, c card) { b.put(topic, notice{card: &c}) }

// clear takes away what stands on a topic, at the broker too.
func (b *board) clear(topic string) { b.put(topic, notice{}) }

func (b *board) put(topic string, n notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old, stands := b.stands[topic]; stands && n.same(old) {
		return
	}
	b.stands[topic] = n
	b.tell(topic)
}

// anew has everything told again, what announces entities first.
func (b *board) anew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	topics := make([]string, 0, len(b.stands))
	for topic := range b.stands {
		topics = append(topics, topic)
	}
	slices.SortFunc(topics, func(a, b string) int {
		if c := cmp.Compare(announces(b), announces(a)); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	for _, topic := range topics {
		b.tell(topic)
	}
}

func announces(topic string) int {
	if strings.HasSuffix(topic, "/config") {
		return 1
	}
	return 0
}

// tell adds a topic to those due. b.mu is held.
func (b *board) tell(topic string) {
	if !slices.Contains(b.due, topic) {
		b.due = append(b.due, topic)
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// next takes the topic that has been due for longest, and returns what to
// publish there.
func (b *board) next() (mqtt.Message, bool) {
	b.mu.Lock()
	if len(b.due) == 0 {
		b.mu.Unlock()
		return mqtt.Message{}, false
	}
	topic := b.due[0]
	b.due = b.due[1:]
	n := b.stands[topic]
	if n == (notice{}) {
		delete(b.stands, topic)
	}
	b.mu.Unlock()
	kept := n.picture == nil && n.card == nil
	return mqtt.Message{Topic: topic, Payload: n.payload(), QoS: 1, Retained: kept}, true
}
