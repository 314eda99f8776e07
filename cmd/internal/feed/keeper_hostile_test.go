package feed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Whatever a keeper answers, what is handed on is the message that was asked for, and
// the rest is counted.
func TestHostileKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, strangers := newHouse(t, 2), newHouse(t, 1)
		honest := h.keeper()
		honest.Roster = nil
		h.keep(honest, 0, 6)
		h.keep(honest, 1, 6)
		other := strangers.seal(0, seal.Durable).Sealed
		all := func() []string { return slices.Concat(names(0, 1, 6), names(1, 1, 6)) }
		without := func(name string) []string {
			return slices.DeleteFunc(all(), func(s string) bool { return s == name })
		}
		bytesOf := func(e FakeEntry) []byte { return honest.bytes[e.Hash] }
		entry := func(camera int, seq uint64) FakeEntry {
			i := slices.IndexFunc(honest.kept, func(e FakeEntry) bool { return e.Camera == h.cameras[camera].id && e.Seq == seq })
			return honest.kept[i]
		}
		third := entry(0, 3)
		give := func(b []byte) func(e FakeEntry, b []byte) []byte {
			return func(e FakeEntry, honest []byte) []byte {
				if e.Hash == third.Hash {
					return b
				}
				return honest
			}
		}
		list := func(change func([]FakeEntry) []FakeEntry) func([]FakeEntry) []FakeEntry {
			return func(l []FakeEntry) []FakeEntry {
				if len(l) > 0 && l[0].Camera == h.cameras[0].id && l[0].Seq < 3 {
					return change(slices.Clone(l))
				}
				return l
			}
		}
		flipped := bytes.Clone(bytesOf(third))
		flipped[len(flipped)-1] ^= 1
		for _, c := range []struct {
			name            string
			give            func(FakeEntry, []byte) []byte
			list            func([]FakeEntry) []FakeEntry
			heads           func(seal.CameraID, uint64) uint64
			want            []string
			wrong, withheld uint64
			why             string // the session ends with
		}{
			{name: "honest", want: all()},
			{name: "the next one's bytes", give: give(bytesOf(entry(0, 4))), want: without("0:3"), wrong: 1},
			{name: "another camera's", give: give(bytesOf(entry(1, 3))), want: without("0:3"), wrong: 1},
			{name: "another household's", give: give(other), want: without("0:3"), wrong: 1},
			{name: "changed", give: give(flipped), want: without("0:3"), wrong: 1},
			{name: "cut off", give: give(bytesOf(third)[:100]), want: without("0:3"), wrong: 1},
			{name: "longer", give: give(append(bytes.Clone(bytesOf(third)), 0)), want: without("0:3"), wrong: 1},
			{name: "withheld", give: give(nil), want: without("0:3"), withheld: 1},
			{name: "not listed", want: without("0:3"), list: list(func(l []FakeEntry) []FakeEntry { return slices.Delete(l, 2, 3) })},
			{name: "listed twice", why: errList.Error(), list: list(func(l []FakeEntry) []FakeEntry { return slices.Insert(l, 2, l[1]) })},
			{name: "listed backwards", want: slices.Concat([]string{"0:6"}, names(1, 1, 6)), list: list(func(l []FakeEntry) []FakeEntry { slices.Reverse(l); return l })},
			{name: "another camera's listed", why: errList.Error(), list: list(func(l []FakeEntry) []FakeEntry { return append(l, entry(1, 6)) })},
			{name: "under another number", want: without("0:3"), wrong: 1, list: list(func(l []FakeEntry) []FakeEntry { l[2].Hash = l[1].Hash; return l })},
			{name: "of another size", want: without("0:3"), wrong: 1, list: list(func(l []FakeEntry) []FakeEntry { l[2].Size = 10; return l })},
			{name: "of no size", why: errList.Error(), list: list(func(l []FakeEntry) []FakeEntry { l[2].Size = -1; return l })},
			{name: "huge", why: errList.Error(), list: list(func(l []FakeEntry) []FakeEntry { l[2].Size = 1 << 30; return l })},
			{name: "of no stream", why: errList.Error(), list: list(func(l []FakeEntry) []FakeEntry { l[2].Stream = "rumour"; return l })},
			{name: "a head that is not", want: all(), heads: func(_ seal.CameraID, n uint64) uint64 { return 1 << 63 }},
			{name: "a head of before", want: slices.Concat(names(0, 1, 4), names(1, 1, 4)), heads: func(_ seal.CameraID, n uint64) uint64 { return n - 2 }},
		} {
			f := &FakeKeeper{ID: "the keeper", Household: h.id, Now: time.Now, kept: honest.kept, bytes: honest.bytes, Give: c.give, List: c.list, Heads: c.heads}
			r := h.read(f, nil, nil)
			if c.why == "" {
				r.expect(c.name, c.want...)
			} else {
				synctest.Wait()
				if up, why := r.Link(); up || !strings.Contains(why, c.why) {
					t.Errorf("%s: link %v %q", c.name, up, why)
				}
			}
			if s := r.Stats(); s.Wrong != c.wrong || s.Withheld != c.withheld {
				t.Errorf("%s: counted %+v", c.name, s)
			}
			_ = r.stop()
		}
	})
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// What is no keeper, or wants to be more than one, is left, with a reason, in bounded
// time and memory.
func TestHostileServer(t *testing.T) {
	for _, c := range []struct {
		name  string
		where string // of paths that are answered
		stray func(w http.ResponseWriter, r *http.Request)
		after time.Duration
		why   string
	}{
		{"a page", "/v1/keeper", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, 0, "no list"},
		{"no format", "/v1/keeper", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keeper":"the keeper","formats":[2,3]}`) }, 0, "speaks formats [2 3]"},
		{"elsewhere", "/cameras", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test/", http.StatusFound)
		}, 0, "it is elsewhere"},
		{"endless", "/cameras", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, endless{}) }, 0, "too long"},
		{"silent", "/cameras", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 2 * time.Minute, "deadline exceeded"},
		{"a drop at a time", "/cameras", func(w http.ResponseWriter, r *http.Request) {
			for range 1 << 20 {
				if _, err := w.Write([]byte(" ")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 3 * time.Minute, "deadline exceeded"},
		{"packed", "/cameras", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.Copy(z, io.LimitReader(endless{}, 1<<20))
			_ = z.Close()
		}, 0, "packed"},
		{"no pass", "/cameras", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":"not yours\u001b[2J","hint":"ask the owner"}`)
		}, 0, "answers 403: not yours"},
		{"more cameras than there are", "/cameras", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"cameras":[{}`+strings.Repeat(`,{}`, 5000)+`]}`)
		}, 0, "5001 cameras"},
		{"a number that is none", "/cameras", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"cameras":[{"id":"x","last":-1}]}`) }, 0, "no list"},
		{"a silent feed", "/feed", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, 2 * time.Minute, "has said nothing"},
		{"a feed of one endless line", "/feed", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, endless{}) }, 0, "in more than"},
		{"a feed of nonsense", "/feed", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "event: message\ndata: {\"hash\":1}\n\n")
		}, 0, "no message"},
		{"a feed that ends", "/feed", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, ": hello\n\n") }, 0, "has ended"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, 1)
			f := h.keeper()
			f.Roster = nil
			f.Stray = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, c.where) {
					c.stray(w, r)
					return true
				}
				return false
			}
			r := h.read(f, nil, nil)
			began := time.Now()
			for {
				synctest.Wait()
				if up, why := r.Link(); !up && why != "not connected yet" {
					if !strings.Contains(why, c.why) || strings.Contains(why, "\x1b") {
						t.Errorf("%s: %q", c.name, why)
					}
					break
				}
				if time.Since(began) > c.after {
					t.Errorf("%s: nothing after %v", c.name, time.Since(began))
					break
				}
				time.Sleep(time.Second)
			}
			r.expect(c.name)
			_ = r.stop()
			time.Sleep(2 * time.Second) // the slow one notices
		})
	}
}

// Who answers with nothing of use, again and again, is left.
func TestKeeperOfNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, 1)
		f := h.keeper()
		f.Roster = nil
		h.keep(f, 0, maxFaults+10)
		f.Give = func(FakeEntry, []byte) []byte { return []byte("?") }
		r := h.read(f, nil, nil)
		r.expect("nothing of use")
		if up, why := r.Link(); up || !strings.Contains(why, "64 times in a row") || r.Stats().Wrong != maxFaults {
			t.Errorf("link %v %q, counted %+v", up, why, r.Stats())
		}
	})
}

func FuzzKeeperEvents(f *testing.F) {
	f.Add([]byte("id: 4\nevent: message\ndata: {\"hash\":\"" + strings.Repeat("0", 64) + "\",\"camera\":\"" + string(camera('a')) + "\",\"stream\":\"durable\",\"seq\":1,\"kind\":\"media\",\"size\":10}\n\n"))
	f.Add([]byte(": comment\n\nevent: roster\ndata: {}\n\n"))
	f.Add([]byte("event: message\r\ndata: {}\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := readEvents(bufio.NewReaderSize(bytes.NewReader(b), maxEvent), func() {}, func(e event) {
			if e.roster {
				return
			}
			if _, err := seal.ParseCameraID(string(e.entry.camera)); err != nil || !keptKind(e.entry.kind) || e.entry.size < 1 || e.entry.size > seal.MaxSealed {
				t.Errorf("taken for an entry: %+v", e.entry)
			}
		})
		if err == nil {
			t.Error("a stream of events has ended without saying so")
		}
	})
}
