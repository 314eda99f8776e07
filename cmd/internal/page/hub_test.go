package page

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var small = limits{cameras: 3, media: 4, status: 2, bytes: 100, message: 40, streams: 2, queue: 5, queueBytes: 600}

func message(k kind, camera, payload string, second int) *record {
	return &record{kind: k, camera: camera, payload: []byte(payload), received: time.Unix(int64(second), 0)}
}

// contents lists a history as "kind camera payload", cameras by first letter.
func contents(list []*record) string {
	var out []string
	for _, r := range list {
		c := "-"
		if r.camera != "" {
			c = r.camera[:1]
		}
		out = append(out, fmt.Sprintf("%d%s:%s", r.kind, c, r.payload))
	}
	return strings.Join(out, " ")
}

// snapshot returns what a new stream would start with.
func (h *hub) snapshot() []*record { h.mu.Lock(); defer h.mu.Unlock(); return h.history() }

func TestHistoryKeepsTheNewest(t *testing.T) {
	h := newHub(small)
	for i, m := range []*record{
		message(kindLive, id('b'), "l1", 0), message(kindLive, id('b'), "l2", 0), message(kindStatus, id('b'), "s1", 0),
		message(kindRoster, id('b'), "r", 0), message(kindHello, id('c'), "h", 0), message(kindMedia, id('b'), "m1", 0),
		message(kindStatus, id('b'), "s2", 0), message(kindLink, "", "{}", 0), message(kindMedia, id('c'), "m2", 0),
	} {
		if !h.add(m) {
			t.Fatalf("message %d refused", i)
		}
	}
	if got, want := contents(h.history()), "6-:{} 7b:r 1c:h 3b:l2 2b:s1 4b:m1 2b:s2 4c:m2"; got != want {
		t.Errorf("history\n got %s\nwant %s", got, want)
	}
	h.add(message(kindHello, id('c'), "", 0)) // the broker's way to say: no longer retained
	if got, want := contents(h.history()), "6-:{} 7b:r 3b:l2 2b:s1 4b:m1 2b:s2 4c:m2"; got != want {
		t.Errorf("history after a cleared hello\n got %s\nwant %s", got, want)
	}
}

// TestBounds: whatever a broker sends, what is kept stays within the limits.
func TestBounds(t *testing.T) {
	h := newHub(small)
	if h.add(message(kindMedia, id('b'), strings.Repeat("x", 41), 0)) {
		t.Error("a message over the limit was taken")
	}
	for _, bad := range []string{"", "short", strings.ToUpper(id('b')), id('b') + "a", strings.Repeat("1", 52), strings.Repeat("/", 52)} {
		if h.add(message(kindLive, bad, "x", 0)) || h.add(message(kindMedia, bad, "x", 0)) {
			t.Errorf("a message of camera %q was taken", bad)
		}
	}
	for i := range 10 {
		h.add(message(kindMedia, id('b'), fmt.Sprint(i), i))
	}
	if got := contents(h.history()); got != "4b:6 4b:7 4b:8 4b:9" {
		t.Errorf("by count: %s", got)
	}
	for i := range 10 {
		h.add(message(kindMedia, id('b'), fmt.Sprint(i)+strings.Repeat("-", 34), i))
	}
	if len(h.past) != 2 || h.bytes != 70 || h.count[kindMedia] != 2 {
		t.Errorf("by bytes: %d records of %d bytes", len(h.past), h.bytes)
	}
	h = newHub(small)
	for i := range 5 {
		h.add(message(kindStatus, id('b'), fmt.Sprint(i), i))
		h.add(message(kindStatus, id('c'), fmt.Sprint(i), i))
	}
	h.add(message(kindStatus, id('d'), "x", 9))
	// The newest of a camera stays even when others have taken its place in the past.
	if got := contents(h.history()); got != "2b:4 2c:4 2d:x" {
		t.Errorf("status: %s", got)
	}
	h = newHub(small)
	h.add(message(kindMedia, id('b'), "8", 0))
	h.add(message(kindMedia, id('b'), "9", 0))
	for i, c := range []byte("bcdefb") {
		h.add(message(kindLive, id(c), string(c), i))
	}
	if got := contents(h.history()); !strings.HasPrefix(got, "3b:b 3e:e 3f:f 4b:8 4b:9") {
		t.Errorf("cameras: %s", got)
	}
}

// A camera that sends much costs the others nothing, and keeps its newest.
func TestGreedyCamera(t *testing.T) {
	h := newHub(small)
	h.add(message(kindMedia, id('b'), "b1", 0))
	h.add(message(kindStatus, id('b'), "b2", 0))
	for i := range 10 {
		h.add(message(kindMedia, id('c'), fmt.Sprint(i)+strings.Repeat("-", 29), i))
	}
	dashes := strings.Repeat("-", 29)
	if got, want := contents(h.history()), fmt.Sprintf("4b:b1 2b:b2 4c:7%[1]s 4c:8%[1]s 4c:9%[1]s", dashes); got != want {
		t.Errorf("by bytes\n got %s\nwant %s", got, want)
	}
	for i := range 10 {
		h.add(message(kindMedia, id('c'), fmt.Sprint("new", i), i))
	}
	if got, want := contents(h.history()), "4b:b1 2b:b2 4c:new7 4c:new8 4c:new9"; got != want {
		t.Errorf("by count\n got %s\nwant %s", got, want)
	}
}

// A new page gets all that is kept, however much that is.
func TestHistoryFitsAStream(t *testing.T) {
	l := defaultLimits
	if most := l.media + l.status + 4*l.cameras + 2; most > l.queue || l.bytes+4*l.cameras*(64<<10) > l.queueBytes {
		t.Errorf("%d records and %d bytes in a queue of %d and %d", most, l.bytes, l.queue, l.queueBytes)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	h := newHub(small)
	a, b := h.open(), h.open()
	if a == nil || b == nil || h.open() != nil {
		t.Fatal("the limit of streams does not hold")
	}
	h.close(b)
	if !h.watched() || h.open() == nil {
		t.Error("a closed stream keeps its place")
	}

	// A slow page: live pictures replace each other, nothing is lost of the rest.
	for i := range 50 {
		h.add(message(kindLive, id('b'), fmt.Sprint("b", i), i))
		h.add(message(kindLive, id('c'), fmt.Sprint("c", i), i))
	}
	h.add(message(kindMedia, id('b'), "m", 0))
	list, alive := a.take()
	if !alive || contents(list) != "3b:b49 3c:c49 4b:m" {
		t.Errorf("slow page: alive %v, %s", alive, contents(list))
	}
	// A page that does not read: cut off, and no bytes are kept for it.
	for i := range 6 {
		h.add(message(kindMedia, id('b'), "m", i))
	}
	list, alive = a.take()
	if alive || len(list) != 0 || a.bytes != 0 {
		t.Errorf("dead page: alive %v, %d records, %d bytes", alive, len(list), a.bytes)
	}
	h.add(message(kindMedia, id('b'), "m", 0))
	if len(a.queue) != 0 {
		t.Error("a cut-off stream still queues")
	}
}

// TestHistoryFlag: what came before a stream is marked, what comes after is not.
func TestHistoryFlag(t *testing.T) {
	h := newHub(small)
	h.add(message(kindLive, id('b'), "old", 0))
	s := h.open()
	h.add(message(kindLive, id('b'), "new", 0))
	list, _ := s.take()
	if len(list) != 2 || list[0].flags != flagHistory || list[1].flags != 0 {
		t.Fatalf("got %s", contents(list))
	}
	if h.newest[id('b')].byKind[kindLive].flags != 0 {
		t.Error("the history itself was changed")
	}
}
