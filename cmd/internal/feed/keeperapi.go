package feed

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Bounds of what a keeper, or whoever stands in its place, may answer.
const (
	maxJSON    = 1 << 20 // bytes of a list
	maxProblem = 4 << 10 // bytes of an error
	maxHeader  = 16 << 10
	keepFormat = 1

	askTimeout = 30 * time.Second
	slowest    = 16 << 10 // bytes a second that a message must come at
	passLife   = 4 * time.Minute
)

// errNotKept says that a keeper does not have, or give, a message any more.
var errNotKept = errors.New("the keeper does not give this message")

// errOther says that an answer was not the message that was asked for.
var errOther = errors.New("the keeper gave other bytes than the message that was asked for")

// errLong says that an answer does not end where it should.
var errLong = errors.New("the keeper's answer is too long")

// KeeperError is a keeper's refusal.
type KeeperError struct {
	Status int
	Text   string // for a person, the keeper's words
	Help   string
}

func (e *KeeperError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("the keeper answers %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("the keeper answers %d: %s", e.Status, e.Text)
}

// Hint says how to go on, in the keeper's words; it may be empty.
func (e *KeeperError) Hint() string { return e.Help }

func newTransport(conf *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true,
		// What is sealed does not shrink, and what unpacks to more than was sent is
		// none of ours.
		DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		TLSHandshakeTimeout: askTimeout, ResponseHeaderTimeout: askTimeout,
		MaxIdleConnsPerHost: maxAhead, IdleConnTimeout: time.Minute,
	}
}

// api is a keeper's HTTPS interface, every answer bounded in size and time. Its
// methods are safe for concurrent use.
type api struct {
	base      *url.URL
	household seal.HouseholdID
	client    *http.Client
	now       func() time.Time
	make      func(seal.KeyID) ([]byte, error)

	mu   sync.Mutex
	key  seal.KeyID // the keeper's own, as it says
	pass string
	made time.Time
}

func newAPI(c KeeperConfig, base *url.URL) *api {
	client := &http.Client{Transport: c.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &api{base: base.JoinPath("v1"), household: c.Household, client: client, now: c.Now, make: c.Pass}
}

// about asks the keeper who it is, and makes the first pass for it.
func (a *api) about(ctx context.Context) error {
	var about struct {
		Keeper  string `json:"keeper"`
		Formats []int  `json:"formats"`
	}
	if err := a.json(ctx, "", a.base.JoinPath("keeper"), &about); err != nil {
		return err
	}
	known := false
	for _, f := range about.Formats {
		known = known || f == keepFormat
	}
	if !known {
		return cli.Hint(fmt.Errorf("the keeper speaks formats %v, and this program %d", about.Formats, keepFormat), "update the older of the two")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key, a.pass = seal.KeyID(about.Keeper), ""
	return a.renew()
}

// renew makes a new pass. a.mu is held.
func (a *api) renew() error {
	pass, err := a.make(a.key)
	if err != nil {
		return err
	}
	a.pass, a.made = "Sealcam "+base64.RawURLEncoding.EncodeToString(pass), a.now()
	return nil
}

// ticket returns a pass that holds for some minutes yet.
func (a *api) ticket() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if age := a.now().Sub(a.made); age >= passLife || age < 0 {
		if err := a.renew(); err != nil {
			return "", err
		}
	}
	return a.pass, nil
}

func (a *api) of(path ...string) *url.URL {
	return a.base.JoinPath("households", string(a.household)).JoinPath(path...)
}

func hexOf(hash [32]byte) string { return hex.EncodeToString(hash[:]) }

// do makes a request, with pass if it is not empty, and returns an answer of status
// 2xx, whose body the caller closes.
func (a *api) do(ctx context.Context, method, pass string, u *url.URL, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if pass != "" {
		r.Header.Set("Authorization", pass)
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return nil, err
	}
	if err := checkAnswer(answer); err != nil {
		answer.Body.Close()
		return nil, err
	}
	return answer, nil
}

func checkAnswer(answer *http.Response) error {
	switch coding := answer.Header.Get("Content-Encoding"); {
	case answer.StatusCode/100 == 3:
		return cli.Hint(&KeeperError{Status: answer.StatusCode, Text: "it is elsewhere"}, "name the keeper's own address with --keeper; nothing is followed to another one")
	case answer.StatusCode/100 != 2:
		return problem(answer)
	case coding != "" && coding != "identity":
		return fmt.Errorf("the keeper's answer is packed (%.20q), which was not asked for", coding)
	}
	return nil
}

// problem reads what is wrong.
func problem(answer *http.Response) error {
	var said struct{ Error, Hint string }
	b, _ := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	_ = json.Unmarshal(b, &said) // else it is somebody else's words
	return &KeeperError{Status: answer.StatusCode, Text: cli.Printable(said.Error, 300), Help: cli.Printable(said.Hint, 300)}
}

// get returns a whole body of at most limit bytes.
func (a *api) get(ctx context.Context, pass string, u *url.URL, limit int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout+time.Duration(limit/slowest)*time.Second)
	defer cancel()
	answer, err := a.do(ctx, http.MethodGet, pass, u, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, int64(limit)+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("%w: more than %d bytes", errLong, limit)
	}
	return b, err
}

func (a *api) json(ctx context.Context, pass string, u *url.URL, into any) error {
	b, err := a.get(ctx, pass, u, maxJSON)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("the keeper's answer is no list: %w", err)
	}
	return nil
}

// list is json of the household's, with a pass.
func (a *api) list(ctx context.Context, u *url.URL, into any) error {
	pass, err := a.ticket()
	if err != nil {
		return err
	}
	return a.json(ctx, pass, u, into)
}

// message returns what is listed as e, or errNotKept, or errOther. It takes no pass:
// so anything between may keep the bytes for all.
func (a *api) message(ctx context.Context, e entry) ([]byte, error) {
	b, err := a.get(ctx, "", a.base.JoinPath("messages", hexOf(e.hash)), e.size)
	var said *KeeperError
	switch {
	case errors.As(err, &said) && (said.Status == http.StatusNotFound || said.Status == http.StatusGone):
		return nil, errNotKept
	case errors.Is(err, errLong):
		return nil, errOther
	case err != nil:
		return nil, err
	}
	v, err := seal.Peek(b)
	if err != nil || v.Hash != e.hash || v.Camera != e.camera || v.Household != a.household || v.Stream != e.stream || v.Seq != e.seq {
		return nil, errOther
	}
	return b, nil
}

func (a *api) roster(ctx context.Context) ([]byte, error) {
	pass, err := a.ticket()
	if err != nil {
		return nil, err
	}
	return a.get(ctx, pass, a.of("roster"), maxJSON)
}

// newest returns the place in the keeper's order up to which there is something.
func (a *api) newest(ctx context.Context) (uint64, error) {
	u := a.of("messages")
	u.RawQuery = url.Values{"newest": {"1"}, "limit": {"1"}}.Encode()
	page, err := a.page(ctx, u)
	if err != nil || len(page.entries) == 0 {
		return 0, err
	}
	return page.entries[0].cursor, nil
}

// first returns the number of the first message of a camera that was received at a
// time or later, 0 if there is none.
func (a *api) first(ctx context.Context, camera seal.CameraID, since time.Time) (uint64, error) {
	u := a.of("messages")
	u.RawQuery = url.Values{"camera": {string(camera)}, "since": {since.UTC().Format(time.RFC3339)}, "limit": {"1"}}.Encode()
	page, err := a.page(ctx, u)
	if err != nil || len(page.entries) == 0 {
		return 0, err
	}
	return page.entries[0].seq, nil
}

// messages lists s from its from on.
func (a *api) messages(ctx context.Context, s span, limit int) (page, error) {
	u := a.of("messages")
	q := url.Values{"camera": {string(s.camera)}, "by": {"seq"}, "limit": {strconv.Itoa(limit)}}
	q.Set("from", strconv.FormatUint(s.from, 10))
	q.Set("to", strconv.FormatUint(s.to, 10))
	u.RawQuery = q.Encode()
	got, err := a.page(ctx, u)
	if err != nil {
		return page{}, err
	}
	return got, got.check(s)
}

func (a *api) send(ctx context.Context, camera seal.CameraID, kind string, payload []byte) error {
	pass, err := a.ticket()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := a.do(ctx, http.MethodPost, pass, a.of("cameras", string(camera), kind), payload)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
