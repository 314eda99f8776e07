package uplink

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/encode"
	"github.com/sealcam/sealcam/uplink/mqtt"
	"github.com/sealcam/sealcam/uplink/piece"
	"github.com/sealcam/sealcam/uplink/seal"
)

// recording gives the camera a card.
func (h *home) recording() {
	h.record = &RecordingConfig{Dir: h.dir, Budget: MinRecording, Rate: 1 << 20}
}

// tape records so many parts of a second, of size bytes each.
func (h *home) tape(parts, size int) {
	h.t.Helper()
	for range parts {
		h.do(h.up.Record(h.second(size)))
		h.pass(time.Second)
	}
}

// second is a part of the recording, of the second that begins now.
func (h *home) second(size int) encode.Picture {
	return encode.Picture{
		Kind: encode.Recorded, Media: "video/mp4", Data: bytes.Repeat([]byte{7}, size), Width: 8, Height: 8,
		Taken: h.now(), Mono: h.up.config.Mono(), Clip: encode.Clip{Length: time.Second},
	}
}

// fetch asks for what was recorded since some time ago.
func (h *home) fetch(from, to time.Duration) (nonce []byte) {
	h.t.Helper()
	cmd, nonce, err := h.opener.Fetch(h.camera.ID(), h.now().Add(-from), h.now().Add(-to))
	h.command(cmd, err)
	return nonce
}

// heard is what a viewer that fetches gets: parts by number, and answers.
type heard struct {
	joiner  piece.Joiner
	parts   []uint64
	metas   []seal.Meta
	answers []Answer
	nonces  []string
	others  map[string]time.Time // text of pictures, and when they arrived
	bytes   int                  // all told
}

func (f *heard) hear(h *home, m mqtt.Message, at time.Time) {
	h.t.Helper()
	b := m.Payload
	f.bytes += len(b)
	switch path.Base(m.Topic) {
	case recordingTopic, piece.Topic:
		if p, err := piece.Parse(b); err == nil {
			if (p.Kind == piece.Recording) != (path.Base(m.Topic) == recordingTopic) {
				h.t.Errorf("a piece of a %v on %s", p.Kind, m.Topic)
			}
			_, whole, err := f.joiner.Add("door", b)
			h.do(err)
			if b = whole; b == nil {
				return
			}
		}
	case "media":
	default:
		return
	}
	if m.Retained {
		h.t.Errorf("the broker is to keep a message on %s", m.Topic)
	}
	if v, err := h.opener.Recall(h.camera.ID(), b); err == nil {
		if path.Base(m.Topic) != recordingTopic {
			h.t.Errorf("a recording on %s, where everybody hears it", m.Topic)
		}
		if _, err := h.opener.Open(h.camera.ID(), b); seal.ReasonOf(err) != seal.Replayed {
			h.t.Errorf("a recording opens as news: %v", err)
		}
		f.parts, f.metas = append(f.parts, v.Meta().Seq), append(f.metas, v.Meta())
		return
	}
	v, err := h.opener.Open(h.camera.ID(), b)
	h.do(err)
	_, text := v.Media()
	if v.Meta().Kind != seal.KindAnswer {
		f.others[string(text[:min(len(text), 20)])] = at
		return
	}
	var a Answer
	h.do(json.Unmarshal(text, &a))
	f.answers, f.nonces = append(f.answers, a), append(f.nonces, string(v.Meta().Nonce))
}

// listen opens what has arrived over all connections.
func (h *home) listen() *heard {
	h.t.Helper()
	synctest.Wait()
	h.air.mu.Lock()
	defer h.air.mu.Unlock()
	f := &heard{others: map[string]time.Time{}}
	for _, c := range h.air.conns {
		all := c.sent
		if h.air.rate > 0 {
			all = c.arrived
		}
		for _, s := range all {
			if s.err == nil {
				f.hear(h, s.Message, s.at)
			}
		}
	}
	h.opener = h.newOpener(h.viewer) // so that all of it can be opened again
	return f
}

// states are the answers in short.
func (f *heard) states() (all []string) {
	for _, a := range f.answers {
		text := fmt.Sprintf("%s %d", a.State, a.Parts)
		for _, m := range a.Missing {
			text += fmt.Sprintf(" %s %.0f s", m.Why, m.To.Sub(m.From).Seconds())
		}
		all = append(all, text)
	}
	return all
}

// A viewer gets the parts of the span that it asked for, as they were sealed, in
// order and once; then it is told that this is all, and what is not there.
func TestRecall(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.recording()
		h.open()
		h.tape(6, 900)
		h.up.SetPrivate(true)
		if err := h.up.Record(h.second(900)); !errors.Is(err, ErrPrivate) {
			t.Errorf("while it is closed: %v", err)
		}
		h.up.PauseRecording()
		h.pass(20 * time.Second)
		h.up.SetPrivate(false)
		h.tape(4, 900)
		h.run()
		nonce := h.fetch(29*time.Second, 2*time.Second)
		f := h.listen()
		if want := []string{"sending 8 private 20 s", "done 8 private 20 s"}; !slices.Equal(f.states(), want) || f.nonces[0] != string(nonce) || f.nonces[1] != string(nonce) {
			t.Errorf("%q, want %q", f.states(), want)
		}
		if want := []uint64{2, 3, 4, 5, 6, 8, 9, 10}; !slices.Equal(f.parts, want) {
			t.Errorf("parts %v, want %v", f.parts, want)
		}
		for i := 1; i < len(f.metas); i++ {
			m := f.metas[i]
			if !m.Taken.After(f.metas[i-1].Taken) || m.Boot != f.metas[0].Boot || m.Prev == [32]byte{} {
				t.Errorf("part %d: %+v", m.Seq, m)
			}
		}
		if f.answers[1].Bytes == 0 || f.answers[0].Bytes != f.answers[1].Bytes {
			t.Errorf("%+v", f.answers)
		}
		// Nothing of it stands in the order of what is new.
		if st := h.up.Stats(); st.Head != 2 {
			t.Errorf("%d durable messages, want the 2 answers", st.Head)
		}
		h.pass(time.Second)
		h.fetch(30*time.Second, 3*time.Second)
		if g := h.listen(); len(g.parts) != 2*len(f.parts) {
			t.Errorf("%d parts when it is asked again", len(g.parts)-len(f.parts))
		}
	})
}

// A recording waits for all else: a picture that is sealed meanwhile arrives as if
// the link were free, and the recording goes on behind it.
func TestRecallGivesWay(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.recording()
		h.open()
		h.tape(4, 300_000)
		h.air.thin(32_000, 50*time.Millisecond) // 256 kbit/s
		h.run()
		h.fetch(time.Minute, 0)
		h.pass(10 * time.Second)
		if n := len(h.listen().parts); n != 1 {
			t.Errorf("%d parts of 300 kB in 10 s of 32 kB/s, want 1", n)
		}
		sent := time.Now()
		h.send("somebody" + strings.Repeat(".", 20_000))
		h.pass(2 * time.Minute)
		f := h.listen()
		for text, at := range f.others {
			// 20 kB take 0.7 s, what is on its way already another half second.
			if took := at.Sub(sent); !strings.HasPrefix(text, "somebody") || took > 2*time.Second {
				t.Errorf("%q took %v", text, took)
			}
		}
		if len(f.others) != 1 || !slices.Equal(f.parts, []uint64{1, 2, 3, 4}) {
			t.Errorf("%d pictures, parts %v", len(f.others), f.parts)
		}
	})
}

// The connection is lost in the middle of a part: it goes on where it was, and
// nothing comes twice.
func TestRecallOverACut(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.recording()
		h.open()
		h.tape(3, 300_000)
		h.air.thin(32_000, 50*time.Millisecond)
		h.run()
		h.fetch(time.Minute, 0)
		for range 5 {
			h.pass(7 * time.Second)
			h.air.cut()
		}
		h.pass(2 * time.Minute)
		f := h.listen()
		if !slices.Equal(f.parts, []uint64{1, 2, 3}) || f.answers[len(f.answers)-1].State != "done" {
			t.Errorf("parts %v, %q", f.parts, f.states())
		}
		if f.bytes > 1_000_000 {
			t.Errorf("%d bytes for 900,000: each cut begins a part anew", f.bytes)
		}
	})
}

// A newer wish replaces the one that is being answered, which is told so; one
// without a span ends it.
func TestRecallReplaced(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.recording()
		h.open()
		h.tape(5, 100_000)
		h.air.thin(32_000, 50*time.Millisecond)
		h.run()
		first := h.fetch(time.Minute, 0)
		h.pass(5 * time.Second)
		second := h.fetch(7*time.Second, 6*time.Second)
		h.pass(time.Minute)
		f := h.listen()
		last := len(f.answers) - 1
		if f.answers[1].State != "replaced" || f.nonces[1] != string(first) || f.answers[last].State != "done" || f.nonces[last] != string(second) || len(f.parts) >= 5 {
			t.Errorf("parts %v, %q", f.parts, f.states())
		}
		h.fetch(2*time.Minute, 0)
		h.pass(time.Second)
		h.command(seal.SignCommand(h.viewer.Key().Signer(), seal.Command{
			Camera: h.camera.ID(), Counter: uint64(h.now().UnixMilli()) + 9, Verb: seal.VerbFetch, Issued: h.now(), Expires: h.now().Add(time.Minute),
		}))
		h.pass(time.Minute)
		g := h.listen()
		if n := len(g.answers); g.answers[n-1].State != "replaced" || len(g.parts) > len(f.parts)+1 {
			t.Errorf("parts %v, then %v, %q", f.parts, g.parts, g.states())
		}
	})
}

// No more is written than the rate allows; what is left out is said under the seal:
// its number is missing, and the next part names the last that is there.
func TestRecordLimit(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.recording()
		h.record.Rate = 10_000
		h.open()
		limited := 0
		for range 60 {
			if err := h.up.Record(h.second(14_000)); errors.Is(err, ErrLimit) {
				limited++
			} else {
				h.do(err)
			}
			h.pass(time.Second)
		}
		st := h.up.Recording()
		// 14 kB and what sealing adds, of the 10 kB a second and the first 10 seconds' worth.
		if st.Bytes > 10_000*70 || st.Bytes < 10_000*45 || int(st.Limited) != limited || int(st.Kept) != 60-limited || !strings.Contains(st.Trouble, "recording.rate") {
			t.Errorf("%d left out, %+v", limited, st)
		}
		h.run()
		h.fetch(2*time.Minute, 0)
		f := h.listen()
		if len(f.parts) != 60-limited || slices.Max(f.parts) > 60 {
			t.Errorf("parts %v", f.parts)
		}
		skipped := 0
		for i := 1; i < len(f.parts); i++ {
			skipped += int(f.parts[i] - f.parts[i-1] - 1)
		}
		if skipped == 0 || h.log.count("recording.rate") != 1 {
			t.Errorf("%d numbers left out between %d parts, told %d times", skipped, len(f.parts), h.log.count("recording.rate"))
		}
	})
}

// A card that is not there costs the recording and nothing else; when it comes,
// it is used.
func TestRecordWithoutCard(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.recording()
		h.record.Dir = path.Join(h.dir, "card")
		h.open()
		h.run()
		h.fetch(time.Minute, 0)
		for range 5 {
			if h.up.Record(h.second(100)) == nil {
				t.Error("recorded on nothing")
			}
			h.pass(time.Second)
		}
		h.send("somebody")
		if st := h.up.Recording(); st.Failed != 5 || !strings.Contains(st.Trouble, "disk fails") {
			t.Errorf("%+v", st)
		}
		h.do(os.Mkdir(h.record.Dir, 0o700))
		h.pass(time.Minute)
		h.tape(3, 100)
		if st := h.up.Recording(); st.Kept != 3 {
			t.Errorf("when it has come: %+v", st)
		}
		h.pass(6 * time.Minute)
		if st := h.up.Recording(); st.Trouble != "" {
			t.Errorf("after a while: %q", st.Trouble)
		}
		if f := h.listen(); !slices.Equal(f.states(), []string{"none 0"}) || len(f.others) != 1 {
			t.Errorf("%q", f.states())
		}
	})
}

// A camera that does not know the time reckons back from when it was asked.
func TestRecallWithoutClock(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.recording()
		h.clock = func() string { return seal.ClockNone }
		viewer := h.now
		h.open()
		h.up.config.Now = func() time.Time { return time.Unix(int64(h.up.config.Mono().Seconds()), 0) } // of 1970
		h.tape(10, 900)
		h.run()
		h.now = viewer
		h.fetch(5*time.Second, 3*time.Second)
		f := h.listen()
		if last := f.answers[len(f.answers)-1]; !last.Unclocked || last.State != "done" {
			t.Errorf("%q", f.states())
		}
		if want := []uint64{6, 7, 8}; !slices.Equal(f.parts, want) {
			t.Errorf("parts %v, want %v", f.parts, want)
		}
	})
}
