package seal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"
)

// Times that decide about freshness.
const (
	// NonceLife is how long after Ask an echo of its nonce counts as fresh.
	NonceLife = 2 * time.Minute
	// MaxSkew is how far a camera's clock may be ahead of the viewer's before a
	// live message is no longer believed.
	MaxSkew = 5 * time.Minute
	// MaxLive is the longest time between Taken and Expires that a viewer
	// believes.
	MaxLive = 24 * time.Hour

	maxAsked = 64 // nonces waiting for their echo; the oldest goes first
)

// OpenerConfig is what a viewer has pinned.
type OpenerConfig struct {
	Household HouseholdID
	Roster    *Roster // from OpenRoster, of that household
	Key       *ViewerKey
	// Now is the viewer's clock. time.Now has a monotonic part, which keeps a
	// question from living longer when the clock is set back.
	Now   func() time.Time
	State []byte    // of Opener.State, or nil for a viewer that has seen nothing
	Rand  io.Reader // nil for crypto/rand
}

// Opener opens what the cameras of one household seal, for one viewer, and
// remembers what it has seen of each. It is not safe for concurrent use.
type Opener struct {
	config  OpenerConfig
	roster  rosterMark
	cameras map[CameraID]*history
	counter uint64 // of the newest command
	asked   []ask
}

// history is what an Opener remembers of one camera.
type history struct {
	durable, live ledger
	view          ledger // not part of the state: without a watch of this Opener none opens
	proof         proof
	wills         []position // the newest, at most maxWills, in the order they came
}

type ask struct {
	camera CameraID
	nonce  []byte
	at     time.Time
	watch  bool
}

type rosterMark struct {
	version uint64
	digest  [32]byte
}

// NewOpener returns an Opener. It refuses a roster that is older than one the
// state has seen (a *Refusal), and a state that is damaged.
func NewOpener(c OpenerConfig) (*Opener, error) {
	if c.Roster == nil || c.Key == nil || c.Now == nil {
		return nil, errors.New("seal: an opener needs a roster, a viewer key and a clock")
	}
	c.Rand = randomOr(c.Rand)
	o := &Opener{config: c, cameras: map[CameraID]*history{}}
	if len(c.State) != 0 {
		if err := o.restore(c.State); err != nil {
			return nil, err
		}
	}
	o.config.State, o.config.Roster = nil, nil
	return o, o.SetRoster(c.Roster)
}

// SetRoster replaces the roster by one that may follow it. The present one
// again is no error. The error is a *Refusal, or a mistake in the program.
func (o *Opener) SetRoster(r *Roster) error {
	if !r.opened() {
		return errNotOpened
	}
	if r.Household != o.config.Household {
		return refuse(NotForYou, "roster of household %s, not %.60s", r.Household, o.config.Household)
	}
	var err error
	if o.config.Roster != nil {
		r, err = r.Over(o.config.Roster)
	} else if o.roster.version != 0 {
		err = checkRosterVersion(r.Version, r.digest, o.roster.version, o.roster.digest)
	}
	var f *Refusal
	if errors.As(err, &f) && !f.Duplicate {
		return err
	}
	o.config.Roster, o.roster = r, rosterMark{r.Version, r.digest}
	return nil
}

// Roster returns the roster in force.
func (o *Opener) Roster() *Roster { return o.config.Roster }

// Open opens b for a screen that is about camera; the id never comes from b, a
// topic, a file name or a cache. On success the message is recorded and will not
// open again. The error is always a *Refusal, and nothing is recorded then.
func (o *Opener) Open(camera CameraID, b []byte) (*Verified, error) {
	v, err := o.open(camera, b, opening)
	return v, about(camera, err)
}

// Recall opens a part of a camera's recording, for a screen that asks for what
// was: the same as often as it comes, and never Fresh. Open refuses what Recall
// takes, and the other way round, so that no recording is ever taken for news.
// Nothing is remembered of it: whether parts follow each other, and are of the
// time that was asked for, is to be seen from Meta's Boot, Seq, Prev and Taken.
// The error is always a *Refusal.
func (o *Opener) Recall(camera CameraID, b []byte) (*Verified, error) {
	v, err := o.open(camera, b, recalling)
	return v, about(camera, err)
}

// Check is Open without history: it neither looks at what was opened before nor
// records anything, and nothing is Fresh. It is for files, and for drawing again
// what Open has refused as a Duplicate.
func (o *Opener) Check(camera CameraID, b []byte) (*Verified, error) {
	v, err := o.open(camera, b, checking)
	return v, about(camera, err)
}

// purpose is what a message is opened for.
type purpose uint8

const (
	checking  purpose = iota // to look at it alone
	opening                  // as the news that it is
	recalling                // as what was
)

// open makes the checks in the order of SPEC.md.
func (o *Opener) open(camera CameraID, b []byte, why purpose) (*Verified, error) {
	moves := why == opening
	m, err := parseMessage(b)
	if err != nil {
		return nil, err
	}
	if !ofScreen(m.claims.Issuer, camera) {
		return nil, refuse(WrongCamera, "sealed by %s, but the screen is about %.60s", m.claims.Issuer, camera)
	}
	if m.claims.Audience != string(o.config.Household) {
		return nil, refuse(NotForYou, "sealed for household %s, not %.60s", m.claims.Audience, o.config.Household)
	}
	if err := o.checkCamera(camera); err != nil {
		return nil, err
	}
	p := m.position()
	if moves {
		if err := o.cameras[CameraID(m.claims.Issuer)].check(Stream(m.claims.Stream), p); err != nil {
			return nil, err
		}
	}
	if s := Stream(m.claims.Stream); why == recalling && s != Recording {
		return nil, refuse(Replayed, "%v message %d is no part of a recording", s, p.seq)
	}
	v, err := o.decrypt(m)
	if err != nil {
		return nil, err
	}
	asked := -1
	if moves {
		asked = o.findAsk(v)
	}
	v.fresh = asked >= 0 || moves && o.proven(v)
	if err := o.checkTime(v); err != nil {
		return nil, err
	}
	if moves {
		o.answered(v, asked)
		if v.meta.Clock != ClockNone && !v.meta.Taken.IsZero() {
			p.taken = uint64(v.meta.Taken.UnixMicro())
		}
		o.record(v, p)
	}
	return v, nil
}

func (o *Opener) checkCamera(camera CameraID) error {
	if _, ok := o.config.Roster.Camera(camera); ok {
		return nil
	}
	if slices.Contains(o.config.Roster.Revoked, camera) {
		return refuse(Revoked, "roster %d has revoked camera %s", o.config.Roster.Version, camera)
	}
	return refuse(Revoked, "roster %d does not name camera %s", o.config.Roster.Version, camera)
}

func (m *message) position() position {
	meta := m.claims.meta()
	return position{seq: meta.Seq, prev: meta.Prev, hash: m.hash, boot: meta.Boot, roster: meta.Roster}
}

// decrypt opens the body of m and compares it with what is signed.
func (o *Opener) decrypt(m *message) (*Verified, error) {
	plain, err := o.decryptBody(m.body)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(plain) != [32]byte(m.claims.PlainHash) {
		return nil, refuse(BrokenSeal, "what the body holds is not what was sealed")
	}
	hidden, h, media, err := splitPlain(plain)
	if err != nil {
		return nil, refuseErr(Malformed, "hidden claims", err)
	}
	meta, err := joinClaims(&m.claims, h, len(media))
	if err != nil {
		return nil, err
	}
	return &Verified{
		camera: CameraID(m.claims.Issuer), meta: meta, media: media, hash: m.hash,
		seal: bytes.Clone(m.seal), hidden: hidden, lag: int64(o.config.Roster.Version) - int64(meta.Roster),
	}, nil
}

func (o *Opener) decryptBody(body []byte) ([]byte, error) {
	if err := checkAgeHeader(body); err != nil {
		return nil, refuseErr(Malformed, "body", err)
	}
	r, err := age.Decrypt(bytes.NewReader(body), o.config.Key.identity)
	if err != nil {
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			return nil, refuse(NotForYou, "encrypted to %d viewers, none of them this one", len(none.StanzaTypes))
		}
		return nil, refuseErr(BrokenSeal, "body", err)
	}
	plain := bytes.NewBuffer(make([]byte, 0, len(body)))
	if _, err := plain.ReadFrom(r); err != nil {
		return nil, refuseErr(BrokenSeal, "body", err)
	}
	return plain.Bytes(), nil
}

// checkAgeHeader bounds the work of decrypting: each stanza costs a
// post-quantum decapsulation, and age itself allows a thousand of any kind.
func checkAgeHeader(body []byte) error {
	const intro, stanza, end = "age-encryption.org/v1\n", "-> mlkem768x25519 ", "--- "
	if !bytes.HasPrefix(body, []byte(intro)) {
		return errors.New("not an age file")
	}
	rest, stanzas := body[len(intro):min(len(body), maxAge)], 0
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		switch {
		case !ok:
			return fmt.Errorf("age header is longer than %d bytes", maxAge)
		case bytes.HasPrefix(line, []byte(end)) && stanzas == 0:
			return errors.New("age header without recipients")
		case bytes.HasPrefix(line, []byte(end)):
			return nil
		case bytes.HasPrefix(line, []byte("->")):
			stanzas++
			if !bytes.HasPrefix(line, []byte(stanza)) || stanzas > MaxViewers {
				return fmt.Errorf("age header has a recipient that is not mlkem768x25519, or more than %d", MaxViewers)
			}
		}
		rest = after
	}
}

// checkTime refuses a live message that does not prove when it is from, and a
// frame of live view that does not answer a watch of this Opener.
func (o *Opener) checkTime(v *Verified) error {
	if v.meta.Stream == View && !v.fresh {
		return refuse(Stale, "frame %d of live view: nothing proves that it is of the last %v", v.meta.Seq, WatchLife)
	}
	if v.meta.Stream != Live || v.fresh {
		return nil
	}
	now, m := o.config.Now(), v.meta
	switch {
	case m.Clock == ClockNone:
		return refuse(Stale, "live message %d of a camera without a clock, and it answers no question of ours", m.Seq)
	case !now.Before(m.Expires):
		return refuse(Stale, "live message %d expired at %s, now is %s", m.Seq, stamp(m.Expires), stamp(now))
	case m.Taken.Sub(now) > MaxSkew:
		return refuse(Stale, "live message %d was taken at %s, now is only %s: one of the clocks is wrong", m.Seq, stamp(m.Taken), stamp(now))
	case m.Expires.Sub(m.Taken) > MaxLive:
		return refuse(Stale, "live message %d wants to be shown for more than %v", m.Seq, MaxLive)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
