package uplink

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealcam/sealcam/uplink/internal/spool"
	"github.com/sealcam/sealcam/uplink/seal"
)

// A disk that takes nothing takes no word about itself either: that is told to
// whoever listens, also while the camera is closed, and later a stored status says
// that all is well.
func TestDiskThatTakesNothingIsTold(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.open()
		h.run()
		h.do(h.up.Status(Status{State: "running"}))
		h.arrived()
		messages := path.Join(h.dir, "spool", "messages", string(h.camera.ID()))
		h.do(os.Rename(messages, messages+".away"))
		h.do(os.RemoveAll(messages + ".away")) // the directory that is open is none any more
		if err := h.up.Send(h.picture("lost")); err == nil {
			t.Fatal("a picture was stored nowhere")
		}
		words := h.up.Stats().Disk
		if !strings.HasPrefix(words, "pictures are not stored") || !strings.Contains(words, "(check the card") {
			t.Errorf("the trouble is %q", words)
		}
		h.up.SetPrivate(true)
		h.do(h.up.Status(Status{State: "trouble", Troubles: []string{words}}))
		h.pass(time.Second)
		var told []Status
		for _, s := range h.arrived() {
			if path.Base(s.Topic) != "status" {
				continue
			}
			v, err := h.opener.Open(h.camera.ID(), s.Payload)
			h.do(err)
			var st Status
			h.do(json.Unmarshal([]byte(said(v)), &st))
			told = append(told, st)
			if m := v.Meta(); m.Stream != seal.Live || m.Kind != seal.KindStatus || s.Retained {
				t.Errorf("stream %v, kind %s, retained %v", m.Stream, m.Kind, s.Retained)
			}
		}
		if len(told) != 1 || told[0].State != "trouble" || told[0].Troubles[0] != words {
			t.Errorf("told %+v", told)
		}
	})
}

// A disk that is nearly full takes what is small: the trouble stays a while. A
// budget full of what is more important is none.
func TestDiskTrouble(t *testing.T) {
	var d diskTrouble
	full := fmt.Errorf("send: %w", &spool.Error{Reason: spool.ErrFull, Op: "store a message", Err: syscall.ENOSPC})
	for _, step := range []struct {
		err   error
		at    time.Duration
		words string
	}{
		{nil, 0, ""},
		{&spool.Error{Reason: spool.ErrBudget}, 1 * time.Minute, ""},
		{errors.New("something else"), 2 * time.Minute, ""},
		{full, 3 * time.Minute, "disk is full (free space"},
		{nil, 4 * time.Minute, "disk is full"},
		{full, 6 * time.Minute, "disk is full"},
		{nil, 10 * time.Minute, "disk is full"},
		{nil, 12 * time.Minute, ""},
	} {
		d.note(step.err, step.at)
		if w := d.words(step.at); !strings.Contains(w, step.words) || (w == "") != (step.words == "") {
			t.Errorf("at %v: %q, want %q", step.at, w, step.words)
		}
	}
}
