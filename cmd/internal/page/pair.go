package page

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Pairing takes a camera into the household by a code that the page shows to
// its lens. Only the owner's own program has one. All its methods are safe for
// concurrent use.
type Pairing interface {
	Start(name string) error // makes a code; a pairing under way ends
	Confirm(yes bool)        // the person has compared the words
	Stop()                   // the code is worth nothing any more
	State() PairState
}

// PairStep says how far a pairing is.
type PairStep string

// The steps of a pairing.
const (
	PairIdle     PairStep = ""         // none was started
	PairShown    PairStep = "shown"    // the code waits for a camera
	PairRead     PairStep = "read"     // a camera has read it: compare the words
	PairEnrolled PairStep = "enrolled" // confirmed; the camera is being told
	PairDone     PairStep = "paired"   // the camera is the household's
	PairFailed   PairStep = "failed"   // Why says why
)

// PairState is what the page shows of a pairing.
type PairState struct {
	Step     PairStep               `json:"step"`
	Name     string                 `json:"name,omitempty"`     // what the camera will be called
	Size     int                    `json:"size,omitempty"`     // modules of a side of the code, while it is shown
	Modules  string                 `json:"modules,omitempty"`  // Size*Size of '1' (dark) and '0', row by row
	Expires  int64                  `json:"expires,omitempty"`  // of the code, milliseconds since 1970
	Camera   seal.CameraID          `json:"camera,omitempty"`   // that has read it
	Words    string                 `json:"words,omitempty"`    // to compare with what the camera says
	Firmware string                 `json:"firmware,omitempty"` // the camera's own word
	Refused  map[seal.Reason]uint64 `json:"refused,omitempty"`  // who asked and was refused
	Why      string                 `json:"why,omitempty"`
}

// tokenHeader carries Config.PairToken: not everybody who can reach the page
// may take cameras in.
const tokenHeader = "Sealcam-Owner"

// owner hands a request on if it comes from a page that was opened by the
// owner's link.
func (p *Page) owner(next func(Pairing, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(p.conf.PairToken)) != 1 {
			http.Error(w, "Open the page by the link that sealcam view printed last: it says that you are the owner.", http.StatusForbidden)
			return
		}
		next(p.conf.Pairing, w, r)
	}
}

// pairRoutes adds what only an owner's page has.
func (p *Page) pairRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /pair", p.owner(func(pair Pairing, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(pair.State())
	}))
	mux.HandleFunc("POST /pair/start", p.owner(func(pair Pairing, w http.ResponseWriter, r *http.Request) {
		name, ok := body(w, r, seal.MaxName)
		if !ok {
			return
		}
		if err := pair.Start(string(name)); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("POST /pair/confirm", p.owner(func(pair Pairing, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("yes") {
		case "1":
			pair.Confirm(true)
		case "0":
			pair.Confirm(false)
		default:
			http.Error(w, "Say yes=1 or yes=0.", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("POST /pair/stop", p.owner(func(pair Pairing, w http.ResponseWriter, _ *http.Request) {
		pair.Stop()
		w.WriteHeader(http.StatusNoContent)
	}))
}
