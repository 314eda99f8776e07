package uplink

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/seal"
)

// Exam seals p with this camera's key for a viewer that exists for no longer than
// the call, opens the message again as that viewer does, and compares. Nothing of
// it is stored or sent. It is what a version on trial has to be able to do.
func (u *Uplink) Exam(p encode.Picture) error {
	key, err := seal.NewViewerKey(nil)
	if err != nil {
		return err
	}
	roster, err := u.examRoster(key)
	if err != nil {
		return fmt.Errorf("exam: %w", err)
	}
	s, err := seal.NewSealer(seal.SealerConfig{Key: u.config.Camera.Signer(), Roster: roster, Boot: u.boot, Firmware: u.config.Firmware})
	if err != nil {
		return fmt.Errorf("exam: %w", err)
	}
	m := u.pictureMeta(p)
	m.Stream, m.Seq = seal.Durable, 1
	sealed, err := s.Seal(m, p.Data)
	if err != nil {
		return fmt.Errorf("exam: %w", err)
	}
	o, err := seal.NewOpener(seal.OpenerConfig{Household: roster.Household, Roster: roster, Key: key, Now: u.config.Now})
	if err != nil {
		return fmt.Errorf("exam: %w", err)
	}
	v, err := o.Check(u.id, sealed.Bytes)
	if err != nil {
		return fmt.Errorf("exam: %w", err)
	}
	if id, media := v.Media(); id != u.id || !bytes.Equal(media, p.Data) {
		return errors.New("exam: what was opened is not what was sealed")
	}
	return nil
}

// examRoster returns the roster of a household of this camera and one viewer.
func (u *Uplink) examRoster(key *seal.ViewerKey) (*seal.Roster, error) {
	owner, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	viewer := key.Public()
	viewer.Name = "exam"
	b, err := seal.SignRoster(owner, seal.Roster{
		Version: 1, Issued: u.config.Now().Truncate(time.Second),
		Cameras: []seal.RosterCamera{{ID: u.id, Name: "exam"}}, Viewers: []seal.Viewer{viewer},
	})
	if err != nil {
		return nil, err
	}
	house, err := seal.HouseholdIDOf(owner.Public())
	if err != nil {
		return nil, err
	}
	return seal.OpenRoster(house, b)
}
