package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// keeping is a household with a keeper that runs as "sealcam keep" does.
type keeping struct {
	t          *testing.T
	home       *identity.Household
	who        *identity.Keeper
	store      string
	out, err   *spoken
	url        string // of the keeper, for viewers
	brokerURL  string
	stop       func() int
	httpClient *http.Client
}

// spoken is what a command says, read while it speaks.
type spoken struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newKeeping founds a household with a keeper, and starts it.
func newKeeping(t *testing.T, args ...string) *keeping {
	t.Helper()
	dir := t.TempDir()
	h, err := identity.CreateHousehold(filepath.Join(dir, "home"), "mqtts://127.0.0.1:8883", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k := &keeping{t: t, home: h, store: filepath.Join(dir, "kept")}
	if k.who, err = h.AddKeeper("attic", "https://127.0.0.1:8443"); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.Authority())
	k.httpClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(k.httpClient.CloseIdleConnections)
	k.start(args...)
	return k
}

// start runs the command until stop.
func (k *keeping) start(args ...string) {
	k.t.Helper()
	k.out, k.err = new(spoken), new(spoken)
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: k.out, Stderr: k.err}
	if len(args) == 0 {
		args = []string{"--broker-listen", "127.0.0.1:0"}
	}
	go func() {
		args = append([]string{"keep", "--identity", k.home.KeeperDir("attic"), "--listen", "127.0.0.1:0"}, args...)
		if !slices.Contains(args, "--nats") {
			args = append(args, "--store", k.store)
		}
		code <- run(ctx, env, args)
	}()
	var once sync.Once
	k.stop = func() (got int) {
		once.Do(func() {
			cancel()
			select {
			case got = <-code:
			case <-time.After(time.Minute):
				k.t.Error("the keeper does not end")
			}
		})
		return got
	}
	k.t.Cleanup(func() { k.stop() })
	waitFor(k.t, "the keeper to be ready", func() bool { return strings.Contains(k.out.String(), "\nstore ") || len(code) > 0 })
	for line := range strings.Lines(k.out.String()) {
		switch f := strings.Fields(line); f[0] {
		case "viewers":
			k.url = f[1]
		case "cameras":
			k.brokerURL = f[1]
		}
	}
	if k.url == "" {
		k.t.Fatalf("the keeper did not start: %s%s", k.out, k.err)
	}
}

// knows waits until the keeper knows its household: what comes before that it asks
// for again, and a light camera does not listen.
func (k *keeping) knows() {
	k.t.Helper()
	waitFor(k.t, "the keeper to know its household", func() bool { return strings.Contains(k.err.String(), "keeps for a household") })
}

// roster has c bring its household's roster, for the keeper to find.
func (k *keeping) roster(c *lightCamera) {
	k.t.Helper()
	_, roster, err := k.home.Roster()
	if err != nil {
		k.t.Fatal(err)
	}
	c.publish("roster", roster, true)
}

// begins has c bring the roster and, once the keeper knows its household, send so many
// pictures, until all have a receipt.
func (k *keeping) begins(c *lightCamera, pictures uint64) {
	k.t.Helper()
	k.roster(c)
	k.knows()
	for range pictures {
		c.picture()
	}
	c.receipted(c.seq)
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// lightCamera is a camera of the household with nothing but its key, its seal and
// its connection.
type lightCamera struct {
	t      *testing.T
	who    *identity.Camera
	conn   *mqtt.Conn
	sealer *seal.Sealer
	seq    uint64
	prev   [32]byte
	sent   [][]byte
}

// camera takes a camera into the household, and connects it to a broker.
func (k *keeping) camera(name, broker string) *lightCamera {
	k.t.Helper()
	return k.cameraBy(name, func(c *lightCamera) { c.connect(broker) })
}

// cameraBy takes a camera into the household, and has it connect.
func (k *keeping) cameraBy(name string, connect func(*lightCamera)) *lightCamera {
	k.t.Helper()
	c := &lightCamera{t: k.t}
	var err error
	if c.who, err = identity.OpenCamera(filepath.Join(k.t.TempDir(), "camera")); err != nil {
		k.t.Fatal(err)
	}
	if err := k.home.AddCamera(c.who.ID(), name); err != nil {
		k.t.Fatal(err)
	}
	if err := k.home.Adopt(c.who); err != nil {
		k.t.Fatal(err)
	}
	c.sealer, err = seal.NewSealer(seal.SealerConfig{Key: c.who.Signer(), Roster: c.who.Roster(), Boot: [16]byte{1}, Firmware: "1"})
	if err != nil {
		k.t.Fatal(err)
	}
	connect(c)
	return c
}

func (c *lightCamera) connect(broker string) {
	c.t.Helper()
	conf, err := c.who.TLS()
	if err != nil {
		c.t.Fatal(err)
	}
	if c.conn, err = mqtt.Dial(c.t.Context(), mqtt.Config{URL: broker, TLS: conf, ClientID: string(c.who.ID())}); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.conn.Close)
	if err := c.conn.Subscribe(c.t.Context(), c.topic("cmd")); err != nil {
		c.t.Fatal(err)
	}
}

func (c *lightCamera) topic(kind string) string {
	return "sealcam/v1/" + string(c.who.ID()) + "/" + kind
}

func (c *lightCamera) publish(kind string, payload []byte, retained bool) {
	c.t.Helper()
	token := c.conn.Publish(c.t.Context(), mqtt.Message{Topic: c.topic(kind), Payload: payload, QoS: 1, Retained: retained})
	select {
	case <-token.Done():
		if err := token.Err(); err != nil {
			c.t.Fatal(err)
		}
	case <-c.conn.Done():
		c.t.Fatal(c.conn.Err())
	case <-time.After(time.Minute):
		c.t.Fatal("the broker does not acknowledge")
	}
}

// picture seals and publishes the next picture.
func (c *lightCamera) picture() {
	c.t.Helper()
	c.seq++
	s, err := c.sealer.Seal(seal.Meta{Stream: seal.Durable, Seq: c.seq, Prev: c.prev, Kind: seal.KindSnapshot, Media: "image/jpeg", Clock: seal.ClockNone}, []byte("a picture"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.prev = s.Hash
	c.sent = append(c.sent, s.Bytes)
	c.publish("media", s.Bytes, false)
}

// receipted waits for the keeper's receipt of all up to seq without a gap.
func (c *lightCamera) receipted(seq uint64) {
	c.t.Helper()
	deadline := time.After(time.Minute)
	var last *seal.Command
	for {
		select {
		case m := <-c.conn.Messages():
			cmd, err := seal.OpenCommand(c.who.ID(), c.who.Roster(), m.Payload)
			if err != nil {
				c.t.Fatal(err)
			}
			last = cmd
			if cmd.Verb == seal.VerbReceipt && cmd.From == 1 && cmd.To >= seq && len(cmd.Gaps) == 0 {
				return
			}
		case <-deadline:
			c.t.Fatalf("no receipt up to %d within a minute; last: %v", seq, last)
		}
	}
}

// get reads from the keeper as a viewer of the household does.
func (k *keeping) get(path string, who *identity.Viewer) []byte {
	k.t.Helper()
	r, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, k.url+path, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	if who != nil {
		now := time.Now()
		pass, err := seal.SignPass(who.Key().Signer(), seal.Pass{Household: k.home.ID(), Keeper: k.who.ID(), Issued: now, Expires: now.Add(time.Minute)})
		if err != nil {
			k.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Sealcam "+base64.RawURLEncoding.EncodeToString(pass))
	}
	answer, err := k.httpClient.Do(r)
	if err != nil {
		k.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		k.t.Fatalf("%s: %s %s %v", path, answer.Status, b, err)
	}
	return b
}

// A keeper that is the broker too takes in what a camera publishes, tells it so, and
// serves it to a viewer that was away, also after a restart.
func TestKeep(t *testing.T) {
	k := newKeeping(t)
	who, err := k.home.AddViewer("phone")
	if err != nil {
		t.Fatal(err)
	}
	c := k.camera("door", k.brokerURL)
	k.begins(c, 3)
	if code := k.stop(); code != cli.ExitOK {
		t.Fatalf("stopped with %d: %s", code, k.err)
	}
	k.start()
	c.connect(k.brokerURL)
	c.picture()
	c.receipted(4)
	var list struct{ Entries []struct{ Hash string } }
	if err := json.Unmarshal(k.get("/v1/households/"+string(k.home.ID())+"/messages", who), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Entries) != 4 {
		t.Fatalf("%d messages are listed", len(list.Entries))
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Household: who.Household(), Roster: c.who.Roster(), Key: who.Key(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range list.Entries {
		b := k.get("/v1/messages/"+e.Hash, nil)
		if !bytes.Equal(b, c.sent[i]) {
			t.Errorf("message %d came back as another", i)
		}
		if _, err := opener.Open(c.who.ID(), b); err != nil {
			t.Error(err)
		}
	}
}
