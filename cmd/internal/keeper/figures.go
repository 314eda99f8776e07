package keeper

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/exposition"
)

// figures counts what the keeper does. It is safe for concurrent use.
type figures struct {
	start                               time.Time
	receipts, resends, trimmed, removed atomic.Uint64
	connects                            atomic.Uint64
	feeds, connections                  atomic.Int64
	ingest                              *exposition.Histogram

	mu        sync.Mutex
	messages  map[string]uint64
	bytes     map[string]uint64
	alarms    map[string]uint64
	rosters   map[string]uint64
	deletions map[string]uint64
	refused   map[string]uint64 // connections and requests, by bound
	requests  map[[2]string]uint64
	times     map[string]*exposition.Histogram
	told      map[string]time.Time
	counter   uint64 // of the last command
}

func newFigures(now time.Time) *figures {
	return &figures{
		start:  now,
		ingest: exposition.NewHistogram(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),

		messages: zeros(verdicts()...), bytes: zeros(verdicts()...), alarms: zeros(conflict, "fork"),
		rosters: zeros("new", "refused"), deletions: zeros("done", "refused", "failed"), refused: zeros("connections"),
		requests: map[[2]string]uint64{}, times: map[string]*exposition.Histogram{}, told: map[string]time.Time{},
	}
}

// zeros are counters that are told before they count: of a counter that appears
// with its first event, that event is not seen as a rise.
func zeros(kinds ...string) map[string]uint64 {
	out := map[string]uint64{}
	for _, k := range kinds {
		out[k] = 0
	}
	return out
}

func (f *figures) add(to map[string]uint64, what string, n uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to[what] += n
}

func (f *figures) verdict(what string, size int) {
	f.add(f.messages, what, 1)
	f.add(f.bytes, what, uint64(size))
}

func (f *figures) alarm(what string)    { f.add(f.alarms, what, 1) }
func (f *figures) roster(what string)   { f.add(f.rosters, what, 1) }
func (f *figures) deletion(what string) { f.add(f.deletions, what, 1) }
func (f *figures) refuse(what string)   { f.add(f.refused, what, 1) }

// request counts an answer over HTTP. route and status are from fixed sets.
func (f *figures) request(route string, status int, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[[2]string{route, strconv.Itoa(status)}]++
	if f.times[route] == nil {
		f.times[route] = exposition.NewHistogram(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
	}
	f.times[route].Observe(took.Seconds())
}

// What is told in the log again after an hour, and how many such things are
// remembered.
const (
	tellAgain = time.Hour
	maxTold   = 4096
)

// toTell reports whether what has not been told for an hour.
func (f *figures) toTell(what string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.told[what]; ok && now.Sub(at) < tellAgain && !now.Before(at) {
		return false
	}
	if len(f.told) >= maxTold {
		maps.DeleteFunc(f.told, func(_ string, at time.Time) bool { return now.Sub(at) >= tellAgain })
		if len(f.told) >= maxTold {
			return false // more trouble than anybody reads
		}
	}
	f.told[what] = now
	return true
}

// nextCounter returns the counter of the next command. It follows the clock, so that
// a keeper that starts again is not locked out.
func (f *figures) nextCounter(now time.Time) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counter = max(f.counter+1, uint64(max(now.UnixMilli(), 0)))
	return f.counter
}

// Extra adds figures of what stands beside the keeper, such as its broker.
type Extra func(e *exposition.Text)

// Metrics returns the keeper's figures in Prometheus' text exposition format.
func (k *Keeper) Metrics(extra ...Extra) []byte {
	e := new(exposition.Text)
	f := k.figures
	e.Gauge("sealcam_keeper_info", "Which keeper this is, and what runs.", 1, "keeper", string(k.id), "version", k.config.Version)
	e.Gauge("sealcam_keeper_start_time_seconds", "When it started, since 1970.", float64(f.start.Unix()))
	f.mu.Lock()
	e.Kinds("sealcam_keeper_messages_total", "Messages that came, by what became of them.", "verdict", f.messages)
	e.Kinds("sealcam_keeper_messages_bytes_total", "What they took.", "verdict", f.bytes)
	e.Kinds("sealcam_keeper_alarms_total", "Signed messages that contradict each other: a camera was copied, or set back.", "what", f.alarms)
	e.Kinds("sealcam_keeper_rosters_total", "Rosters that came.", "verdict", f.rosters)
	e.Kinds("sealcam_keeper_deletions_total", "Deletions that owners asked for.", "result", f.deletions)
	e.Kinds("sealcam_keeper_http_refused_total", "Connections and requests over a bound.", "why", f.refused)
	f.mu.Unlock()
	e.Family("sealcam_keeper_ingest_seconds", "histogram", "From a message's arrival until it was durable.")
	e.Histogram("sealcam_keeper_ingest_seconds", f.ingest)
	k.writeTending(e)
	k.writeStore(e)
	k.writeHTTP(e)
	for _, x := range extra {
		x(e)
	}
	return e.Bytes()
}

func (k *Keeper) writeTending(e *exposition.Text) {
	f := k.figures
	waits := k.queue.waiting()
	e.Gauge("sealcam_keeper_queue_messages", "Messages that wait to be checked and stored.", float64(waits.items))
	e.Gauge("sealcam_keeper_queue_bytes", "What they take.", float64(waits.bytes))
	households, cameras := k.rosters.counts()
	e.Gauge("sealcam_keeper_households", "Households whose roster names this keeper.", float64(households))
	e.Gauge("sealcam_keeper_cameras", "Cameras of theirs.", float64(cameras))
	e.Gauge("sealcam_keeper_missing_messages", "Messages that cameras have sealed and that are not here.", float64(k.tending.missing()))
	e.Gauge("sealcam_keeper_given_up_messages", "Those of them that are asked for no more.", float64(k.tending.givenUp()))
	e.Counter("sealcam_keeper_receipts_total", "Receipts that were sent.", float64(f.receipts.Load()))
	e.Counter("sealcam_keeper_resends_total", "Requests for what is missing.", float64(f.resends.Load()))
	e.Counter("sealcam_keeper_deleted_messages_total", "Messages that owners had deleted.", float64(f.removed.Load()))
	e.Counter("sealcam_keeper_trimmed_messages_total", "Messages that were too old or too much.", float64(f.trimmed.Load()))
	up, _ := k.config.Source.Link()
	e.Gauge("sealcam_keeper_source_connected", "1 while messages can come.", exposition.Truth(up))
	e.Counter("sealcam_keeper_source_connects_total", "Times that they began to.", float64(f.connects.Load()))
}

func (k *Keeper) writeStore(e *exposition.Text) {
	s := k.config.Store.Stats()
	e.Gauge("sealcam_keeper_stored_messages", "Messages that are kept.", float64(s.Messages))
	e.Gauge("sealcam_keeper_stored_bytes", "What they take.", float64(s.Bytes))
	e.Gauge("sealcam_keeper_segments", "Files that hold them.", float64(s.Segments))
	e.Counter("sealcam_keeper_damaged_total", "Times that a message could not be given out as it was stored.", float64(s.Damaged))
	if s.DiskSize > 0 {
		e.Gauge("sealcam_keeper_disk_free_bytes", "Free on the store's file system.", float64(s.DiskFree))
		e.Gauge("sealcam_keeper_disk_size_bytes", "Size of that file system.", float64(s.DiskSize))
	}
}

func (k *Keeper) writeHTTP(e *exposition.Text) {
	f := k.figures
	e.Gauge("sealcam_keeper_feeds", "Viewers that follow a feed now.", float64(f.feeds.Load()))
	e.Gauge("sealcam_keeper_http_connections", "Connections that are open.", float64(f.connections.Load()))
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) == 0 {
		return
	}
	e.Family("sealcam_keeper_http_requests_total", "counter", "Requests that were answered.")
	for _, r := range slices.SortedFunc(maps.Keys(f.requests), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		e.Sample("sealcam_keeper_http_requests_total", float64(f.requests[r]), "route", r[0], "status", r[1])
	}
	e.Family("sealcam_keeper_http_seconds", "histogram", "Time to answer them.")
	for _, route := range slices.Sorted(maps.Keys(f.times)) {
		e.Histogram("sealcam_keeper_http_seconds", f.times[route], "route", route)
	}
}
