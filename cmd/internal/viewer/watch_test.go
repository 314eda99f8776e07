package viewer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// nonces returns the nonces of all watches sent to c.
func (h *home) nonces(c *camera) (list [][]byte) {
	h.t.Helper()
	synctest.Wait()
	r, _, err := h.owner.Roster()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range h.fake.Sent() {
		if s.Camera != c.id || s.Kind != feed.Command {
			continue
		}
		if cmd, err := seal.OpenCommand(c.id, r, s.Payload); err != nil {
			h.t.Error(err)
		} else if cmd.Verb == seal.VerbWatch {
			list = append(list, cmd.Nonce)
		}
	}
	return list
}

func (c *camera) frame(nonce []byte, media string) feed.Item {
	return c.seal(seal.Meta{Stream: seal.View, Nonce: nonce}, media)
}

// Live view is asked for every five seconds, as long as it is watched; frames are
// verified when they prove to be of now, and refused with their reason when not.
func TestWatchCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		relay := feed.NewRelay(h.fake)
		h.feed = relay
		w := h.watch()
		defer w.stop()
		other := []byte("somebody else's nonce")
		h.fake.Deliver(h.door.frame(other, "others' business"))
		w.expect("before it is watched")
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- w.Watch(ctx, h.door.id) }()
		first := h.nonces(h.door)
		if len(first) != 1 {
			t.Fatalf("%d watches at first", len(first))
		}
		h.fake.Deliver(h.door.frame(other, "not proven yet"), h.door.frame(first[0], "one"), h.door.frame(other, "two"), h.garden.frame(first[0], "unwatched"))
		w.expect("proven", "Door verified one", "Door verified two")
		relay.Hostile(true)
		h.fake.Deliver(h.garden.live("g"), h.door.frame(first[0], "three"))
		w.expect("swapped", "Garden verified g", "Door refused wrong camera")
		relay.Hostile(false)
		old := h.door.frame(first[0], "four")
		h.fake.Deliver(old, old)
		w.expect("twice", "Door verified four")

		time.Sleep(17 * time.Second)
		more := h.nonces(h.door)
		if len(more) != 4 || slices.Equal(more[1], more[0]) || slices.Equal(more[2], more[1]) {
			t.Errorf("watched again with %x", more)
		}
		h.fake.Deliver(h.door.frame(first[0], "held back"))
		w.expect("a frame that was held back", "Door refused stale")
		h.fake.Deliver(h.door.frame(more[3], "five"))
		w.expect("goes on", "Door verified five")
		h.fake.Deliver(h.door.picture("event"))
		w.expect("beside it", "Door verified event")
		if s := w.Stats(); s.Frames != 4 || s.Refused[seal.Stale] != 1 || s.Refused[seal.WrongCamera] != 1 {
			t.Errorf("counted %+v", s)
		}

		stop()
		if err := <-ended; err != context.Canceled {
			t.Errorf("ended with %v", err)
		}
		time.Sleep(time.Minute)
		if n := len(h.nonces(h.door)); n != 4 {
			t.Errorf("%d watches after the end", n-4)
		}
		h.fake.Deliver(h.door.frame(more[3], "six"))
		w.expect("after the end")
	})
}

// slow is a Feed whose broker takes its time to answer.
type slow struct {
	feed.Feed
	takes time.Duration
}

func (s slow) Send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	err := s.Feed.Send(ctx, camera, kind, payload)
	time.Sleep(s.takes) // until the broker has it
	return err
}

// A camera obeys no command that was signed before one that it has: whatever is
// said to it at one time arrives in the order of its signing.
func TestCommandsArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.feed = slow{h.fake, 700 * time.Millisecond}
		w := h.watch()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { w.Watch(ctx, h.door.id); close(ended) }()
		for i := range 60 {
			h.fake.Deliver(h.door.picture("event"))
			time.Sleep(500 * time.Millisecond)
			if i%7 == 0 {
				go w.Ask(ctx, h.door.id)
			}
		}
		stop()
		<-ended
		w.stop()
		r, _, err := h.owner.Roster()
		if err != nil {
			t.Fatal(err)
		}
		verbs, last := map[string]int{}, uint64(0)
		for _, s := range h.fake.Sent() {
			cmd, err := seal.OpenCommand(h.door.id, r, s.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if verbs[cmd.Verb]++; cmd.Counter <= last {
				t.Errorf("%s %d came after %d", cmd.Verb, cmd.Counter, last)
			}
			last = cmd.Counter
		}
		if verbs[seal.VerbWatch] < 3 || verbs[seal.VerbReceipt] < 3 || verbs[seal.VerbSnapshot] < 3 {
			t.Errorf("sent %v", verbs)
		}
	})
}
