package tuf

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sealcam/sealcam/uplink/ota"
)

// Config is what a Client needs. Its fields may not change afterwards.
type Config struct {
	// Dir is where the client keeps metadata (in tuf) and what it fetches (in
	// download): STATE/update. It is the client's alone.
	Dir string
	// Root is the root that the camera was made with, the file as it is.
	Root []byte
	// Metadata and Targets are the repository's two folders.
	Metadata, Targets Remote
	Camera            Camera
	// Now is the time; or, where the clock cannot be trusted, the last time that is
	// known to have passed.
	Now func() time.Time
	// Yield is called between blocks of at most 16 KiB and returns when the camera
	// has nothing more important to do than updates, or ctx ends. May be nil.
	Yield  func(ctx context.Context) error
	Log    *slog.Logger // may be nil
	Limits Limits       // fields that are 0 get those of DefaultLimits
}

// Limits bound what a repository may cost.
type Limits struct {
	Root, Timestamp, Snapshot, Targets int64 // bytes of one file

	Rotations   int           // new roots taken by one check
	Delegations int           // roles looked at besides the top level; below 1 for none
	Check       time.Duration // for a whole check
	Span        time.Duration // within which Due bytes must arrive of whatever is read
	Due         int64
	Tries       int   // to go on with a file that does not grow
	Spare       int64 // bytes that stay free on the disk
}

// DefaultLimits returns what suits a camera with 64 MB of memory. The slowest
// link that brings anything has 2 kbit/s.
func DefaultLimits() Limits {
	return Limits{
		Root: 256 << 10, Timestamp: 16 << 10, Snapshot: 64 << 10, Targets: 512 << 10,
		Rotations: 32, Check: 10 * time.Minute, Span: time.Minute, Due: 16 << 10, Tries: 6, Spare: 4 << 20,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ is, want *int64 }{
		{&l.Root, &d.Root}, {&l.Timestamp, &d.Timestamp}, {&l.Snapshot, &d.Snapshot}, {&l.Targets, &d.Targets},
		{&l.Due, &d.Due}, {&l.Spare, &d.Spare},
		{(*int64)(&l.Check), (*int64)(&d.Check)}, {(*int64)(&l.Span), (*int64)(&d.Span)},
	} {
		if *f.is == 0 {
			*f.is = *f.want
		}
	}
	if l.Rotations == 0 {
		l.Rotations = d.Rotations
	}
	if l.Tries == 0 {
		l.Tries = d.Tries
	}
	return l
}

// Client learns from a repository what may be installed on a camera, and brings
// it. It is an [ota.Source]. One goroutine at a time may use it.
type Client struct {
	conf     Config
	limits   Limits
	log      *slog.Logger
	metadata store
	download store
	trusted  *trusted // of the last refresh that ended well
}

var _ ota.Source = (*Client)(nil)

// New returns a client that has its directories, and a root to start from.
func New(conf Config) (*Client, error) {
	c := &Client{
		conf: conf, limits: conf.Limits.orDefault(), log: conf.Log,
		metadata: store(filepath.Join(conf.Dir, "tuf")), download: store(filepath.Join(conf.Dir, "download")),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if err := (&trusted{clock: conf.Now}).begin(conf.Root); err != nil {
		return nil, err
	}
	for _, s := range []store{c.metadata, c.download} {
		if err := os.MkdirAll(string(s), 0o700); err != nil {
			return nil, &Error{What: conf.Dir, Reason: ErrStore, Err: err}
		}
	}
	return c, nil
}

// Refresh brings the metadata up to date: the client workflow of the TUF
// specification, section 5. What was found good is kept, even when what follows
// is refused.
func (c *Client) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.limits.Check,
		refuse("repository", ErrSlow, "the check took more than %s", c.limits.Check))
	defer cancel()
	t := &trusted{clock: c.conf.Now}
	c.trusted = nil
	if err := c.startRoot(t); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *trusted) error{c.roots, c.timestamp, c.snapshot, c.targets} {
		if err := step(ctx, t); err != nil {
			return err
		}
	}
	c.trusted = t
	return nil
}

// startRoot begins with the newer of the root that was kept and the one that the
// camera was made with. One that cannot be read, or is no root, costs only the
// way from the other.
func (c *Client) startRoot(t *trusted) error {
	if err := t.begin(c.conf.Root); err != nil {
		return err
	}
	data, err := c.metadata.read("root.json", c.limits.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept := &trusted{clock: t.clock}
	if err == nil {
		err = kept.begin(data)
	}
	if err != nil {
		c.log.Warn("the kept root is damaged; starting from the one the camera was made with", "err", err)
		return nil
	}
	if kept.root.version > t.root.version {
		*t = *kept
	}
	return nil
}

// roots takes the roots that follow, one by one.
func (c *Client) roots(ctx context.Context, t *trusted) error {
	for n := 0; ; n++ {
		what := (&root{consistent: true}).fileName(roleRoot, t.root.version+1)
		data, err := readAll(ctx, c.conf.Metadata, what, what, c.limits.Root, c.limits)
		if errors.Is(err, ErrAbsent) {
			return nil
		}
		if err == nil && n == c.limits.Rotations {
			return refuse("root.json", ErrRotations, "%d, and there are more", n)
		}
		if err == nil {
			err = t.updateRoot(data)
		}
		if err == nil {
			err = c.metadata.write("root.json", data)
		}
		if err != nil {
			return err
		}
		c.log.Info("new root", "version", t.root.version)
	}
}

// stored returns what is kept of a role, nil for nothing that can be read. What
// is kept but not good any more (its keys were rotated) is as if it were not there.
func (c *Client) stored(name string, max int64, use func([]byte) error) error {
	data, err := c.metadata.read(name, max)
	if err == nil {
		err = use(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Debug("kept metadata is not used", "err", err)
	}
	return err
}

func (c *Client) timestamp(ctx context.Context, t *trusted) error {
	const name = "timestamp.json"
	_ = c.stored(name, c.limits.Timestamp, func(b []byte) error { _, err := t.updateTimestamp(b); return err })
	data, err := readAll(ctx, c.conf.Metadata, name, name, c.limits.Timestamp, c.limits)
	if err != nil {
		return err
	}
	newer, err := t.updateTimestamp(data)
	if err != nil || !newer {
		return err
	}
	return c.metadata.write(name, data)
}

func (c *Client) snapshot(ctx context.Context, t *trusted) error {
	const name = "snapshot.json"
	if c.stored(name, c.limits.Snapshot, func(b []byte) error { return t.updateSnapshot(b, true) }) == nil {
		return nil
	}
	f := t.timestamp.snapshot
	data, err := readAll(ctx, c.conf.Metadata, t.root.fileName(roleSnapshot, f.version), name, atMost(c.limits.Snapshot, f.length), c.limits)
	if err == nil {
		err = t.updateSnapshot(data, false)
	}
	if err != nil {
		return err
	}
	return c.metadata.write(name, data)
}

func (c *Client) targets(ctx context.Context, t *trusted) error {
	const name = "targets.json"
	if c.stored(name, c.limits.Targets, t.updateTargets) == nil {
		return c.mayDelegate(t.targets)
	}
	f, ok := t.snapshot.meta[name]
	if !ok {
		return refuse(name, ErrMixed, "the snapshot does not name it")
	}
	data, err := readAll(ctx, c.conf.Metadata, t.root.fileName(roleTargets, f.version), name, atMost(c.limits.Targets, f.length), c.limits)
	if err == nil {
		err = t.updateTargets(data)
	}
	if err == nil {
		err = c.mayDelegate(t.targets)
	}
	if err != nil {
		return err
	}
	return c.metadata.write(name, data)
}

// atMost is the smaller of the limit and the length that was announced, if one was.
func atMost(limit, announced int64) int64 {
	if announced > 0 {
		return min(limit, announced)
	}
	return limit
}

// mayDelegate refuses targets that hand work on to other roles, unless delegations
// are looked at.
func (c *Client) mayDelegate(t *targets) error {
	if len(t.delegations.roles) > 0 && c.limits.Delegations < 1 {
		return refuse(t.what, ErrDelegation, "to %.40q", t.delegations.roles[0].name)
	}
	return nil
}
