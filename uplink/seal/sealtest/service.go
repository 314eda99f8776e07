package sealtest

import "github.com/sealcam/sealcam/uplink/seal"

// service runs what concerns keepers and settings.
func (v *Vector) service() (result, error) {
	roster, err := seal.OpenRoster(v.Household, v.Roster)
	if err != nil {
		return result{}, err
	}
	switch v.Op {
	case "pass":
		_, err = seal.OpenPass(roster, v.Now, v.Body)
	case "deletion":
		_, err = seal.OpenDeletion(roster, v.Body)
	case "deleted":
		_, err = seal.OpenDeleted(roster, v.Body)
	case "settings":
		_, err = seal.OpenSettings(roster, v.Camera, v.Body)
	}
	return judged(err)
}
