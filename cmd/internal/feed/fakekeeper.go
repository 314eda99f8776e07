package feed

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// FakeKeeper is a keeper of one household in memory, for tests and drills: an
// http.Handler. It believes what it is given, and is as honest as its fields let it be,
// which are set before it answers. Its methods are safe for concurrent use.
type FakeKeeper struct {
	ID        seal.KeyID
	Household seal.HouseholdID
	Roster    []byte // signed; empty for none
	Now       func() time.Time
	// Pass refuses a pass; nil takes all.
	Pass func(pass []byte) error

	// What lies, if it is not nil.

	Heads func(camera seal.CameraID, last uint64) uint64
	List  func(honest []FakeEntry) []FakeEntry              // of messages, before it is cut to pages
	Give  func(e FakeEntry, honest []byte) []byte           // nil is "not kept"
	Stray func(w http.ResponseWriter, r *http.Request) bool // answers instead, and says so

	mu    sync.Mutex
	kept  []FakeEntry
	bytes map[string][]byte // by hash, of live ones too
	live  map[seal.CameraID]FakeEntry
	feeds map[chan string]struct{}
	sent  []Sent
}

// FakeEntry is what a list says of one message.
type FakeEntry struct {
	Hash     string        `json:"hash"`
	Camera   seal.CameraID `json:"camera"`
	Stream   string        `json:"stream"`
	Seq      uint64        `json:"seq"`
	Kind     string        `json:"kind"`
	Size     int           `json:"size"`
	Received time.Time     `json:"received"`
	Cursor   uint64        `json:"cursor,omitempty"`
	Retained bool          `json:"retained,omitempty"`
}

// Keep takes messages in, as a keeper does that reads from a broker.
func (f *FakeKeeper) Keep(items ...Item) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes == nil {
		f.bytes, f.live = map[string][]byte{}, map[seal.CameraID]FakeEntry{}
	}
	for _, it := range items {
		v, err := seal.Peek(it.Sealed)
		if err != nil {
			return err
		}
		e := FakeEntry{Hash: hexOf(v.Hash), Camera: v.Camera, Stream: v.Stream.String(), Seq: v.Seq, Kind: it.Kind, Size: v.Size, Received: f.Now().UTC()}
		f.bytes[e.Hash] = it.Sealed
		id := ""
		switch v.Stream {
		case seal.Durable:
			e.Cursor = uint64(len(f.kept) + 1)
			f.kept = append(f.kept, e)
			id = fmt.Sprintf("id: %d\n", e.Cursor)
		case seal.Live:
			delete(f.bytes, f.live[e.Camera].Hash)
			f.live[e.Camera] = e
		}
		f.tell(id + eventText("message", e))
	}
	return nil
}

// Kept returns what it would list of everything, in order of arrival.
func (f *FakeKeeper) Kept() []FakeEntry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.kept)
}

// Message returns the bytes of a hash, nil if it has none.
func (f *FakeKeeper) Message(hash string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes[hash]
}

// Forget drops what it has of a camera from one number to another, as a keeper that
// was told to delete it.
func (f *FakeKeeper) Forget(camera seal.CameraID, from, to uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = slices.DeleteFunc(f.kept, func(e FakeEntry) bool {
		gone := e.Camera == camera && from <= e.Seq && e.Seq <= to
		if gone {
			delete(f.bytes, e.Hash)
		}
		return gone
	})
}

// Cut ends all feeds that are open.
func (f *FakeKeeper) Cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.feeds {
		close(c)
	}
	f.feeds = nil
}

// Sent returns what viewers sent so far.
func (f *FakeKeeper) Sent() []Sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}

func eventText(kind string, v any) string {
	data, _ := json.Marshal(v) // of our own types
	return fmt.Sprintf("event: %s\ndata: %s\n\n", kind, data)
}

// tell tells every feed. One that does not read is cut. f.mu is held.
func (f *FakeKeeper) tell(text string) {
	for c := range f.feeds {
		select {
		case c <- text:
		default:
			close(c)
			delete(f.feeds, c)
		}
	}
}

// ServeHTTP implements http.Handler.
func (f *FakeKeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.Stray != nil && f.Stray(w, r) {
		return
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch {
	case path[0] == "keeper":
		answerJSON(w, map[string]any{"keeper": f.ID, "version": "fake", "time": f.Now().UTC(), "formats": []int{1}})
		return
	case path[0] == "messages" && len(path) == 2:
		f.message(w, path[1])
		return
	case path[0] != "households" || len(path) < 3 || path[1] != string(f.Household):
		http.NotFound(w, r)
		return
	}
	pass, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Authorization"), "Sealcam "))
	if err == nil && f.Pass != nil {
		err = f.Pass(pass)
	}
	if err != nil || len(pass) == 0 {
		w.WriteHeader(http.StatusUnauthorized)
		answerJSON(w, map[string]string{"error": fmt.Sprintf("no pass: %v", err), "hint": "look at the clock"})
		return
	}
	switch path[2] {
	case "cameras":
		f.cameras(w, r, path[3:])
	case "messages":
		f.list(w, r)
	case "roster":
		_, _ = w.Write(f.Roster)
	case "feed":
		f.feed(w, r)
	}
}

func answerJSON(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func (f *FakeKeeper) message(w http.ResponseWriter, hash string) {
	f.mu.Lock()
	b, e := f.bytes[hash], FakeEntry{Hash: hash}
	if i := slices.IndexFunc(f.kept, func(e FakeEntry) bool { return e.Hash == hash }); i >= 0 {
		e = f.kept[i]
	}
	f.mu.Unlock()
	if f.Give != nil {
		b = f.Give(e, b)
	}
	if b == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(b)
}

// cameras answers what there is of whom, or takes what is sent to one.
func (f *FakeKeeper) cameras(w http.ResponseWriter, r *http.Request, path []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(path) == 2 {
		b, _ := io.ReadAll(r.Body)
		f.sent = append(f.sent, Sent{seal.CameraID(path[0]), path[1], b})
		return
	}
	last := map[seal.CameraID]uint64{}
	for _, e := range f.kept {
		last[e.Camera] = max(last[e.Camera], e.Seq)
	}
	list := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		n := last[id]
		if f.Heads != nil {
			n = f.Heads(id, n)
		}
		list = append(list, map[string]any{"id": id, "last": n})
	}
	answerJSON(w, map[string]any{"cameras": list})
}

func (f *FakeKeeper) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number := func(name string, none uint64) uint64 {
		n, err := strconv.ParseUint(q.Get(name), 10, 64)
		if err != nil {
			return none
		}
		return n
	}
	since, _ := time.Parse(time.RFC3339, q.Get("since"))
	from, to, limit := number("from", 0), number("to", seal.MaxSeq), int(number("limit", 100))
	f.mu.Lock()
	all := slices.Clone(f.kept)
	f.mu.Unlock()
	if camera := q.Get("camera"); camera != "" {
		all = slices.DeleteFunc(all, func(e FakeEntry) bool {
			return string(e.Camera) != camera || e.Seq < from || e.Seq > to || e.Received.Before(since)
		})
		if q.Get("by") == "seq" {
			slices.SortStableFunc(all, func(a, b FakeEntry) int { return cmp.Compare(a.Seq, b.Seq) })
		}
	} else {
		slices.Reverse(all) // newest=1 is all that is asked without a camera
	}
	if f.List != nil {
		all = f.List(all)
	}
	answerJSON(w, map[string]any{"entries": all[:min(limit, len(all))], "more": len(all) > limit})
}

func (f *FakeKeeper) feed(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	news := make(chan string, 4096)
	f.mu.Lock()
	if f.feeds == nil {
		f.feeds = map[chan string]struct{}{}
	}
	f.feeds[news] = struct{}{}
	first := eventText("hello", map[string]any{"keeper": f.ID, "after": after})
	if len(f.Roster) > 0 {
		first += eventText("roster", map[string]int{"version": 1})
	}
	for _, e := range f.live {
		e.Retained = true
		first += eventText("message", e)
	}
	for _, e := range f.kept {
		if e.Cursor > after {
			first += fmt.Sprintf("id: %d\n", e.Cursor) + eventText("message", e)
		}
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.feeds, news)
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	_, _ = io.WriteString(w, first)
	_ = flush.Flush()
	for {
		select {
		case text, ok := <-news:
			if !ok {
				return
			}
			_, _ = io.WriteString(w, text)
			_ = flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// Inside carries requests to a handler in this process.
type Inside struct{ http.Handler }

// RoundTrip implements http.RoundTripper. The answer comes as it is written.
func (i Inside) RoundTrip(r *http.Request) (*http.Response, error) {
	out, in := io.Pipe()
	w := &insideWriter{header: http.Header{}, body: in, ready: make(chan struct{})}
	go func() {
		i.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
		in.Close()
	}()
	stop := func() { in.CloseWithError(r.Context().Err()) }
	select {
	case <-w.ready:
	case <-r.Context().Done():
		stop()
		return nil, r.Context().Err()
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-r.Context().Done():
			stop()
		case <-done:
		}
	}()
	return &http.Response{
		StatusCode: w.status, Header: w.answered, Request: r, ContentLength: -1,
		Body: &insideBody{out, sync.OnceFunc(func() { close(done) })},
	}, nil
}

type insideBody struct {
	*io.PipeReader
	closed func()
}

func (b *insideBody) Close() error { b.closed(); return b.PipeReader.Close() }

// insideWriter is the handler's side.
type insideWriter struct {
	header, answered http.Header
	body             *io.PipeWriter
	status           int
	ready            chan struct{}
}

func (w *insideWriter) Header() http.Header { return w.header }
func (w *insideWriter) FlushError() error   { w.WriteHeader(http.StatusOK); return nil }

func (w *insideWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.answered = status, w.header.Clone()
		close(w.ready)
	}
}

func (w *insideWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
