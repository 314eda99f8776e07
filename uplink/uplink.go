// Package uplink turns Pictures into Sealed and gets them to the household:
// Send seals and stores, durably when it returns; Run drains the spool over
// MQTT, whatever the network does meanwhile.
//
// An acknowledgement of the broker (PUBACK) means "not again on this
// connection" and no more: brokers acknowledge what their own access rules have
// just dropped. Only a viewer's receipt, sealed to this camera, means
// delivered; until then the spool is the archive that a viewer's resend is
// answered from.
//
// What is urgent goes first: status, snapshots, the newest clip, and then what else
// waits. No more is on its way than the link carries in a moment, and what it does
// not carry at once goes in pieces (package piece), each of them acknowledged, so
// that nothing urgent waits for a large message, and no message begins anew when
// the network is cut.
//
// What this package does not do: it takes no picture, starts no goroutine, and
// knows one broker at a time. It does not protect from a broker that drops
// everything; it makes that visible to viewers, as gaps.
package uplink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealcam/sealcam/uplink/identity"
	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Config is what an Uplink is made of.
type Config struct {
	Dir      string           // for the order of messages; made if missing
	Messages string           // directory for the messages themselves, perhaps on a card; "" is Dir/messages
	Camera   *identity.Camera // claimed
	// Credentials open the broker; nil: Camera's, of its household.
	Credentials Credentials
	Broker      string // mqtts://host:port, or several with commas between them: the nodes of one cluster
	// Spread is over what time cameras that lost their broker together come back to
	// it, each at a random moment, and also when they are started together. 0 is for a
	// home: at once, and then within a second. At most MaxSpread.
	Spread    time.Duration
	Budget    int64            // bytes that stored messages may take
	Recording *RecordingConfig // nil: nothing is recorded
	LiveFor   time.Duration    // how long a live picture may be shown as such; 0: DefaultLiveFor
	Firmware  string           // version that every seal claims, printable ASCII
	// FirmwareHash is the SHA-256 of the program, which every seal claims; nil for none.
	FirmwareHash []byte
	Model        string           // what the hello says this camera is, printable ASCII
	Now          func() time.Time // wall clock, however wrong
	Mono         func() time.Duration
	// Clock says how good Now is: seal.ClockNone, ClockRTC or ClockNTP. nil
	// judges by Now alone: none before 2024 or the last time that was believed.
	Clock func() string
	// Settings takes what somebody wants the camera to be set to: bytes from anybody,
	// which it judges, and must not keep waiting. What it refuses is counted, by the
	// seal's reason or as ErrUnusable. nil: nothing is asked for.
	Settings func(signed []byte) error
	Log      *slog.Logger
	// Dial makes a connection; nil means mqtt.Dial.
	Dial func(ctx context.Context, c mqtt.Config) (Conn, error)
	// Disk opens a directory for stored messages; nil means the file system.
	Disk func(dir string) (Disk, error)
}

// Disk is a directory that messages are stored in, and DiskFile a file in it that
// is being written. They are for who puts another disk below a camera, such as
// one that costs no open file.
type (
	Disk     = spool.FS
	DiskFile = spool.File
)

// Conn is a connection to a broker, as *mqtt.Conn is one.
type Conn interface {
	Subscribe(ctx context.Context, filters ...string) error
	Publish(ctx context.Context, m mqtt.Message) mqtt.Token
	Messages() <-chan mqtt.Message
	Done() <-chan struct{}
	Err() error
	Close()
}

// DefaultLiveFor is how long a live picture may be shown when nobody says.
const DefaultLiveFor = 30 * time.Second

// maxRequests is how many viewers' requests may wait for the camera.
const maxRequests = 8

// Request is what a viewer asks of the camera, verified and used up.
type Request struct {
	Nonce []byte // to be echoed in Picture.Nonce
}

// Order is what an owner commands, verified and used up: to close the camera, or
// to open it.
type Order struct {
	Close bool
	Until time.Time // with Close: open again then; zero for not by itself
	Nonce []byte    // to be echoed in Status.Nonce; may be nil
}

// ErrPrivate says that the camera is closed: it seals nothing but what it says
// about itself.
var ErrPrivate = errors.New("the camera is closed for privacy")

// ErrRevoked says that the household's roster no longer names this camera: it
// seals nothing more.
var ErrRevoked = errors.New("the household has removed this camera")

// ErrUnusable says that settings are from somebody who may sign them, and cannot be
// used on this camera.
var ErrUnusable = errors.New("these settings cannot be used on this camera")

// ErrReset says that an owner has told this camera to destroy its key and all
// that it stores: that is for Run's caller to do, once it has closed the Uplink.
var ErrReset = errors.New("an owner of the household has reset this camera")

// Uplink is open. Send, Live, Record, Status, Requests and Stats are safe for
// concurrent use, beside one Run and one Recall.
type Uplink struct {
	config Config
	id     seal.CameraID
	log    *slog.Logger
	state  spool.FS
	store  spool.FS

	requests chan Request
	orders   chan Order
	fetches  chan fetch    // the newest wish
	recorder *recorder     // nil for none
	wake     chan struct{} // there is something to publish
	road                   // Run's own

	certified atomic.Int64 // when its certificates were made, in seconds since 1970

	mu         sync.Mutex
	boot       [16]byte
	sealer     *seal.Sealer // nil once revoked
	private    bool         // nothing is sealed but status and gaps
	guard      *seal.Guard
	spool      *spool.Spool
	lives      lives
	live       *fleeting  // the newest live picture, not yet published
	answers    []fleeting // live pictures that answer requests, not yet published
	view       view
	recalled   *recalled // part of the recording that goes out next
	status     *Status   // said last
	disk       diskTrouble
	statusHead uint64 // newest status that was published
	counters   Stats
}

// road is what is known of the way to the broker over connections.
type road struct {
	brokers  brokers
	link     link
	progress progress
	suspect  suspect
	ceiling  int // bytes of the largest message that the broker is thought to take
	passed   int // acknowledgements since ceiling fell
	carried  int // acknowledgements of stored messages, or pieces of them
}

// fleeting is a sealed live picture, or a status that is not stored. It is worth publishing until a time of the
// monotonic clock.
type fleeting struct {
	sealed []byte
	until  time.Duration
	status bool // it is no picture: what a camera says about itself is said while it is closed, too
}

// Open opens the spool and counts this boot.
func Open(c Config) (*Uplink, error) {
	if c.Camera == nil || c.Now == nil || c.Mono == nil {
		return nil, errors.New("uplink: a camera and clocks are needed")
	}
	if c.Spread < 0 || c.Spread > MaxSpread {
		return nil, fmt.Errorf("uplink: a spread of %v: expected 0 to %v", c.Spread, MaxSpread)
	}
	if c.LiveFor == 0 {
		c.LiveFor = DefaultLiveFor
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Credentials == nil {
		c.Credentials = household{c.Camera}
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, c mqtt.Config) (Conn, error) { return mqtt.Dial(ctx, c) }
	}
	if c.Disk == nil {
		c.Disk = spool.Disk
	}
	u := &Uplink{
		config: c, id: c.Camera.ID(), log: c.Log.With("part", "uplink"),
		requests: make(chan Request, maxRequests), orders: make(chan Order, maxRequests), fetches: make(chan fetch, 1), wake: make(chan struct{}, 1),
		road: road{brokers: newBrokers(c.Broker), progress: progress{}, ceiling: windowMost},
	}
	if _, err := rand.Read(u.boot[:]); err != nil {
		return nil, err
	}
	u.certify()
	if err := u.openKeys(); err != nil {
		return nil, err
	}
	if err := u.openSpool(); err != nil {
		return nil, err
	}
	u.lives = newLives(u.spool.Boot(), u.spool.Stats().Counted, c.Now())
	u.view.lives = u.lives
	u.openRecording()
	return u, nil
}

// openKeys makes what seals, and what guards against old commands.
func (u *Uplink) openKeys() (err error) {
	roster := u.config.Camera.Roster()
	if roster == nil {
		return identity.ErrUnclaimed
	}
	if u.guard, err = seal.NewGuard(u.id, roster, u.config.Camera.GuardState()); err != nil {
		return err
	}
	if err = u.newSealer(roster); seal.ReasonOf(err) == seal.Revoked {
		u.log.Warn("this camera seals nothing", "err", ErrRevoked)
		return nil // it still listens: a newer roster may name it again
	}
	return err
}

// newSealer makes what seals to the viewers of roster, which has to name this
// camera.
func (u *Uplink) newSealer(roster *seal.Roster) error {
	s, err := seal.NewSealer(seal.SealerConfig{
		Key: u.config.Camera.Signer(), Roster: roster, Boot: u.boot, Firmware: u.config.Firmware, FirmwareHash: u.config.FirmwareHash,
	})
	if err == nil {
		u.sealer = s
	}
	return err
}

// openSpool opens both directories. Without a disk for messages the camera goes
// on: live pictures need none.
func (u *Uplink) openSpool() (err error) {
	if u.state, err = u.config.Disk(filepath.Join(u.config.Dir, "order")); err != nil {
		return err
	}
	messages := u.config.Messages
	if messages == "" {
		messages = filepath.Join(u.config.Dir, "messages")
	}
	// Of each camera its own, so that a card may wander.
	store, noDisk := u.config.Disk(filepath.Join(messages, string(u.id)))
	if noDisk == nil {
		u.store = store
	}
	u.spool, err = spool.Open(spool.Config{
		State: u.state, Messages: u.store, NoDisk: noDisk, Budget: u.config.Budget,
		Holes: seal.MaxGaps / 2, Hash: hashOf, Log: u.log,
	})
	if err != nil {
		return errors.Join(err, u.closeDisks())
	}
	return nil
}

func (u *Uplink) closeDisks() (err error) {
	if u.store != nil {
		err = u.store.Close()
	}
	return errors.Join(err, u.state.Close())
}

// hashOf returns the name of a stored message for the next one.
func hashOf(message []byte) ([32]byte, error) {
	v, err := seal.Peek(message)
	return v.Hash, err
}

// Close stores the order of messages. Nothing is lost without it.
func (u *Uplink) Close() error {
	err := u.recorder.close()
	u.mu.Lock()
	defer u.mu.Unlock()
	return errors.Join(err, u.spool.Close(), u.closeDisks())
}

// Requests returns what viewers have asked. It is never closed.
func (u *Uplink) Requests() <-chan Request { return u.requests }

// Orders returns what an owner has commanded. It is never closed.
func (u *Uplink) Orders() <-chan Order { return u.orders }

// SetPrivate closes the uplink to pictures, or opens it. When it returns, nothing
// is being sealed from before, nobody watches, and live pictures that were not
// published are gone. What was sealed and stored before is still delivered.
func (u *Uplink) SetPrivate(on bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.private = on
	if on {
		u.live, u.answers = nil, nil
		u.view.end()
	}
}

func (u *Uplink) closed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.private
}

// Household returns whose the camera is.
func (u *Uplink) Household() seal.HouseholdID { return u.config.Camera.Household() }

// Broker returns where messages go.
func (u *Uplink) Broker() string { return u.config.Broker }

// Removed says whether the household's roster no longer names this camera.
func (u *Uplink) Removed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.sealer == nil
}

// Clock says how good the wall clock is: seal.ClockNone, ClockRTC or ClockNTP.
func (u *Uplink) Clock() string { return u.clock() }

// HasClock says whether the wall clock is known to be right, as far as a camera
// can know.
func (u *Uplink) HasClock() bool { return u.clock() != seal.ClockNone }

// Stats is what an Uplink has done since Open, and how it is now.
type Stats struct {
	Connected   bool
	LastError   string // why there is no connection, or why nothing is stored; "" when all is well
	Connects    uint64 // connections made
	Sealed      uint64 // messages, all kinds
	SealedBytes uint64
	Published   uint64 // acknowledged by a broker
	Views       uint64 // frames of live view that were sealed
	Refused     uint64 // commands and rosters that were not obeyed
	// Refusals is Refused by kind and reason: "roster replayed", "command
	// revoked", "command retained" (one that a broker had kept) and so on.
	Refusals     map[string]uint64
	Head         uint64 // number of the newest durable message
	Waiting      int    // durable messages that no broker has
	Acknowledged int    // durable messages that a broker has, and no viewer has receipted
	Delivered    int    // durable messages that a viewer has receipted, and that are still kept
	DeliveredTo  uint64 // newest durable message that a viewer has
	Dropped      uint64 // durable messages given up undelivered, for want of space
	Unconfessed  uint64 // numbers lost of which viewers are not told yet
	Bytes        int64  // that stored messages take
	Budget       int64  // that they may take
	// Disk says in a sentence why pictures are not stored now, or were not a moment
	// ago, and what to do; "" when they are.
	Disk string
	// Receipted is when a viewer's last receipt came, by the monotonic clock; 0 before.
	Receipted time.Duration
}

// Stats returns counts as of now.
func (u *Uplink) Stats() Stats {
	s := u.spool.Stats()
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.counters
	c.Refusals = maps.Clone(c.Refusals)
	c.Head, c.Bytes, c.Dropped, c.Unconfessed = s.Head, s.Bytes, s.Evicted, s.Unconfessed
	c.Waiting, c.Acknowledged, c.Delivered, c.Budget = s.Waiting, s.Acknowledged, s.Delivered, s.Budget
	c.Disk = u.disk.words(u.config.Mono())
	if c.LastError == "" && s.Err != nil {
		c.LastError = s.Err.Error()
	}
	return c
}

func (u *Uplink) topic(kind string) string { return fmt.Sprintf("sealcam/v1/%s/%s", u.id, kind) }

// signal wakes Run without waiting for it.
func (u *Uplink) signal() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}
