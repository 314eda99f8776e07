package keeper

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/keeper/store"
	"github.com/sealcam/sealcam/uplink/seal"
)

// entryJSON is a store.Entry as viewers read it.
type entryJSON struct {
	Hash     string        `json:"hash"`
	Camera   seal.CameraID `json:"camera"`
	Stream   string        `json:"stream"`
	Seq      uint64        `json:"seq"`
	Kind     string        `json:"kind"`
	Roster   uint64        `json:"roster"`
	Size     int           `json:"size"`
	Received time.Time     `json:"received"`
	Cursor   uint64        `json:"cursor,omitempty"`
	Retained bool          `json:"retained,omitempty"`
}

func describe(e store.Entry) entryJSON {
	v := e.Visible
	return entryJSON{
		Hash: hex.EncodeToString(v.Hash[:]), Camera: v.Camera, Stream: v.Stream.String(), Seq: v.Seq, Kind: e.Kind,
		Roster: v.Roster, Size: v.Size, Received: e.Received, Cursor: e.Cursor,
	}
}

// parseQuery reads the query of a list. Everything in it is known and said once.
func parseQuery(h seal.HouseholdID, v url.Values) (q store.Query, err error) {
	q = store.Query{Household: h, Limit: 100}
	for key, values := range v {
		if len(values) != 1 {
			return q, fmt.Errorf("%.20q is said %d times", key, len(values))
		}
		if err := setQuery(&q, key, values[0]); err != nil {
			return q, fmt.Errorf("%.20s: %w", key, err)
		}
	}
	switch {
	case q.BySeq && q.Camera == "":
		return q, fmt.Errorf("by=seq needs a camera")
	case q.Limit < 1 || q.Limit > store.MaxLimit:
		return q, fmt.Errorf("limit is 1 to %d", store.MaxLimit)
	}
	return q, nil
}

func setQuery(q *store.Query, key, value string) (err error) {
	switch key {
	case "camera":
		q.Camera, err = seal.ParseCameraID(value)
	case "by":
		if value != "seq" && value != "arrival" {
			return fmt.Errorf("seq or arrival")
		}
		q.BySeq = value == "seq"
	case "from":
		q.From, err = parseNumber(value)
	case "to":
		q.To, err = parseNumber(value)
	case "after":
		q.After, err = parseNumber(value)
	case "before":
		q.Before, err = parseNumber(value)
	case "since":
		q.Since, err = time.Parse(time.RFC3339Nano, value)
	case "until":
		q.Until, err = time.Parse(time.RFC3339Nano, value)
	case "newest":
		if value != "1" && value != "0" {
			return fmt.Errorf("1 or 0")
		}
		q.Newest = value == "1"
	case "limit":
		var n uint64
		n, err = parseNumber(value)
		q.Limit = int(min(n, store.MaxLimit+1))
	default:
		return fmt.Errorf("no such condition")
	}
	return err
}

func parseNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > seal.MaxSeq {
		return 0, fmt.Errorf("a number up to %d", uint64(seal.MaxSeq))
	}
	return n, nil
}

func (k *Keeper) getList(w http.ResponseWriter, r *http.Request, roster *seal.Roster) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fail(http.StatusBadRequest, "the query: %w", err)
	}
	q, err := parseQuery(roster.Household, values)
	if err != nil {
		return fail(http.StatusBadRequest, "%w", err)
	}
	page, err := k.config.Store.List(r.Context(), q)
	if err != nil {
		return err
	}
	entries := make([]entryJSON, len(page.Entries))
	for i, e := range page.Entries {
		entries[i] = describe(e)
	}
	return k.writeList(w, r, struct {
		Entries []entryJSON `json:"entries"`
		More    bool        `json:"more"`
	}{entries, page.More})
}

// cameraJSON is a store.Camera as viewers read it.
type cameraJSON struct {
	ID       seal.CameraID `json:"id"`
	First    uint64        `json:"first"`
	Last     uint64        `json:"last"`
	Count    uint64        `json:"count"`
	Bytes    int64         `json:"bytes"`
	Missing  [][2]uint64   `json:"missing"`
	Received time.Time     `json:"received"`
}

func (k *Keeper) getCameras(w http.ResponseWriter, r *http.Request, roster *seal.Roster) error {
	cameras, err := k.config.Store.Cameras(r.Context(), roster.Household)
	if err != nil {
		return err
	}
	out := make([]cameraJSON, len(cameras))
	for i, c := range cameras {
		missing := make([][2]uint64, len(c.Missing))
		for j, m := range c.Missing {
			missing[j] = [2]uint64{m.First, m.Last}
		}
		out[i] = cameraJSON{c.ID, c.First, c.Last, c.Count, c.Bytes, missing, c.Received}
	}
	return k.writeList(w, r, struct {
		Cameras []cameraJSON `json:"cameras"`
	}{out})
}

func (k *Keeper) getRoster(w http.ResponseWriter, r *http.Request, roster *seal.Roster) error {
	m := k.rosters.member(roster.Household)
	return k.writeCached(w, r, "application/cose", m.signed)
}

// writeList answers with v, in a form that a cache of the viewer's own may keep and
// ask about.
func (k *Keeper) writeList(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return k.writeCached(w, r, "application/json", append(b, '\n'))
}

func (k *Keeper) writeCached(w http.ResponseWriter, r *http.Request, media string, b []byte) error {
	sum := sha256.Sum256(b)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	head := w.Header()
	head.Set("Cache-Control", "private, no-cache")
	head.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	head.Set("Content-Type", media)
	head.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the reader has gone
	}
	return nil
}
