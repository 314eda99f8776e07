package seal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// claims returns what travels of r. The caller opens what it signed, so that
// only the checks in roster decide what is valid.
func (r *Roster) claims(signer string) (*rosterClaims, error) {
	founder, err := newCOSEKey(r.Owner)
	if err != nil {
		return nil, err
	}
	c := &rosterClaims{
		Issuer: signer, Audience: string(r.Household), Confirm: confirmation{founder},
		Version: Version, Roster: r.Version, Grants: r.Grants,
	}
	if c.Issued, err = seconds(r.Issued); err != nil {
		return nil, err
	}
	for _, cam := range r.Cameras {
		since, err := seconds(cam.Since)
		if err != nil {
			return nil, err
		}
		c.Cameras = append(c.Cameras, cameraClaims{string(cam.ID), cam.Name, since, cam.Groups})
	}
	for _, v := range r.Viewers {
		vc := viewerClaims{Name: v.Name, Recipient: v.Recipient}
		if v.Key != nil {
			k, err := newCOSEKey(v.Key)
			if err != nil {
				return nil, fmt.Errorf("viewer %q: %w", v.Name, err)
			}
			vc.Key = &k
		}
		if v.Roles != DefaultRoles {
			vc.Roles = uint64(v.Roles)
		}
		c.Viewers = append(c.Viewers, vc)
	}
	for _, id := range r.Revoked {
		c.Revoked = append(c.Revoked, string(id))
	}
	for _, id := range r.Withdrawn {
		c.Withdrawn = append(c.Withdrawn, string(id))
	}
	for _, k := range r.Keepers {
		key, err := newCOSEKey(k.Key)
		if err != nil {
			return nil, fmt.Errorf("keeper %q: %w", k.Name, err)
		}
		c.Keepers = append(c.Keepers, keeperClaims{k.Name, key, k.URL})
	}
	if r.Prev != [32]byte{} {
		c.Prev = r.Prev[:]
	}
	return c, nil
}

// roster checks all of c but its signature and grants.
func (c *rosterClaims) roster() (*Roster, error) {
	if c.Roster == 0 || c.Roster > MaxSeq || c.Issued > maxSeconds {
		return nil, errors.New("version or time out of range")
	}
	if len(c.Cameras) > MaxCameras || len(c.Revoked) > MaxCameras || len(c.Viewers) > MaxViewers ||
		len(c.Grants) > MaxGrants || len(c.Withdrawn) > MaxGrants+1 {
		return nil, errRosterBounds
	}
	if _, err := parseID(c.Audience); err != nil {
		return nil, fmt.Errorf("aud: %w", err)
	}
	_, owner, err := c.Confirm.Key.parse()
	if err != nil {
		return nil, err
	}
	r := &Roster{
		Household: HouseholdID(c.Audience), Owner: owner, Version: c.Roster,
		Issued: fromSeconds(c.Issued), Grants: c.Grants, Signer: KeyID(c.Issuer),
	}
	if n := len(c.Prev); n != 0 && n != len(r.Prev) {
		return nil, errors.New("hash of the roster before of the wrong length")
	}
	copy(r.Prev[:], c.Prev)
	if err := c.addCameras(r); err != nil {
		return nil, err
	}
	if err := c.addViewers(r); err != nil {
		return nil, err
	}
	return r, c.addKeepers(r)
}

func (c *rosterClaims) addCameras(r *Roster) error {
	for i, cam := range c.Cameras {
		if _, err := ParseCameraID(cam.ID); err != nil {
			return err
		}
		if i > 0 && c.Cameras[i-1].ID >= cam.ID {
			return errors.New("cameras not in rising order of id")
		}
		if err := checkName(cam.Name); err != nil {
			return err
		}
		if cam.Since > maxSeconds {
			return errors.New("time out of range")
		}
		if err := checkGroups(cam.Groups); err != nil {
			return fmt.Errorf("camera %s: %w", cam.ID, err)
		}
		r.Cameras = append(r.Cameras, RosterCamera{CameraID(cam.ID), cam.Name, fromSeconds(cam.Since), cam.Groups})
	}
	for i, id := range c.Revoked {
		if _, err := ParseCameraID(id); err != nil {
			return err
		}
		if i > 0 && c.Revoked[i-1] >= id {
			return errors.New("revoked cameras not in rising order of id")
		}
		if _, ok := r.Camera(CameraID(id)); ok {
			return fmt.Errorf("camera %s is listed and revoked", id)
		}
		r.Revoked = append(r.Revoked, CameraID(id))
	}
	for i, id := range c.Withdrawn {
		if _, err := parseID(id); err != nil {
			return err
		}
		if i > 0 && c.Withdrawn[i-1] >= id {
			return errors.New("withdrawn keys not in rising order of id")
		}
		r.Withdrawn = append(r.Withdrawn, KeyID(id))
	}
	return nil
}

func (c *rosterClaims) addViewers(r *Roster) error {
	names, recipients, keys := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, v := range c.Viewers {
		if err := checkName(v.Name); err != nil {
			return err
		}
		if _, err := newRecipient(v.Recipient); err != nil {
			return fmt.Errorf("viewer %q: %w", v.Name, err)
		}
		var spki []byte
		if v.Key != nil {
			var err error
			if _, spki, err = v.Key.parse(); err != nil {
				return fmt.Errorf("viewer %q: %w", v.Name, err)
			}
			id := formatID(sha256.Sum256(spki))
			if keys[id] || id == c.Audience {
				return fmt.Errorf("viewer %q: its key is somebody else's too", v.Name)
			}
			keys[id] = true
		}
		if names[v.Name] || recipients[v.Recipient] {
			return fmt.Errorf("viewer %q: name or recipient twice", v.Name)
		}
		names[v.Name], recipients[v.Recipient] = true, true
		if err := checkRoles(v.Roles, spki != nil); err != nil {
			return fmt.Errorf("viewer %q: %w", v.Name, err)
		}
		roles := Roles(v.Roles)
		if roles == 0 {
			roles = DefaultRoles
		}
		r.Viewers = append(r.Viewers, Viewer{v.Name, v.Recipient, spki, roles})
	}
	return nil
}

// checkGroups wants tokens, rising, each once.
func checkGroups(groups []string) error {
	if len(groups) > MaxGroups {
		return fmt.Errorf("in %d groups, at most %d", len(groups), MaxGroups)
	}
	for i, g := range groups {
		if err := checkToken(g); err != nil {
			return fmt.Errorf("group: %w", err)
		}
		if g == "" || i > 0 && groups[i-1] >= g {
			return errors.New("groups not in rising order")
		}
	}
	return nil
}

// SortCameras brings r's lists of cameras and keys into the order that
// SignRoster wants.
func (r *Roster) SortCameras() {
	slices.SortFunc(r.Cameras, func(a, b RosterCamera) int { return compareIDs(a.ID, b.ID) })
	slices.Sort(r.Revoked)
	slices.Sort(r.Withdrawn)
}

func compareIDs(a, b CameraID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// seconds returns t as it travels: whole seconds since 1970, 0 for unknown.
func seconds(t time.Time) (uint64, error) {
	if t.IsZero() {
		return 0, nil
	}
	s := t.Unix()
	if s <= 0 || s > maxSeconds {
		return 0, fmt.Errorf("time %v out of range", t)
	}
	return uint64(s), nil
}

func fromSeconds(s uint64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}
