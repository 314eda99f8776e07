package page

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// limits bounds what a hostile broker can make this server keep. Every limit
// is on what is held, so the memory of a Page is at most about
// bytes + streams*queueBytes, whatever is sent.
type limits struct {
	cameras    int // cameras remembered; a new one replaces the longest silent
	media      int // records of kind media in the history
	status     int // records of kind status in the history
	bytes      int // payload bytes in the history
	message    int // payload bytes of one message
	streams    int // feed streams at a time
	queue      int // records waiting for one stream
	queueBytes int // bytes waiting for one stream
}

// defaultLimits fits a page on a laptop. Its bytes are what counts: three minutes of
// clips at 4 Mbit/s, or ten of motion at a lower rate, or 300 pictures. The number of
// media is for how long a page takes to check them all when it opens; what is kept
// fits into the queue of a new stream.
var defaultLimits = limits{
	cameras: 64, media: 1000, status: 200, bytes: 96 << 20, message: seal.MaxSealed,
	streams: 8, queue: 2048, queueBytes: 128 << 20,
}

// hub keeps the bounded history and hands each new record to every open
// stream. All its methods are safe for concurrent use.
type hub struct {
	limits limits

	mu      sync.Mutex
	newest  map[string]*newest // by camera id
	past    []*record          // media and status, oldest first
	count   map[kind]int       // of each in past
	bytes   int                // payload bytes in past
	streams map[*stream]struct{}
	last    map[kind]*record // newest link and bench record
	dropped uint64           // messages refused for their size or name
}

// newest is what a topic of the broker holds: one message per camera and kind.
type newest struct {
	byKind map[kind]*record
	heard  time.Time
}

func newHub(l limits) *hub {
	return &hub{limits: l, newest: map[string]*newest{}, count: map[kind]int{}, streams: map[*stream]struct{}{}, last: map[kind]*record{}}
}

// add takes r into the history and hands it to every stream. It reports
// whether r was within the limits.
func (h *hub) add(r *record) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(r.payload) > h.limits.message {
		h.dropped++
		return false
	}
	switch {
	case r.kind == kindBench || r.kind == kindLink:
		h.last[r.kind] = r
	case !validCamera(r.camera):
		h.dropped++
		return false
	case r.kind == kindView: // is nothing to a page that opens later
	case r.kind == kindMedia:
		h.keepPast(r)
	case r.kind == kindStatus:
		// Its place in the camera's sequence is as good as a picture's: a page
		// that got only the newest would see a gap before it.
		h.keepPast(r)
		h.keepNewest(r)
	default:
		h.keepNewest(r)
	}
	for s := range h.streams {
		s.push(r, h.limits)
	}
	return true
}

func (h *hub) keepPast(r *record) {
	if len(r.payload) == 0 {
		return
	}
	h.past = append(h.past, r)
	h.count[r.kind]++
	h.bytes += len(r.payload)
	for h.count[kindMedia] > h.limits.media {
		h.dropOldest(func(r *record) bool { return r.kind == kindMedia })
	}
	for h.count[kindStatus] > h.limits.status {
		h.dropOldest(func(r *record) bool { return r.kind == kindStatus })
	}
	for h.bytes > h.limits.bytes {
		h.dropOldest(func(*record) bool { return true })
	}
}

// dropOldest drops the oldest of some records, of the camera that takes most for
// them: one that sends clip after clip does not cost the others theirs.
func (h *hub) dropOldest(some func(*record) bool) {
	held, greedy := map[string]int{}, ""
	for _, r := range h.past {
		if !some(r) {
			continue
		}
		if held[r.camera] += len(r.payload); held[r.camera] > held[greedy] {
			greedy = r.camera
		}
	}
	h.dropPast(slices.IndexFunc(h.past, func(r *record) bool { return r.camera == greedy && some(r) }))
}

func (h *hub) dropPast(i int) {
	h.count[h.past[i].kind]--
	h.bytes -= len(h.past[i].payload)
	h.past = slices.Delete(h.past, i, i+1)
}

func (h *hub) keepNewest(r *record) {
	n := h.newest[r.camera]
	if n == nil {
		if len(h.newest) >= h.limits.cameras {
			delete(h.newest, h.longestSilent())
		}
		n = &newest{byKind: map[kind]*record{}}
		h.newest[r.camera] = n
	}
	n.heard = r.received
	if len(r.payload) == 0 { // how MQTT clears a retained message
		delete(n.byKind, r.kind)
		return
	}
	n.byKind[r.kind] = r
}

func (h *hub) longestSilent() string {
	ids := slices.Collect(maps.Keys(h.newest))
	return slices.MinFunc(ids, func(a, b string) int { return h.newest[a].heard.Compare(h.newest[b].heard) })
}

// open returns a new stream that starts with the history, or nil when there
// are too many already. The caller closes it.
func (h *hub) open() *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) >= h.limits.streams {
		return nil
	}
	s := &stream{ready: make(chan struct{}, 1)}
	for _, r := range h.history() {
		s.push(r, h.limits)
	}
	h.streams[s] = struct{}{}
	return s
}

// close forgets s.
func (h *hub) close(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
}

// watched reports whether any stream is open.
func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams) > 0
}

// history lists what a new stream starts with, in the order in which a person
// needs it: who belongs to the house, what is live, then the past from its
// oldest picture on, as sequences are checked upwards.
func (h *hub) history() []*record {
	var list []*record
	for _, k := range []kind{kindLink, kindBench} {
		if r := h.last[k]; r != nil {
			list = append(list, r)
		}
	}
	ids := slices.Sorted(maps.Keys(h.newest))
	for _, k := range []kind{kindRoster, kindHello, kindLive, kindStatus} {
		for _, id := range ids {
			r := h.newest[id].byKind[k]
			if r != nil && (k != kindStatus || !slices.Contains(h.past, r)) {
				list = append(list, asHistory(r))
			}
		}
	}
	for _, r := range h.past {
		list = append(list, asHistory(r))
	}
	return list
}

func asHistory(r *record) *record {
	old := *r
	old.flags |= flagHistory
	return &old
}

// stream is the queue of one open page. A page that reads slowly gets only the
// newest live picture, and frame of live view, of each camera; one that does not read at all is cut
// off, connects again, and starts from the history.
type stream struct {
	ready chan struct{} // holds a token while there is something to take

	mu      sync.Mutex
	queue   []*record
	bytes   int
	overrun bool
}

func (s *stream) push(r *record, l limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overrun {
		return
	}
	if i := s.superseded(r); i >= 0 {
		s.bytes -= s.queue[i].size()
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.queue = append(s.queue, r)
	s.bytes += r.size()
	if len(s.queue) > l.queue || s.bytes > l.queueBytes {
		s.queue, s.bytes, s.overrun = nil, 0, true
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// superseded returns the index of a waiting record that r makes pointless, or -1.
func (s *stream) superseded(r *record) int {
	switch r.kind {
	case kindLive, kindView, kindLink, kindBench:
		return slices.IndexFunc(s.queue, func(q *record) bool {
			return q.kind == r.kind && q.camera == r.camera && q.flags&flagHistory == 0
		})
	}
	return -1
}

// take empties the queue. alive is false once the stream was overrun.
func (s *stream) take() (list []*record, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, s.queue, s.bytes = s.queue, nil, 0
	return list, !s.overrun
}

// validCamera reports whether id has the form of a camera id. That form says
// nothing about who wrote it.
func validCamera(id string) bool {
	_, err := seal.ParseCameraID(id)
	return err == nil
}
