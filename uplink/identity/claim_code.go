package identity

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// codesSeen is what a camera remembers of pairing codes: the ones it followed,
// and how many it refused, by reason.
type codesSeen struct {
	Used    []string               `json:"used,omitempty"` // SHA-256 of the secret, the newest last
	Refused map[seal.Reason]uint64 `json:"refused,omitempty"`
}

const maxUsed = 16

func (c *Camera) loadCodes() error {
	text, err := readFile(c.path(codesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &c.codes); err != nil {
		return damaged(c.path(codesFile), err)
	}
	return nil
}

// CheckCode says whether the camera may follow a code at the time now. The
// error is a *seal.Refusal: Replayed for one that it has followed before,
// NotForYou for another household's while it belongs to one, Stale for one that
// has expired, as far as the clock can tell.
func (c *Camera) CheckCode(code *Code, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.codes.Used, usedMark(code)) {
		return refuseCode(seal.Replayed, "this camera has followed it before")
	}
	if c.pairing != nil && c.pairing.Household != code.Household {
		return &seal.Refusal{Reason: seal.NotForYou, Camera: c.id, Detail: fmt.Sprintf("pairing code: it is of household %s", code.Household), Err: ErrClaimed}
	}
	return code.Current(now)
}

// CodeRefused counts a code that was refused, durably. Callers count a code
// once, and not for every picture in which it is seen.
func (c *Camera) CodeRefused(reason seal.Reason) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.codes
	next.Refused = maps.Clone(next.Refused)
	if next.Refused == nil {
		next.Refused = map[seal.Reason]uint64{}
	}
	next.Refused[reason]++
	return c.storeCodes(next)
}

// CodesRefused returns how many codes were refused, by reason; nil for none.
// The caller owns it.
func (c *Camera) CodesRefused() map[seal.Reason]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.codes.Refused)
}

// Answer returns the hello by which the camera asks the household of a code to
// take it in: signed by its key, with its CertificateRequest inside, and bound
// to the code's secret. boot names this boot.
func (c *Camera) Answer(code *Code, firmware string, boot [16]byte) ([]byte, error) {
	csr, err := c.CertificateRequest()
	if err != nil {
		return nil, err
	}
	h := seal.Hello{Firmware: firmware, CSR: csr, Boot: boot}
	if r := c.Roster(); r != nil {
		h.Household, h.Roster = r.Household, r.Version
	}
	if err := h.Bind(c.key.Public(), code.Secret); err != nil {
		return nil, err
	}
	return seal.SignHello(c.key, h)
}

// ClaimByCode makes the camera that of the household whose code it has read,
// durably. It believes nothing about p but what the code vouches for: the
// household, a roster by its owner, its authority, its broker. The code is then
// used up.
func (c *Camera) ClaimByCode(code *Code, p Pairing) error {
	if err := code.vouches(p); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.claim(p); err != nil {
		return err
	}
	next := c.codes
	next.Used = append(slices.Clone(next.Used), usedMark(code))
	next.Used = next.Used[max(0, len(next.Used)-maxUsed):]
	return c.storeCodes(next)
}

// vouches refuses a pairing that is not what the code promised.
func (code *Code) vouches(p Pairing) error {
	if p.Household != code.Household {
		return &seal.Refusal{Reason: seal.NotForYou, Detail: fmt.Sprintf("pairing: it is of household %s, the code of %s", p.Household, code.Household)}
	}
	if p.Broker != code.Broker {
		return fmt.Errorf("%w: its broker %.80q is not that of the code, %.80q", ErrPairing, p.Broker, code.Broker)
	}
	ca, err := parseCert(p.Authority)
	if err != nil {
		return fmt.Errorf("%w: authority: %v", ErrPairing, err)
	}
	if sum256(ca.Raw) != code.Authority {
		return fmt.Errorf("%w: its authority is not the one in the code", ErrPairing)
	}
	r, err := p.roster()
	if err != nil {
		return err
	}
	owner, err := seal.ParsePublicKey(code.Owner)
	if err != nil {
		return err
	}
	id, err := seal.KeyIDOf(owner)
	if err != nil {
		return err
	}
	if r.Signer != id && !founded(p.Household, code.Owner) || slices.Contains(r.Withdrawn, id) {
		return &seal.Refusal{Reason: seal.BrokenSeal, Detail: "pairing: the key that signed the code is not an owner's in the roster"}
	}
	return nil
}

func (c *Camera) storeCodes(next codesSeen) error {
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := writeFile(c.path(codesFile), append(text, '\n')); err != nil {
		return err
	}
	c.codes = next
	return nil
}

func usedMark(code *Code) string {
	sum := sum256(code.Secret)
	return hex.EncodeToString(sum[:])
}
