// Package sealtest reads the published test vectors of uplink/seal
// (uplink/seal/testdata/vectors, whose README.md describes the files) and runs
// them through uplink/seal's exported API, wherever that was compiled for.
//
// What this package does not do: it finds and opens no files, and it is not part
// of the product; only tests use it.
package sealtest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Verified is what Vector.Expect says of a vector that is no refusal.
const Verified = "verified"

// Vector is one file: what a viewer, or a camera, has pinned; one message; and
// what must come of it.
type Vector struct {
	Expect  string // Verified, or a seal.Reason
	Comment string
	Op      string // open, check, recall, peek, proof, roster, command, hello, pass, deletion, deleted or settings

	Camera    seal.CameraID
	Household seal.HouseholdID
	Viewer    *seal.ViewerKey
	Roster    []byte    // signed roster
	Now       time.Time // zero for no clock
	Asked     []byte    // nonce of a question asked at AskedAt
	AskedAt   time.Time
	Watched   bool     // that question was a watch
	Before    [][]byte // messages handed over before, each of which is accepted
	Retained  bool     // the broker kept the command
	Secret    []byte   // one-time secret of a pairing code
	Published []byte   // media that a proof is for

	Flags []string // what else must be said: fresh late duplicate alarm behind ahead
	Gaps  []string // what is missing afterwards, each "first-last", with "!" if lost
	Media string   // SHA-256 of the media, hex; "" for not compared

	Body []byte
}

// Parse reads a vector.
func Parse(file []byte) (*Vector, error) {
	head, body, ok := strings.Cut(string(file), "\n\n")
	if !ok {
		return nil, fmt.Errorf("sealtest: no empty line between header and body")
	}
	v := &Vector{Op: "open"}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("sealtest: header line %.40q is not of the form key: value", line)
		}
		if err := v.set(key, value); err != nil {
			return nil, fmt.Errorf("sealtest: %s: %w", key, err)
		}
	}
	var err error
	v.Body, err = base64.StdEncoding.DecodeString(body) // skips line breaks
	return v, err
}

func (v *Vector) set(key, value string) (err error) {
	switch key {
	case "expect":
		v.Expect = value
	case "comment":
		v.Comment = value
	case "op":
		v.Op = value
	case "camera":
		v.Camera = seal.CameraID(value)
	case "household":
		v.Household = seal.HouseholdID(value)
	case "viewer":
		v.Viewer = new(seal.ViewerKey)
		err = v.Viewer.UnmarshalText([]byte(value))
	case "age-identity": // for openers that have another library for age
	case "roster":
		v.Roster, err = base64.StdEncoding.DecodeString(value)
	case "now":
		v.Now, err = time.Parse(time.RFC3339, value)
	case "asked":
		v.Asked, err = hex.DecodeString(value)
	case "asked-at":
		v.AskedAt, err = time.Parse(time.RFC3339, value)
	case "watched":
		v.Watched = value == "yes"
	case "before":
		var b []byte
		b, err = base64.StdEncoding.DecodeString(value)
		v.Before = append(v.Before, b)
	case "retained":
		v.Retained = value == "yes"
	case "secret":
		v.Secret, err = hex.DecodeString(value)
	case "published":
		v.Published, err = base64.StdEncoding.DecodeString(value)
	case "flags":
		v.Flags = strings.Fields(value)
	case "gaps":
		v.Gaps = strings.Fields(value)
	case "media":
		v.Media = value
	default:
		return fmt.Errorf("no such header")
	}
	return err
}

// result is what came of a vector.
type result struct {
	expect string
	detail string
	flags  []string
	gaps   []string
	media  []byte
}

// Run does what the vector says and returns an error if anything else came of
// it than the vector expects.
func (v *Vector) Run() error {
	got, err := v.run()
	if err != nil {
		return err
	}
	if got.expect != v.Expect {
		return fmt.Errorf("got %q, want %q (%s)", got.expect, v.Expect, got.detail)
	}
	slices.Sort(got.flags)
	if want := slices.Sorted(slices.Values(v.Flags)); !slices.Equal(got.flags, want) {
		return fmt.Errorf("flags %q, want %q (%s)", got.flags, want, got.detail)
	}
	if !slices.Equal(got.gaps, v.Gaps) {
		return fmt.Errorf("gaps %q, want %q", got.gaps, v.Gaps)
	}
	if v.Media != "" && v.Media != sha256Hex(got.media) {
		return fmt.Errorf("media of %d bytes has SHA-256 %s, want %s", len(got.media), sha256Hex(got.media), v.Media)
	}
	return nil
}

func (v *Vector) run() (result, error) {
	switch v.Op {
	case "open", "check", "recall":
		return v.open()
	case "peek":
		_, err := seal.Peek(v.Body)
		return judged(err)
	case "proof":
		_, err := seal.CheckProof(v.Body, v.Published)
		return judged(err)
	case "roster":
		return v.roster()
	case "command":
		return v.command()
	case "pass", "deletion", "deleted", "settings":
		return v.service()
	case "hello":
		h, err := seal.OpenHello(v.Body)
		r, fatal := judged(err)
		if err == nil && v.Secret != nil && !h.Bound(v.Secret) {
			r.expect = string(seal.BrokenSeal)
		}
		return r, fatal
	}
	return result{}, fmt.Errorf("no such op: %q", v.Op)
}

// judged turns the error of a check into a result; one that is no refusal is an
// error of the vector.
func judged(err error) (result, error) {
	if err == nil {
		return result{expect: Verified}, nil
	}
	refusal, ok := err.(*seal.Refusal)
	if !ok {
		return result{}, err
	}
	r := result{expect: string(refusal.Reason), detail: refusal.Error()}
	if refusal.Duplicate {
		r.flags = append(r.flags, "duplicate")
	}
	if refusal.Alarm {
		r.flags = append(r.flags, "alarm")
	}
	return r, nil
}

func (v *Vector) open() (result, error) {
	o, err := v.opener()
	if err != nil {
		return judged(err)
	}
	open := o.Open
	switch v.Op {
	case "check":
		open = o.Check
	case "recall":
		open = o.Recall
	}
	for i, b := range v.Before {
		if _, err := o.Open(v.Camera, b); err != nil {
			return result{}, fmt.Errorf("before %d: %w", i, err)
		}
	}
	opened, err := open(v.Camera, v.Body)
	r, fatal := judged(err)
	if fatal != nil {
		return r, fatal
	}
	for _, g := range o.Gaps(v.Camera) {
		s := fmt.Sprintf("%d-%d", g.First, g.Last)
		if g.Lost {
			s += "!"
		}
		r.gaps = append(r.gaps, s)
	}
	if opened == nil {
		return r, nil
	}
	var camera seal.CameraID
	if camera, r.media = opened.Media(); camera != v.Camera {
		return r, fmt.Errorf("media of camera %s, asked for %s", camera, v.Camera)
	}
	for flag, set := range map[string]bool{"fresh": opened.Fresh(), "late": opened.Late(), "behind": opened.RosterBehind(), "ahead": opened.RosterAhead()} {
		if set {
			r.flags = append(r.flags, flag)
		}
	}
	return r, nil
}

// opener returns an Opener that has asked what the vector says: the nonce of a
// question is the first that its randomness gives.
func (v *Vector) opener() (*seal.Opener, error) {
	roster, err := seal.OpenRoster(v.Household, v.Roster)
	if err != nil {
		return nil, err
	}
	now := v.AskedAt
	o, err := seal.NewOpener(seal.OpenerConfig{
		Household: v.Household, Roster: roster, Key: v.Viewer,
		Now: func() time.Time { return now }, Rand: bytes.NewReader(v.Asked),
	})
	if err != nil {
		return nil, err
	}
	if v.Watched {
		if _, err := o.Watch(v.Camera); err != nil {
			return nil, err
		}
	} else if v.Asked != nil {
		if _, _, err := o.Ask(v.Camera); err != nil {
			return nil, err
		}
	}
	now = v.Now
	return o, nil
}

func (v *Vector) roster() (result, error) {
	var old *seal.Roster
	if v.Roster != nil {
		var err error
		if old, err = seal.OpenRoster(v.Household, v.Roster); err != nil {
			return result{}, fmt.Errorf("pinned roster: %w", err)
		}
	}
	r, err := seal.OpenRoster(v.Household, v.Body)
	if err == nil {
		err = r.Follows(old)
	}
	return judged(err)
}

func (v *Vector) command() (result, error) {
	roster, err := seal.OpenRoster(v.Household, v.Roster)
	if err != nil {
		return result{}, err
	}
	g, err := seal.NewGuard(v.Camera, roster, nil)
	if err != nil {
		return result{}, err
	}
	for i, b := range v.Before {
		if _, err := g.Accept(b, false, v.Now); err != nil {
			return result{}, fmt.Errorf("before %d: %w", i, err)
		}
	}
	_, err = g.Accept(v.Body, v.Retained, v.Now)
	return judged(err)
}
