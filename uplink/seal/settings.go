package seal

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Settings are what an owner, or a viewer with MayCommand, wants one camera, a
// group or all cameras of a household to be set to. They are signed and not
// encrypted: the broker can read them, so no secret belongs in them.
type Settings struct {
	Household HouseholdID
	Camera    CameraID // at most one of Camera and Group is set; neither for all cameras
	Group     string
	Version   uint64 // from 1, only rises for one target
	Body      []byte // TOML, at most MaxSettings bytes; empty for what the camera has by itself
	Issued    time.Time

	// Filled by OpenSettings.

	Issuer KeyID
	Name   string // of the viewer in the roster; "" for an owner
	Owner  bool   // an owner signed
}

type settingsClaims struct {
	Issuer   string `cbor:"1,keyasint"` // key id
	Audience string `cbor:"3,keyasint"` // household id
	Issued   uint64 `cbor:"6,keyasint"`
	Version  uint64 `cbor:"-65537,keyasint"`
	Camera   string `cbor:"-65564,keyasint,omitempty"`
	Group    string `cbor:"-65568,keyasint,omitempty"`
	Body     []byte `cbor:"-65569,keyasint,omitempty"`
	Settings uint64 `cbor:"-65571,keyasint"`
}

// SignSettings signs s with an owner's or a viewer's key.
func SignSettings(issuer crypto.Signer, s Settings) ([]byte, error) {
	id, err := KeyIDOf(issuer.Public())
	if err != nil {
		return nil, err
	}
	c := settingsClaims{
		Issuer: string(id), Audience: string(s.Household), Version: Version,
		Camera: string(s.Camera), Group: s.Group, Body: s.Body, Settings: s.Version,
	}
	if c.Issued, err = seconds(s.Issued); err != nil {
		return nil, fmt.Errorf("seal: settings: %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("seal: settings: %w", err)
	}
	return sign1(rand.Reader, issuer, typeSettings, c)
}

// OpenSettings checks that b are settings for camera by somebody who may command
// it. Whether they are newer than those in force is the caller's to compare, for
// each target. The error is a *Refusal.
func OpenSettings(r *Roster, camera CameraID, b []byte) (*Settings, error) {
	s, err := openSettings(r, camera, b)
	return s, about(camera, err)
}

func openSettings(r *Roster, camera CameraID, b []byte) (*Settings, error) {
	var c settingsClaims
	e, err := open1(b, typeSettings, "settings", MaxSettings+1<<10, &c)
	if err != nil {
		return nil, err
	}
	who, err := r.signedBy(e, c.Issuer, "settings")
	if err != nil {
		return nil, err
	}
	if c.Audience != string(r.Household) {
		return nil, refuse(NotForYou, "settings of household %s, not %s", c.Audience, r.Household)
	}
	if !who.may(MayCommand) {
		return nil, refuse(Revoked, "settings by %q, who may not command", who.name)
	}
	entry, ok := r.Camera(camera)
	switch {
	case !ok:
		return nil, refuse(Revoked, "roster %d does not name camera %.60s", r.Version, camera)
	case c.Camera != "" && c.Camera != string(camera):
		return nil, refuse(WrongCamera, "settings for camera %s, this is %s", c.Camera, camera)
	case c.Group != "" && !slices.Contains(entry.Groups, c.Group):
		return nil, refuse(WrongCamera, "settings for group %q, and roster %d has camera %s in %q", c.Group, r.Version, camera, entry.Groups)
	}
	return &Settings{
		Household: r.Household, Camera: CameraID(c.Camera), Group: c.Group, Version: c.Settings, Body: c.Body,
		Issued: fromSeconds(c.Issued), Issuer: KeyID(c.Issuer), Name: who.name, Owner: who.owner,
	}, nil
}

func (c *settingsClaims) check() error {
	if err := checkIDs(c.Issuer, c.Audience); err != nil {
		return err
	}
	if c.Settings == 0 || c.Settings > MaxSeq || c.Issued == 0 || c.Issued > maxSeconds || len(c.Body) > MaxSettings {
		return errors.New("version, time or size out of range")
	}
	if c.Camera != "" && c.Group != "" {
		return errors.New("for a camera and for a group")
	}
	if c.Camera != "" {
		return checkIDs(c.Camera)
	}
	return checkToken(c.Group)
}
