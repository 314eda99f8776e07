package naming

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/encode"
)

// version is that of the protocol with a detector, see DETECTOR.md.
const version = 1

// Bounds of a detector's answer.
const (
	maxAnswer = 64 << 10 // bytes
	maxFound  = 256
	maxLabel  = 64 // bytes
)

// How long a detector that was not there, or failed, is left alone.
const (
	firstRest = 500 * time.Millisecond
	lastRest  = time.Minute
)

// outside is a detector in another process, behind a Unix socket.
type outside struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	conn  net.Conn // nil until there is one
	id    uint64   // of the last request
	rest  time.Duration
	until time.Time // it is left alone until then
	told  bool      // that it is not there
}

// request stands in front of a picture.
type request struct {
	Version int          `json:"v"`
	ID      uint64       `json:"id"`
	Bytes   int          `json:"bytes"` // of the JPEG that follows
	Boxes   [][4]float64 `json:"boxes"` // x, y, width, height in fractions of the picture
}

// answer is what comes back.
type answer struct {
	Version int    `json:"v"`
	ID      uint64 `json:"id"`
	Model   string `json:"model"` // SHA-256 of what recognised, 64 hexadecimal digits
	Found   []struct {
		Label string     `json:"label"`
		Score float64    `json:"score"`
		Box   [4]float64 `json:"box"`
	} `json:"found"`
}

// errResting is the error while a detector is left alone.
var errResting = errors.New("the detector failed a moment ago and is left alone for a while")

// look asks the detector. After any failure the connection is closed: what comes
// late must not be taken for the answer to the next question.
func (o *outside) look(ctx context.Context, jpeg []byte, boxes []model.Area) (Answer, error) {
	if o.conn == nil && o.now().Before(o.until) {
		return Answer{}, errResting
	}
	a, err := o.ask(ctx, jpeg, boxes)
	if err != nil && ctx.Err() == context.Canceled {
		o.hangUp()
		return Answer{}, ctx.Err()
	}
	if err != nil {
		o.hangUp()
		o.rest = max(firstRest, min(2*o.rest, lastRest))
		o.until = o.now().Add(o.rest)
		if !o.told {
			o.told = true
			o.log.Warn("the detector does not answer; events are sent without its names", "socket", o.path, "err", err)
		}
		return Answer{}, fmt.Errorf("detector %s: %w", o.path, err)
	}
	if o.told {
		o.log.Info("the detector answers again", "socket", o.path)
	}
	o.rest, o.told = 0, false
	return a, nil
}

func (o *outside) hangUp() {
	if o.conn != nil {
		_ = o.conn.Close() // nothing more is expected of it
		o.conn = nil
	}
}

func (o *outside) ask(ctx context.Context, jpeg []byte, boxes []model.Area) (Answer, error) {
	if o.conn == nil {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", o.path)
		if err != nil {
			return Answer{}, err
		}
		o.conn = conn
	}
	if end, ok := ctx.Deadline(); ok {
		if err := o.conn.SetDeadline(end); err != nil {
			return Answer{}, err
		}
	}
	conn := o.conn
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // who is not waited for any more may answer never
	o.id++
	q := request{Version: version, ID: o.id, Bytes: len(jpeg)}
	for _, b := range boxes {
		q.Boxes = append(q.Boxes, [4]float64{b.X, b.Y, b.W, b.H})
	}
	head, err := json.Marshal(q)
	if err != nil {
		return Answer{}, err
	}
	if _, err := (&net.Buffers{binary.BigEndian.AppendUint32(nil, uint32(len(head))), head, jpeg}).WriteTo(o.conn); err != nil {
		return Answer{}, err
	}
	text, err := readAnswer(o.conn)
	if err != nil {
		return Answer{}, err
	}
	return parseAnswer(text, o.id)
}

// readAnswer reads one message: its length in 4 bytes, the highest first, and it.
func readAnswer(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes, at most %d", n, maxAnswer)
	}
	text := make([]byte, n)
	_, err := io.ReadFull(r, text)
	return text, err
}

// parseAnswer checks everything that a detector says.
func parseAnswer(text []byte, id uint64) (Answer, error) {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return Answer{}, fmt.Errorf("its answer: %w", err)
	}
	if a.Version != version || a.ID != id {
		return Answer{}, fmt.Errorf("it answers %d in version %d, asked was %d in version %d", a.ID, a.Version, id, version)
	}
	if len(a.Found) > maxFound {
		return Answer{}, fmt.Errorf("it found %d things, at most %d", len(a.Found), maxFound)
	}
	var out Answer
	hash, err := hex.DecodeString(a.Model)
	if err != nil || len(hash) != sha256.Size {
		return Answer{}, errors.New("its model is not the 64 hexadecimal digits of a SHA-256")
	}
	copy(out.Model[:], hash)
	for _, f := range a.Found {
		t := encode.Thing{Name: f.Label, Score: f.Score, X: f.Box[0], Y: f.Box[1], W: f.Box[2], H: f.Box[3]}
		if !sound(t) {
			return Answer{}, fmt.Errorf("it found %.70q with score %g in %v: a label of up to %d printable bytes without =, a score and a box within 0 and 1 are expected", f.Label, f.Score, f.Box, maxLabel)
		}
		out.Things = append(out.Things, t)
	}
	return out, nil
}

// sound says whether a thing can be told to others as it is.
func sound(t encode.Thing) bool {
	if t.Name == "" || len(t.Name) > maxLabel || !utf8.ValidString(t.Name) {
		return false
	}
	for _, r := range t.Name {
		if !unicode.IsPrint(r) || r == '=' {
			return false
		}
	}
	within := func(v float64) bool { return v >= 0 && v <= 1 }
	const slack = 1e-6 // sums of fractions are not exact
	return within(t.Score) && within(t.X) && within(t.Y) && within(t.W) && within(t.H) && t.X+t.W <= 1+slack && t.Y+t.H <= 1+slack
}
