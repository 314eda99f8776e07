package keeper

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Who has no pass that holds for this household at this keeper reads no list.
func TestPasses(t *testing.T) {
	w := newWorld(t, 1)
	other := newHome(t, 1, w.key)
	w.feed.Deliver(other.cameras[0].rosterItem())
	w.until("both", func() bool { return len(w.keeper.rosters.all()) == 2 })
	now := time.Now()
	good := seal.Pass{Household: w.home.id(), Keeper: w.keeper.ID(), Issued: now, Expires: now.Add(time.Minute)}
	late, far, foreign := good, good, good
	late.Issued, late.Expires = now.Add(-time.Hour), now.Add(-50*time.Minute)
	far.Keeper = seal.KeyID(w.home.cameras[0].id)
	foreign.Household = other.id()
	for name, c := range map[string]struct {
		pass   string
		status int
	}{
		"good":              {w.passOf(w.home.viewer.Signer(), good), http.StatusOK},
		"an owner's":        {w.passOf(w.home.owner, good), http.StatusOK},
		"none":              {"", http.StatusUnauthorized},
		"another scheme":    {"Basic eDp5", http.StatusUnauthorized},
		"no base64":         {"Sealcam ***", http.StatusUnauthorized},
		"nonsense":          {"Sealcam AAAA", http.StatusUnauthorized},
		"too long":          {"Sealcam " + strings.Repeat("A", 8192), http.StatusUnauthorized},
		"expired":           {w.passOf(w.home.viewer.Signer(), late), http.StatusUnauthorized},
		"another keeper's":  {w.passOf(w.home.viewer.Signer(), far), http.StatusForbidden},
		"another household": {w.passOf(other.viewer.Signer(), foreign), http.StatusForbidden},
		"a stranger's":      {w.passOf(newKey(t), good), http.StatusForbidden},
	} {
		for _, path := range []string{"/cameras", "/messages", "/roster", "/feed"} {
			if path == "/feed" && c.status == http.StatusOK {
				continue // never ends
			}
			status, b, head := w.ask(http.MethodGet, w.home1(path), c.pass, nil)
			if status != c.status {
				t.Errorf("%s: %s: %d %s", name, path, status, b)
			}
			if (head.Get("WWW-Authenticate") != "") != (status == http.StatusUnauthorized) {
				t.Errorf("%s: %s: %v", name, path, head)
			}
		}
	}
	if status, _, _ := w.ask(http.MethodGet, "/v1/households/"+string(newHome(t, 0).id())+"/cameras", w.pass(), nil); status != http.StatusForbidden {
		t.Errorf("a household that is not kept for: %d", status)
	}
}

// Lists come in pages, and caches may ask whether they changed.
func TestLists(t *testing.T) {
	w := newWorld(t, 2)
	a, b := w.home.cameras[0], w.home.cameras[1]
	for range 3 {
		w.feed.Deliver(a.item(a.seal(seal.Durable, "x")))
	}
	w.counted(kept, 3)
	w.feed.Deliver(b.item(b.seal(seal.Durable, "x")))
	w.counted(kept, 4)
	seqs := func(query string) (out []uint64) {
		var list struct{ Entries []entryJSON }
		w.get(w.home1("/messages?"+query), &list)
		for _, e := range list.Entries {
			out = append(out, e.Seq)
		}
		return out
	}
	for query, want := range map[string][]uint64{
		"":                       {1, 2, 3, 1},
		"newest=1&limit=2":       {1, 3},
		"after=3":                {1},
		"camera=" + string(a.id): {1, 2, 3},
		"camera=" + string(a.id) + "&by=seq&from=2&to=3": {2, 3},
		"until=2001-01-01T00:00:00Z":                     nil,
		"since=2001-01-01T00:00:00Z":                     {1, 2, 3, 1},
	} {
		if got := seqs(query); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "by=seq", "from=1&from=2", "camera=x", "since=yesterday", "what=1", "after=9007199254740992", "newest=yes", "%zz"} {
		if status, b, _ := w.ask(http.MethodGet, w.home1("/messages?"+query), w.pass(), nil); status != http.StatusBadRequest || !json.Valid(b) {
			t.Errorf("%q: %d %s", query, status, b)
		}
	}
	status, _, head := w.ask(http.MethodGet, w.home1("/messages"), w.pass(), nil)
	if status != http.StatusOK || head.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%d %v", status, head)
	}
	if status, b, _ := w.ask(http.MethodGet, w.home1("/messages"), w.pass(), nil, "If-None-Match", head.Get("ETag")); status != http.StatusNotModified || len(b) != 0 {
		t.Errorf("unchanged: %d, %d bytes", status, len(b))
	}
	var cameras struct{ Cameras []cameraJSON }
	w.get(w.home1("/cameras"), &cameras)
	if i := slices.IndexFunc(cameras.Cameras, func(c cameraJSON) bool { return c.ID == a.id }); len(cameras.Cameras) != 2 || i < 0 || cameras.Cameras[i].Last != 3 || cameras.Cameras[i].Missing == nil {
		t.Errorf("cameras %+v", cameras)
	}
	if status, b, _ := w.ask(http.MethodGet, w.home1("/roster"), w.pass(), nil); status != http.StatusOK || string(b) != string(w.home.signed) {
		t.Errorf("roster: %d", status)
	}
}

// A message is had whole, in part or by its head, and never under a name that is
// none.
func TestMessages(t *testing.T) {
	w := newWorld(t, 1)
	c := w.home.cameras[0]
	s := c.seal(seal.Durable, "x")
	w.feed.Deliver(c.item(s))
	w.counted(kept, 1)
	path := "/v1/messages/" + hex.EncodeToString(s.Hash[:])
	if status, b, _ := w.ask(http.MethodGet, path, "", nil, "Range", "bytes=10-19"); status != http.StatusPartialContent || string(b) != string(s.Bytes[10:20]) {
		t.Errorf("a part: %d %q", status, b)
	}
	if status, b, head := w.ask(http.MethodHead, path, "", nil); status != http.StatusOK || len(b) != 0 || head.Get("Content-Length") == "" {
		t.Errorf("its head: %d %v", status, head)
	}
	if status, _, _ := w.ask(http.MethodGet, path, "", nil, "If-None-Match", `"`+hex.EncodeToString(s.Hash[:])+`"`); status != http.StatusNotModified {
		t.Errorf("unchanged: %d", status)
	}
	for path, want := range map[string]int{
		strings.ToUpper(path[len(path)-64:]): http.StatusBadRequest,
		"zz":                                 http.StatusBadRequest,
		strings.Repeat("0", 64):              http.StatusNotFound,
	} {
		if status, _, head := w.ask(http.MethodGet, "/v1/messages/"+path, "", nil); status != want || head.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d", path, status)
		}
	}
	var about struct {
		Keeper  seal.KeyID
		Version string
		Formats []int
	}
	w.get("/v1/keeper", &about)
	if about.Keeper != w.keeper.ID() || about.Version != "1.2.3" || len(about.Formats) != 1 {
		t.Errorf("%+v", about)
	}
	if status, _, _ := w.ask(http.MethodPut, path, "", nil); status != http.StatusMethodNotAllowed && status != http.StatusNotFound {
		t.Errorf("PUT: %d", status)
	}
}

// event is one server-sent event.
type event struct{ id, name, data string }

// follow opens a feed and hands out its events.
func (w *world) follow(query string) (next func() event, closed func() bool) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.server.URL+w.home1("/feed"+query), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", w.pass())
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatal(answer.Status, answer.Header)
	}
	lines := bufio.NewScanner(answer.Body)
	return func() (e event) {
			w.t.Helper()
			for lines.Scan() {
				key, value, _ := strings.Cut(lines.Text(), ": ")
				switch key {
				case "id":
					e.id = value
				case "event":
					e.name = value
				case "data":
					e.data = value
				case "":
					if e.name != "" {
						return e
					}
				}
			}
			w.t.Fatal("the feed ended")
			return e
		}, func() bool {
			for lines.Scan() {
				if lines.Text() != "" && lines.Text() != ":" {
					return false
				}
			}
			return true
		}
}

// A feed begins behind a cursor, goes on with what comes, and ends with a new roster.
func TestFeed(t *testing.T) {
	w := newWorld(t, 1)
	c := w.home.cameras[0]
	for range 3 {
		w.feed.Deliver(c.item(c.seal(seal.Durable, "x")))
	}
	w.counted(kept, 3)
	live := c.seal(seal.Live, "x")
	w.feed.Deliver(c.item(live))
	w.counted(handedOn, 1)
	next, closed := w.follow("?after=1")
	if e := next(); e.name != "hello" || !strings.Contains(e.data, `"after":1`) || !strings.Contains(e.data, string(w.keeper.ID())) {
		t.Errorf("begins with %+v", e)
	}
	if e := next(); e.name != "roster" || e.data != `{"version":1}` {
		t.Errorf("then %+v", e)
	}
	if e := next(); e.name != "message" || e.id != "" || !strings.Contains(e.data, hex.EncodeToString(live.Hash[:])) || !strings.Contains(e.data, `"retained":true`) {
		t.Errorf("then %+v", e)
	}
	for _, id := range []string{"2", "3"} {
		if e := next(); e.name != "message" || e.id != id {
			t.Errorf("then %+v", e)
		}
	}
	c.seq = 3
	news := c.seal(seal.Durable, "x")
	w.feed.Deliver(c.item(news))
	if e := next(); e.id != "4" || !strings.Contains(e.data, hex.EncodeToString(news.Hash[:])) {
		t.Errorf("news is %+v", e)
	}
	c.seq = 9
	w.feed.Deliver(c.item(c.seal(seal.View, "x")))
	if e := next(); e.id != "" || !strings.Contains(e.data, `"stream":"view"`) || strings.Contains(e.data, "retained") {
		t.Errorf("live view is %+v", e)
	}
	fresh, _ := w.follow("")
	fresh()
	fresh()
	w.home.sign()
	w.feed.Deliver(c.rosterItem())
	if e := next(); e.name != "roster" || e.data != `{"version":2}` {
		t.Errorf("a new roster is %+v", e)
	}
	if !closed() {
		t.Error("the feed goes on under the old roster")
	}
}

// Viewers that reach the keeper alone speak to cameras through it, if their household
// lets them.
func TestPosts(t *testing.T) {
	w := newWorld(t, 2)
	c := w.home.cameras[0]
	cmd, _, err := w.home.opener().Ask(c.id)
	if err != nil {
		t.Fatal(err)
	}
	path := w.home1("/cameras/" + string(c.id) + "/")
	if status, b, _ := w.ask(http.MethodPost, path+"cmd", "", cmd); status != http.StatusAccepted {
		t.Errorf("a command: %d %s", status, b)
	}
	if sent := w.feed.Sent(); !slices.ContainsFunc(sent, func(s feed.Sent) bool {
		return s.Camera == c.id && s.Kind == feed.Command && string(s.Payload) == string(cmd)
	}) {
		t.Error("the command was not sent")
	}
	stranger, err := seal.SignCommand(newKey(t), seal.Command{Camera: c.id, Counter: 1, Verb: seal.VerbSnapshot, Issued: time.Now(), Expires: time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	settings := func(d seal.Settings) []byte {
		d.Household, d.Version, d.Issued, d.Body = w.home.id(), 1, time.Now(), []byte("looks = 5\n")
		b, err := seal.SignSettings(w.home.viewer.Signer(), d)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for topic, d := range map[string]seal.Settings{"settings/all": {}, "settings/camera": {Camera: c.id}} {
		b := settings(d)
		if status, answer, _ := w.ask(http.MethodPost, path+"settings", "", b); status != http.StatusAccepted {
			t.Errorf("%s: %d %s", topic, status, answer)
		}
		if sent := w.feed.Sent(); !slices.ContainsFunc(sent, func(s feed.Sent) bool { return s.Camera == c.id && s.Kind == topic && string(s.Payload) == string(b) }) {
			t.Errorf("%s was not sent", topic)
		}
	}
	old := w.home.signed
	w.home.sign()
	for name, p := range map[string]struct {
		path   string
		body   []byte
		status int
	}{
		"a stranger's":          {path + "cmd", stranger, http.StatusForbidden},
		"another camera's":      {w.home1("/cameras/" + string(w.home.cameras[1].id) + "/cmd"), cmd, http.StatusForbidden},
		"no camera's":           {w.home1("/cameras/" + string(newHome(t, 1).cameras[0].id) + "/cmd"), cmd, http.StatusForbidden},
		"nothing":               {path + "cmd", nil, http.StatusBadRequest},
		"too much":              {path + "cmd", make([]byte, seal.MaxCommand+1), http.StatusRequestEntityTooLarge},
		"another's settings":    {path + "settings", settings(seal.Settings{Camera: w.home.cameras[1].id}), http.StatusForbidden},
		"media":                 {path + "media", cmd, http.StatusNotFound},
		"a roster":              {path + "roster", w.home.signed, http.StatusAccepted},
		"the same roster again": {path + "roster", w.home.signed, http.StatusAccepted},
		"another's roster":      {path + "roster", newHome(t, 0, w.key).signed, http.StatusForbidden},
	} {
		if status, b, _ := w.ask(http.MethodPost, p.path, "", p.body); status != p.status {
			t.Errorf("%s: %d %s", name, status, b)
		}
	}
	if status, _, _ := w.ask(http.MethodPost, path+"roster", "", old); status != http.StatusForbidden {
		t.Errorf("an older roster: %d", status)
	}
	if r, err := w.keeper.rosters.of(w.home.id()); err != nil || r.Version != 2 {
		t.Errorf("in force is %+v, %v", r, err)
	}
}

// An owner's deletion is carried out once, for good, and answered with a signature;
// nobody else's is.
func TestDelete(t *testing.T) {
	w := newWorld(t, 1)
	c := w.home.cameras[0]
	var sealed []seal.Sealed
	for range 3 {
		sealed = append(sealed, c.seal(seal.Durable, "x"))
		w.feed.Deliver(c.item(sealed[len(sealed)-1]))
	}
	w.counted(kept, 3)
	now := time.Now()
	good := seal.Deletion{Household: w.home.id(), Keeper: w.keeper.ID(), Camera: c.id, From: 1, To: 2, Counter: 7, Issued: now.Add(time.Second), Expires: now.Add(time.Minute)}
	order := func(d seal.Deletion) []byte {
		b, err := seal.SignDeletion(w.home.owner, d)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := order(good)
	status, answer, _ := w.ask(http.MethodPost, w.home1("/delete"), "", first)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	d, err := seal.OpenDeleted(w.home.opened, answer)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := seal.OpenDeletion(w.home.opened, first); err != nil || d.Deletion != opened.Hash || d.Messages != 2 || d.Keeper != w.keeper.ID() {
		t.Errorf("answered %+v, %v", d, err)
	}
	if _, again, _ := w.ask(http.MethodPost, w.home1("/delete"), "", first); string(again) != string(answer) {
		t.Error("the same again is answered otherwise")
	}
	for i, want := range []int{http.StatusNotFound, http.StatusNotFound, http.StatusOK} {
		if status, _, _ := w.ask(http.MethodGet, "/v1/messages/"+hex.EncodeToString(sealed[i].Hash[:]), "", nil); status != want {
			t.Errorf("message %d: %d", i+1, status)
		}
	}
	w.feed.Deliver(c.item(sealed[0]))
	w.counted(deletedOnce, 1)
	w.until("the camera is told that it need not send it again", func() bool {
		return slices.ContainsFunc(w.commands(c, seal.VerbReceipt), func(r *seal.Command) bool { return r.From == 1 && len(r.Gaps) == 0 })
	})
	replayed, elsewhere, expired, before, long := good, good, good, good, good
	replayed.To = 3
	elsewhere.Keeper = seal.KeyID(c.id)
	expired.Issued, expired.Expires = now.Add(-time.Hour), now.Add(-time.Minute)
	before.Counter, before.Issued = 8, now.Add(-time.Minute)
	long.Counter, long.Expires = 9, now.Add(3*time.Hour)
	viewers, err := seal.SignDeletion(w.home.viewer.Signer(), good)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"one of the past": order(replayed), "another keeper's": order(elsewhere), "expired": order(expired),
		"from before the keeper started": order(before), "one that holds too long": order(long), "a viewer's": viewers,
		"nonsense": []byte("x"),
	} {
		if status, b, _ := w.ask(http.MethodPost, w.home1("/delete"), "", b); status != http.StatusForbidden && status != http.StatusConflict {
			t.Errorf("%s: %d %s", name, status, b)
		}
	}
	if s := w.store.Stats(); s.Messages != 1 {
		t.Errorf("%d messages are left", s.Messages)
	}
}

// Whatever a query says, what comes of it is within bounds and about its household.
func FuzzQuery(f *testing.F) {
	f.Add("camera=a&by=seq&from=1&to=2&limit=5")
	f.Add("since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z&newest=1&before=9")
	f.Add("after=-1&limit=99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := parseQuery("h", values)
		if err != nil {
			return
		}
		if q.Household != "h" || q.Limit < 1 || q.Limit > store.MaxLimit || q.BySeq && q.Camera == "" {
			t.Errorf("%q: %+v", text, q)
		}
	})
}

// Whatever a header says, what comes of it is a pass of bounded size, or none, and
// there is one way to write it.
func FuzzPass(f *testing.F) {
	f.Add("Sealcam AAAA")
	f.Add("sealcam AAA=")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		b, err := parsePass(header)
		if err != nil {
			return
		}
		if len(b) > seal.MaxPass || encodePass(b)[len(passScheme):] != header[len(passScheme):] {
			t.Errorf("%q: %d bytes", header, len(b))
		}
	})
}
