package fleet

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Lied is what viewers saw who read from a keeper that lies.
type Lied struct {
	Watched
	Told     map[string]uint64 `json:"told"`     // lies, by kind
	Sessions uint64            `json:"sessions"` // that viewers began: lists that lie end one
}

// How often a keeper lies, in hundredths of its answers. It lies about each answer
// anew: what it withholds now, it may give when it is asked again.
const (
	lieOfMessage = 20
	lieOfList    = 10
	lieOfHeads   = 10
)

// liar is the keeper that viewers know: it has the true one's answers, and its
// certificate, and lies by the seed.
type liar struct {
	seed  uint64
	most  time.Duration // that it lets a feed last
	l     net.Listener
	url   string
	proxy *httputil.ReverseProxy

	mu     sync.Mutex
	truth  *url.URL          // where the true keeper answers
	asked  map[string]int    // how often, by what
	told   map[string]uint64 // lies
	passed [][]byte          // messages, of any household
	listed []feed.FakeEntry
}

// newLiar makes a keeper that knows what the true one at api knows.
func (w world) newLiar(api string) (*liar, error) {
	conf, err := w.serverTLS()
	if err != nil {
		return nil, err
	}
	id, err := identity.OpenViewer(w.home(0), readerName)
	if err != nil {
		return nil, err
	}
	trust, err := id.KeeperTLS()
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return nil, err
	}
	conf.ClientAuth = tls.NoClientCert
	k := &liar{
		seed: w.Seed, most: max(w.For/4, time.Second), l: tls.NewListener(tcp, conf), url: "https://" + tcp.Addr().String(),
		asked: map[string]int{}, told: map[string]uint64{},
	}
	k.repeat(api)
	k.proxy = &httputil.ReverseProxy{
		Rewrite: k.rewrite, ModifyResponse: k.answer, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Transport: &http.Transport{TLSClientConfig: trust, DisableCompression: true},
	}
	return k, nil
}

// repeat says where the true keeper answers from now on.
func (k *liar) repeat(api string) {
	u, err := url.Parse(api)
	if err != nil {
		return // it is of our own making
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.truth = u
}

// run answers viewers until ctx ends.
func (k *liar) run(ctx context.Context) {
	srv := &http.Server{Handler: k.proxy, ReadHeaderTimeout: time.Minute, ErrorLog: k.proxy.ErrorLog}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	_ = srv.Serve(k.l)
}

func (k *liar) rewrite(r *httputil.ProxyRequest) {
	k.mu.Lock()
	truth := k.truth
	k.mu.Unlock()
	r.SetURL(truth)
	r.Out.Header.Del("Accept-Encoding") // what is lied about is read
}

// chance returns the choices about one answer: by the seed, by what was asked, and by
// how often.
func (k *liar) chance(r *http.Request) *rand.Rand {
	k.mu.Lock()
	defer k.mu.Unlock()
	what := r.URL.Path + "?" + r.URL.RawQuery
	n := k.asked[what]
	k.asked[what]++
	return numbers(k.seed, "lie about "+what, n)
}

// counts returns the lies told so far, by kind.
func (k *liar) counts() map[string]uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.told)
}

// answer changes what the true keeper has answered.
func (k *liar) answer(a *http.Response) error {
	if a.StatusCode != http.StatusOK {
		return nil
	}
	path, r := strings.Split(strings.TrimPrefix(a.Request.URL.Path, "/v1/"), "/"), k.chance(a.Request)
	switch {
	case path[0] == "messages":
		return k.retell(a, func(b []byte) ([]byte, string) { return k.message(r, b) })
	case path[len(path)-1] == "feed":
		last := time.Duration(r.Float64() * float64(k.most))
		body := a.Body
		time.AfterFunc(last, func() { _ = body.Close() })
	case path[len(path)-1] == "messages" && a.Request.URL.Query().Get("by") == "seq":
		return k.retell(a, func(b []byte) ([]byte, string) { return k.list(r, b) })
	case path[len(path)-1] == "cameras":
		return k.retell(a, func(b []byte) ([]byte, string) { return k.heads(r, b) })
	}
	return nil
}

// retell puts what say makes of an answer in its place, and counts the lie.
func (k *liar) retell(a *http.Response, say func(b []byte) (words []byte, lie string)) error {
	b, err := io.ReadAll(io.LimitReader(a.Body, seal.MaxSealed+1))
	_ = a.Body.Close()
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	words, lie := say(b)
	if lie != "" {
		k.told[lie]++
	}
	if words == nil {
		a.StatusCode, a.Status = http.StatusNotFound, ""
	}
	a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(words)), int64(len(words))
	a.Header.Set("Content-Length", strconv.Itoa(len(words)))
	return nil
}

// message lies about a message. k.mu is held, as it is below.
func (k *liar) message(r *rand.Rand, b []byte) ([]byte, string) {
	if k.passed = append(k.passed, b); len(k.passed) > remembered {
		k.passed = slices.Delete(k.passed, 0, 1)
	}
	if r.IntN(100) >= lieOfMessage || len(b) == 0 {
		return b, ""
	}
	switch r.IntN(4) {
	case 0:
		if other := k.passed[r.IntN(len(k.passed))]; !bytes.Equal(other, b) {
			return other, "bytes swapped"
		}
		return b, ""
	case 1:
		b = bytes.Clone(b)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b, "bytes changed"
	case 2:
		return b[:r.IntN(len(b))], "bytes cut off"
	}
	return nil, "withheld"
}

// list lies about a list of messages.
func (k *liar) list(r *rand.Rand, b []byte) ([]byte, string) {
	var page struct {
		Entries []feed.FakeEntry `json:"entries"`
		More    bool             `json:"more"`
	}
	if json.Unmarshal(b, &page) != nil || len(page.Entries) == 0 {
		return b, ""
	}
	if k.listed = append(k.listed, page.Entries...); len(k.listed) > remembered {
		k.listed = slices.Delete(k.listed, 0, len(k.listed)-remembered)
	}
	if r.IntN(100) >= lieOfList {
		return b, ""
	}
	l, lie := k.entries(r, page.Entries)
	page.Entries = l
	words, err := json.Marshal(page)
	if err != nil {
		return b, ""
	}
	return words, lie
}

// entries lies about the entries of a list, which is not empty.
func (k *liar) entries(r *rand.Rand, l []feed.FakeEntry) ([]feed.FakeEntry, string) {
	i, other := r.IntN(len(l)), k.listed[r.IntN(len(k.listed))]
	switch r.IntN(5) {
	case 0:
		return slices.Delete(l, i, i+1), "left out of a list"
	case 1:
		return slices.Insert(l, i, l[i]), "listed twice"
	case 2:
		return l[:len(l)/2], "an old list"
	case 3:
		return slices.Insert(l, i, other), "another's in the list"
	}
	if l[i].Hash == other.Hash {
		return l, ""
	}
	l[i].Hash, l[i].Size = other.Hash, other.Size
	return l, "another's as ours"
}

// heads lies about how much there is of each camera.
func (k *liar) heads(r *rand.Rand, b []byte) ([]byte, string) {
	var all struct {
		Cameras []map[string]any `json:"cameras"`
	}
	if r.IntN(100) >= lieOfHeads || json.Unmarshal(b, &all) != nil || len(all.Cameras) == 0 {
		return b, ""
	}
	lie, by := "lower heads", -5.0
	if r.IntN(2) == 0 {
		lie, by = "higher heads", 1<<40
	}
	for _, c := range all.Cameras {
		if n, ok := c["last"].(float64); ok {
			c["last"] = max(n+by, 0)
		}
	}
	words, err := json.Marshal(all)
	if err != nil {
		return b, ""
	}
	return words, lie
}
