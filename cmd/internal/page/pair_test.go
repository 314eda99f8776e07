package page

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/qr"
)

// ownerToken is what the owner's page knows in these tests.
const ownerToken = "owner-of-these-tests-only"

// fakePairing is a Pairing whose camera does what a test says.
type fakePairing struct {
	mu    sync.Mutex
	state PairState
}

func (f *fakePairing) Start(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name == "taken" {
		return errors.New("there is a camera of that name")
	}
	code, err := qr.Encode("SEALCAM " + strings.Repeat("A CODE OF THE TESTS ", 12))
	if err != nil {
		return err
	}
	f.state = PairState{Step: PairShown, Name: name, Size: code.Size(), Modules: code.Modules(), Expires: time.Now().Add(10 * time.Minute).UnixMilli()}
	return nil
}

func (f *fakePairing) Confirm(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Step, f.state.Words = PairDone, ""
	if !yes {
		f.state = PairState{Step: PairFailed, Why: "the camera was not confirmed, and is not taken in"}
	}
}

func (f *fakePairing) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = PairState{}
}

func (f *fakePairing) State() PairState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// step changes the state, which must be in step from.
func (f *fakePairing) step(from PairStep, change func(*PairState)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Step != from {
		return fmt.Errorf("the pairing is %q, want %q", f.state.Step, from)
	}
	change(&f.state)
	return nil
}

// Only who has the owner's token is shown a code, or takes a camera in.
func TestPairingIsForTheOwner(t *testing.T) {
	w := newWorld(t, &scenery{}, "Front door")
	conf := Config{Feed: w, Roster: w.rosterNow, Now: time.Now, Log: slog.New(slog.DiscardHandler), Pairing: &w.pair, PairToken: ownerToken}
	p, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(p *Page, method, path, token, body string) (int, string) {
		r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
		if token != "" {
			r.Header.Set(tokenHeader, token)
		}
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	for _, path := range []string{"POST /pair/start", "GET /pair", "POST /pair/confirm?yes=1", "POST /pair/stop"} {
		method, path, _ := strings.Cut(path, " ")
		for _, token := range []string{"", "x", ownerToken + "x"} {
			if code, _ := ask(p, method, path, token, "Garden"); code != http.StatusForbidden {
				t.Errorf("%s %s with token %q: %d", method, path, token, code)
			}
		}
	}
	if w.pair.State().Step != PairIdle {
		t.Error("a stranger has started a pairing")
	}
	for _, tc := range []struct {
		path, body string
		code       int
	}{
		{"POST /pair/start", "taken", http.StatusConflict},
		{"POST /pair/start", strings.Repeat("x", 100), http.StatusRequestEntityTooLarge},
		{"POST /pair/confirm?yes=maybe", "", http.StatusBadRequest},
		{"POST /pair/start", "Garden", http.StatusNoContent},
	} {
		method, path, _ := strings.Cut(tc.path, " ")
		if code, text := ask(p, method, path, ownerToken, tc.body); code != tc.code {
			t.Errorf("%s %.20q: %d %s, want %d", tc.path, tc.body, code, text, tc.code)
		}
	}
	if code, text := ask(p, "GET", "/pair", ownerToken, ""); code != http.StatusOK || !strings.Contains(text, `"step":"shown","name":"Garden","size":`) {
		t.Errorf("%d %s", code, text)
	}

	conf.PairToken = "short"
	if _, err := New(conf); err == nil {
		t.Error("a token that can be guessed is taken")
	}
	conf.Pairing, conf.PairToken = nil, ""
	if p, err = New(conf); err != nil {
		t.Fatal(err)
	}
	if code, _ := ask(p, "GET", "/pair", "", ""); code != http.StatusNotFound {
		t.Errorf("without a pairing: %d", code)
	}
}
