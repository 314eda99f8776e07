package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/desired"
	"github.com/sealcam/sealcam/cmd/internal/feed"
	"github.com/sealcam/sealcam/uplink/seal"
)

// post hands on to a camera what somebody of its household has signed for it. It
// needs no pass: the signature is one.
func (k *Keeper) post(w http.ResponseWriter, r *http.Request) error {
	roster, err := k.household(r)
	if err != nil {
		return err
	}
	camera, err := seal.ParseCameraID(r.PathValue("camera"))
	if err != nil {
		return fail(http.StatusBadRequest, "%w", err)
	}
	if _, ok := roster.Camera(camera); !ok {
		return fail(http.StatusForbidden, "camera %s is not in roster %d of the household", camera, roster.Version)
	}
	leave, ok := k.gates.posts.enter(string(roster.Household)) // not that of those who have shown a pass
	if !ok {
		k.figures.refuse("posts_of_household")
		return fail(http.StatusTooManyRequests, "the household has %d requests under way", maxOfHousehold)
	}
	defer leave()
	var kind string
	var b []byte
	switch r.PathValue("kind") {
	case feed.Command:
		kind, b, err = k.command(w, r, roster, camera)
	case feed.Settings:
		kind, b, err = k.settings(w, r, roster, camera)
	case feed.Roster:
		kind, b, err = k.postedRoster(w, r, roster.Household)
	default:
		return fail(http.StatusNotFound, "nothing of that name is sent to cameras")
	}
	if err != nil {
		return err
	}
	if err := k.config.Source.Send(r.Context(), camera, kind, b); err != nil {
		return fail(http.StatusServiceUnavailable, "not sent to the camera: %w", err).hint("try again")
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (k *Keeper) command(w http.ResponseWriter, r *http.Request, roster *seal.Roster, camera seal.CameraID) (string, []byte, error) {
	b, err := readBody(w, r, seal.MaxCommand)
	if err != nil {
		return "", nil, err
	}
	_, err = seal.OpenCommand(camera, roster, b)
	return feed.Command, b, err
}

// settings checks signed settings, and says on which topic the broker keeps them.
func (k *Keeper) settings(w http.ResponseWriter, r *http.Request, roster *seal.Roster, camera seal.CameraID) (string, []byte, error) {
	b, err := readBody(w, r, seal.MaxSettings+1<<10)
	if err != nil {
		return "", nil, err
	}
	s, err := seal.OpenSettings(roster, camera, b)
	if err != nil {
		return "", nil, err
	}
	target := desired.All
	switch {
	case s.Camera != "":
		target = desired.Camera
	case s.Group != "":
		target = desired.Group(s.Group)
	}
	return feed.Settings + "/" + target.Topic(), b, nil
}

func (k *Keeper) postedRoster(w http.ResponseWriter, r *http.Request, h seal.HouseholdID) (string, []byte, error) {
	b, err := readBody(w, r, seal.MaxRoster)
	if err != nil {
		return "", nil, err
	}
	if got, _, err := seal.PeekRoster(b); err != nil {
		return "", nil, err
	} else if got != h {
		return "", nil, fail(http.StatusForbidden, "a roster of household %s", got)
	}
	in, err := k.takeRoster(r.Context(), b)
	switch {
	case errors.Is(err, errNotNamed): // dismissed, and this its last service
		return feed.Roster, b, nil
	case err != nil:
		return "", nil, err
	}
	return feed.Roster, in.Signed(), nil
}

func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err == nil && len(b) == 0 {
		return nil, fail(http.StatusBadRequest, "an empty body")
	}
	return b, err
}

// Bounds of deletions.
const (
	maxDeletionLife = time.Hour
	maxAnswers      = 1024 // that are remembered, for owners who ask again
)

// deletions remembers what owners have ordered. What was issued before the keeper
// started it does not obey: it has forgotten whether it did already.
type deletions struct {
	mu       sync.Mutex // held while one is carried out: they are few
	counters map[seal.KeyID]uint64
	answers  map[[32]byte][]byte
	order    [][32]byte
}

func (d *deletions) remember(del *seal.Deletion, answer []byte) {
	if d.counters == nil {
		d.counters, d.answers = map[seal.KeyID]uint64{}, map[[32]byte][]byte{}
	}
	d.counters[del.Issuer] = del.Counter
	d.answers[del.Hash] = answer
	d.order = append(d.order, del.Hash)
	if len(d.order) > maxAnswers {
		delete(d.answers, d.order[0])
		d.order = d.order[1:]
	}
}

// postDelete deletes for good what an owner orders to, and answers with the keeper's
// signature.
func (k *Keeper) postDelete(w http.ResponseWriter, r *http.Request) error {
	h, err := seal.ParseHouseholdID(r.PathValue("household"))
	if err != nil {
		return fail(http.StatusBadRequest, "%w", err)
	}
	m := k.rosters.member(h) // also of one that has dismissed this keeper
	if m == nil {
		return errNoRosterOf
	}
	b, err := readBody(w, r, seal.MaxCommand)
	if err != nil {
		return err
	}
	d, err := seal.OpenDeletion(m.roster, b)
	if err != nil {
		k.figures.deletion("refused")
		return err
	}
	k.deleted.mu.Lock()
	defer k.deleted.mu.Unlock()
	answer := k.deleted.answers[d.Hash]
	if answer == nil {
		if answer, err = k.delete(r, d); err != nil {
			return err
		}
		k.deleted.remember(d, answer)
	}
	w.Header().Set("Content-Type", "application/cose")
	w.Header().Set("Cache-Control", "no-store")
	_, err = io.Copy(w, bytes.NewReader(answer))
	return err
}

// delete carries out a deletion that an owner has signed, if it is in time.
func (k *Keeper) delete(r *http.Request, d *seal.Deletion) ([]byte, error) {
	if err := k.checkDeletion(d); err != nil {
		k.figures.deletion("refused")
		return nil, err
	}
	messages, size, err := k.config.Store.Delete(r.Context(), d.Household, d.Camera, d.From, d.To)
	if err != nil {
		k.figures.deletion("failed")
		return nil, fmt.Errorf("delete for household %s: %w", d.Household, err)
	}
	k.passing.forget(d.Household, d.Camera)
	k.figures.deletion("done")
	k.figures.removed.Add(messages)
	k.log.Info("deleted on an owner's order", "household", d.Household, "camera", d.Camera, "from", d.From, "to", d.To, "messages", messages, "bytes", size)
	return seal.SignDeleted(k.config.Key, seal.Deleted{
		Household: d.Household, Deletion: d.Hash, Messages: messages, Bytes: uint64(max(size, 0)), Issued: k.config.Now(),
	})
}

func (k *Keeper) checkDeletion(d *seal.Deletion) error {
	now := k.config.Now()
	switch {
	case d.Keeper != k.id:
		return fail(http.StatusForbidden, "the deletion is for keeper %s, this is %s", d.Keeper, k.id)
	case !now.Before(d.Expires) || d.Issued.Sub(now) > seal.PassSkew || d.Expires.Sub(d.Issued) > maxDeletionLife:
		return fail(http.StatusForbidden, "the deletion holds from %s to %s, now is %s", d.Issued, d.Expires, now.UTC().Format(time.RFC3339)).
			hint("sign one that holds now, for an hour at most")
	case d.Issued.Before(k.figures.start.Truncate(time.Second)):
		return fail(http.StatusConflict, "the deletion was signed before this keeper started, at %s", k.figures.start.UTC().Format(time.RFC3339)).
			hint("sign it again")
	case d.Counter <= k.deleted.counters[d.Issuer]:
		return fail(http.StatusConflict, "deletion %d, but %d was obeyed", d.Counter, k.deleted.counters[d.Issuer])
	}
	return nil
}
