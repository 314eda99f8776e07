package seal

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Verbs of commands that this version of sealcam knows.
const (
	VerbSnapshot = "snapshot" // seal a live snapshot now, with Nonce as its echo
	VerbReceipt  = "receipt"  // From..To without Gaps has arrived
	VerbResend   = "resend"   // send From..To again as far as it is still there
	VerbReset    = "reset"    // destroy the key and all that is stored; of an owner only
	// VerbFetch sends what was recorded between the seconds From and To since 1970,
	// and answers with Nonce.
	VerbFetch = "fetch"
	// VerbWatch, with a Nonce, asks for live view for WatchLife from its arrival.
	VerbWatch = "watch"
	// VerbPrivacyOn, by an owner, closes the camera: until the second To since
	// 1970, or until it is opened if that is 0.
	VerbPrivacyOn  = "privacy-on"
	VerbPrivacyOff = "privacy-off" // by an owner, opens it
)

// CommandLife is how long the commands of an Opener are valid for a camera that
// has a clock.
const CommandLife = 10 * time.Minute

// Command is what a viewer or an owner tells one camera. It is signed and not
// encrypted: the broker can read it.
type Command struct {
	Camera  CameraID
	Counter uint64 // per issuer, 1..MaxSeq, strictly rising: milliseconds since 1970 do well
	Verb    string // a token
	Nonce   []byte // MinNonce..MaxNonce bytes, or nil
	From    uint64 // of a range of sequences
	To      uint64
	Gaps    []Range   // rising, within From..To
	Issued  time.Time // whole seconds
	Expires time.Time // whole seconds, after Issued; without effect on VerbReceipt and VerbResend

	// Filled by OpenCommand.

	Issuer KeyID  // key that signed
	Name   string // name of the viewer or keeper in the roster; "" for an owner
	Owner  bool   // an owner signed
	Keeper bool   // a keeper signed: a receipt or a resend
}

type commandClaims struct {
	Issuer   string  `cbor:"1,keyasint"` // key id
	Audience string  `cbor:"3,keyasint"` // camera id
	Expires  uint64  `cbor:"4,keyasint"`
	Issued   uint64  `cbor:"6,keyasint"`
	Version  uint64  `cbor:"-65537,keyasint"`
	Counter  uint64  `cbor:"-65550,keyasint"`
	Verb     string  `cbor:"-65551,keyasint"`
	Nonce    []byte  `cbor:"-65552,keyasint,omitempty"`
	From     uint64  `cbor:"-65553,keyasint,omitempty"`
	To       uint64  `cbor:"-65554,keyasint,omitempty"`
	Gaps     []Range `cbor:"-65555,keyasint,omitempty"`
}

// SignCommand signs c with a viewer's or an owner's key.
func SignCommand(issuer crypto.Signer, c Command) ([]byte, error) {
	id, err := KeyIDOf(issuer.Public())
	if err != nil {
		return nil, err
	}
	claims := commandClaims{
		Issuer: string(id), Audience: string(c.Camera), Version: Version, Counter: c.Counter,
		Verb: c.Verb, Nonce: c.Nonce, From: c.From, To: c.To, Gaps: c.Gaps,
	}
	if claims.Issued, err = seconds(c.Issued); err != nil {
		return nil, fmt.Errorf("seal: command: %w", err)
	}
	if claims.Expires, err = seconds(c.Expires); err != nil {
		return nil, fmt.Errorf("seal: command: %w", err)
	}
	if err := claims.check(); err != nil {
		return nil, fmt.Errorf("seal: command: %w", err)
	}
	return sign1(rand.Reader, issuer, typeCommand, claims)
}

// OpenCommand checks that b is a command for camera by an owner, a viewer or a
// keeper of the roster whose role allows it. Whether it is new is for a Guard to say. The error is a *Refusal.
func OpenCommand(camera CameraID, roster *Roster, b []byte) (*Command, error) {
	c, err := openCommand(camera, roster, b)
	return c, about(camera, err)
}

func openCommand(camera CameraID, roster *Roster, b []byte) (*Command, error) {
	var claims commandClaims
	e, err := open1(b, typeCommand, "command", MaxCommand, &claims)
	if err != nil {
		return nil, err
	}
	who, err := roster.signedBy(e, claims.Issuer, "command")
	if err != nil {
		return nil, err
	}
	c := claims.command()
	if c.Camera != camera {
		return nil, refuse(WrongCamera, "command for camera %s, this is %.60s", c.Camera, camera)
	}
	if !who.mayTell(c.Verb) {
		return nil, refuse(Revoked, "command %s by %q, whose role in roster %d does not allow it", c.Verb, who.name, roster.Version)
	}
	c.Name, c.Owner, c.Keeper = who.name, who.owner, who.keeper
	return c, nil
}

// mayTell reports whether p may use a verb. Asking to see, and saying what has come,
// goes with watching: who is sealed to may ask for what it is sent anyway. All that
// is not known here needs MayCommand. What only an owner may, its reader refuses.
func (p *party) mayTell(verb string) bool {
	switch verb {
	case VerbReceipt, VerbResend:
		return p.keeper || p.may(MayWatch)
	case VerbSnapshot, VerbWatch, VerbFetch:
		return p.may(MayWatch)
	}
	return p.may(MayCommand)
}

func (c *commandClaims) check() error {
	if err := checkIDs(c.Issuer, c.Audience); err != nil {
		return err
	}
	if c.Counter == 0 || c.Counter > MaxSeq || c.From > c.To || c.To > MaxSeq || c.From == 0 && c.To != 0 {
		return errors.New("counter or range out of range")
	}
	if c.Issued == 0 || c.Expires <= c.Issued || c.Expires > maxSeconds {
		return errors.New("must say when it was issued and when it expires")
	}
	if c.Verb == "" {
		return errors.New("no verb")
	}
	if err := checkToken(c.Verb); err != nil {
		return err
	}
	if n := len(c.Nonce); n != 0 && (n < MinNonce || n > MaxNonce) {
		return fmt.Errorf("nonce of %d bytes", n)
	}
	if n := len(c.Gaps); n != 0 && (c.Gaps[0].First < c.From || c.Gaps[n-1].Last > c.To) {
		return errors.New("gaps outside the range")
	}
	return checkRanges(c.Gaps)
}

func (c *commandClaims) command() *Command {
	return &Command{
		Camera: CameraID(c.Audience), Counter: c.Counter, Verb: c.Verb, Nonce: c.Nonce,
		From: c.From, To: c.To, Gaps: c.Gaps, Issued: fromSeconds(c.Issued), Expires: fromSeconds(c.Expires),
		Issuer: KeyID(c.Issuer),
	}
}

// Ask makes the command "show me now" for a camera. The message that echoes
// nonce within NonceLife is Fresh.
func (o *Opener) Ask(camera CameraID) (cmd, nonce []byte, err error) {
	if cmd, err = o.ask(Command{Camera: camera, Verb: VerbSnapshot}); err != nil {
		return nil, nil, err
	}
	return cmd, slices.Clone(o.asked[len(o.asked)-1].nonce), nil
}

// Resend makes the command to send what lies between first and last again.
func (o *Opener) Resend(camera CameraID, first, last uint64) ([]byte, error) {
	return o.command(Command{Camera: camera, Verb: VerbResend, From: first, To: last})
}

// Fetch makes the command to send what was recorded between two moments, in whole
// seconds, both included. The messages of kind KindAnswer that echo nonce say what
// comes of it.
func (o *Opener) Fetch(camera CameraID, from, to time.Time) (cmd, nonce []byte, err error) {
	nonce = make([]byte, MinNonce)
	if _, err := io.ReadFull(o.config.Rand, nonce); err != nil {
		return nil, nil, fmt.Errorf("seal: no randomness for a nonce: %w", err)
	}
	c := Command{Camera: camera, Verb: VerbFetch, Nonce: nonce}
	if c.From, err = seconds(from); err != nil {
		return nil, nil, fmt.Errorf("seal: fetch: %w", err)
	}
	if c.To, err = seconds(to); err != nil {
		return nil, nil, fmt.Errorf("seal: fetch: %w", err)
	}
	cmd, err = o.command(c)
	return cmd, nonce, err
}

// ErrNothing says that nothing was opened yet that a receipt could speak of.
var ErrNothing = errors.New("seal: nothing has arrived from this camera yet")

// Receipt makes the command that tells a camera what has arrived: all of
// From..To but Gaps, where what was sealed before this viewer's time counts as
// a gap too.
func (o *Opener) Receipt(camera CameraID) ([]byte, error) {
	h := o.cameras[camera]
	if h == nil || h.durable.head.seq == 0 {
		return nil, ErrNothing
	}
	l := &h.durable
	c := Command{Camera: camera, Verb: VerbReceipt, From: l.floor + 1, To: l.head.seq}
	for _, g := range l.gaps {
		if n := len(c.Gaps); n > 0 && c.Gaps[n-1].Last+1 == g.first {
			c.Gaps[n-1].Last = g.last // a confessed part beside an open one
			continue
		}
		c.Gaps = append(c.Gaps, Range{First: g.first, Last: g.last})
	}
	return o.command(c)
}

// command signs c with this viewer's key, as the next after all before. The
// counter follows the clock so that a viewer that lost its state is not locked
// out.
func (o *Opener) command(c Command) ([]byte, error) {
	now := o.config.Now()
	counter := max(o.counter+1, uint64(max(now.UnixMilli(), 0)))
	c.Counter, c.Issued, c.Expires = counter, now, now.Add(CommandLife)
	b, err := SignCommand(o.config.Key.Signer(), c)
	if err == nil {
		o.counter = counter
	}
	return b, err
}
