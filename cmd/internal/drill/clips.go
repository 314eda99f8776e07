package drill

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/sealcam/sealcam/uplink/seal"
)

// Names of what is done to clips.
const (
	partOfOther   = "clip: part of another clip"
	partOfCamera  = "clip: part of another camera"
	partOfHome    = "clip: part of another household"
	partDropped   = "clip: part dropped"
	partDoubled   = "clip: part doubled"
	partReordered = "clip: parts reordered"
	partChanged   = "clip: part's number or end changed"
	clipCut       = "clip: cut short, passed as whole"
	clipOlder     = "clip: older one for a newer event"
	bootsMixed    = "clip: parts of two boots mixed"
)

// footage is the truth about one clip.
type footage struct {
	camera *camera
	boot   [16]byte
	event  uint64
	head   []byte     // that all parts begin with
	parts  []*message // in their order; all leave the camera
}

// partsEach is how many parts a clip has, and partLength how long each lasts.
const (
	partsEach  = 3
	partLength = time.Second
)

// clip seals a clip of an event whose snapshot leaves at the time at.
func (l *life) clip(at time.Duration) error {
	f := &footage{camera: l.camera, event: l.event, head: slices.Concat(mp4Box("ftyp", "iso5"), mp4Box("moov", fmt.Sprintf("boot %d", l.boot)))}
	for i := range uint32(partsEach) {
		l.seq++
		l.footage = f
		m := seal.Meta{Stream: seal.Durable, Kind: seal.KindClip, Event: f.event, Part: i, Last: i+1 == partsEach}
		if err := l.add(at+time.Duration(2+i)*partLength, m); err != nil {
			return err
		}
		got := l.camera.days[len(l.camera.days)-1]
		got.clip, got.part = f, i
		f.parts = append(f.parts, got)
	}
	f.boot = l.bootID()
	l.camera.clips = append(l.camera.clips, f)
	return nil
}

// mp4Box returns a box with content, as ISO/IEC 14496-12 has them.
func mp4Box(kind, content string) []byte {
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(content))), []byte(kind), []byte(content))
}

// fragment returns the body of a part whose picture is text.
func fragment(text []byte) []byte {
	return slices.Concat(mp4Box("moof", ""), mp4Box("mdat", string(text)))
}

// film is what the parts of f make that have come, in their order.
func (f *footage) film(come func(*message) bool) (film []byte, missing []uint32, whole bool) {
	var gap []uint32
	for _, m := range f.parts {
		if !come(m) {
			gap = append(gap, m.part)
			continue
		}
		if film == nil {
			film = bytes.Clone(f.head)
		}
		film = append(film, m.media[len(f.head):]...)
		missing, gap = append(missing, gap...), nil
	}
	return film, missing, film != nil && len(gap) == 0 && len(missing) == 0
}

// handling is what the relay does with one clip.
type handling struct {
	attack int    // honest, or the index of partDropped, clipCut or partReordered
	part   uint32 // dropped, or the first that is cut off
}

// Shares of the clips that the relay treats so, in hundredths.
const (
	droppedShare   = 10
	cutShare       = 10
	shuffledShare  = 10
	lookAfter      = 40 * time.Second // the clip's last part, while it is news
	partsReordered = 25 * time.Second // behind its last part
)

// handle decides what becomes of a clip.
func (p *planner) handle(f *footage) handling {
	switch n := p.r.IntN(100); {
	case n < droppedShare:
		return handling{attackNamed(partDropped), uint32(p.r.IntN(partsEach - 1))}
	case n < droppedShare+cutShare:
		return handling{attackNamed(clipCut), 1 + uint32(p.r.IntN(partsEach-1))}
	case n < droppedShare+cutShare+shuffledShare:
		return handling{attack: attackNamed(partReordered)}
	}
	return handling{attack: honest}
}

// forwardPart forwards a part as its clip is handled, and reports false if it is
// to be treated like any other message.
func (p *planner) forwardPart(m *message) bool {
	if p.isFirst(m) {
		return false
	}
	h, ok := p.clips[m.clip]
	if !ok {
		h = p.handle(m.clip)
		p.clips[m.clip] = h
	}
	last := m.clip.parts[partsEach-1].at
	switch h.attack {
	case attackNamed(partDropped):
		if m.part != h.part {
			p.events = append(p.events, event{at: m.at, m: m, attack: honest})
		}
	case attackNamed(clipCut):
		if m.part < h.part {
			p.events = append(p.events, event{at: m.at, m: m, attack: honest})
		}
	case attackNamed(partReordered): // the other way round
		p.events = append(p.events, event{at: last + partsReordered - time.Duration(m.part)*partLength, m: m, attack: h.attack})
	default:
		return false
	}
	return true
}

// looks plans when it is compared what the viewer says of its clips: once while
// a clip is news, and once in the end.
func (p *planner) looks(join time.Duration) {
	for _, c := range p.home.cameras {
		for _, f := range c.clips {
			if f.parts[0].at < join {
				continue
			}
			last, attack := f.parts[partsEach-1].at, honest
			if h, ok := p.clips[f]; ok {
				attack = h.attack
			}
			p.events = append(p.events, event{at: last + lookAfter, do: look, clip: f, attack: attack})
			if end := min(c.until, night) - time.Second; end > last+lookAfter {
				p.events = append(p.events, event{at: end, do: look, clip: f, attack: honest})
			}
		}
	}
}

// coming is the newest clip of the screen of which something was sent, nil for none.
func (p *planner) coming() *footage {
	for _, f := range slices.Backward(p.screen.clips) {
		if f.parts[0].at <= p.now {
			return f
		}
	}
	return nil
}

// partFor brings a part of one of c's clips into the one that is coming, if any
// is good for it.
func (p *planner) partFor(c *camera, good func(own, f *footage) bool) []byte {
	own := p.coming()
	if own == nil || c == nil {
		return nil
	}
	var list []*message
	for _, f := range c.clips {
		if f.parts[0].at > p.now {
			break
		}
		if f == own || !good(own, f) {
			continue
		}
		for _, m := range f.parts {
			if m.at <= p.now {
				list = append(list, m)
			}
		}
	}
	m := p.anyOf(list)
	if m != nil {
		p.clip = own
	}
	return m.bytesOrNil()
}

func anyClip(_, _ *footage) bool { return true }

func (p *planner) otherClip() []byte { return p.partFor(p.screen, anyClip) }

func (p *planner) otherCamerasClip() []byte { return p.partFor(p.other(p.home.cameras), anyClip) }

func (p *planner) otherHomesClip() []byte {
	h := p.w.homes[p.r.IntN(len(p.w.homes))]
	if h == p.home {
		return nil
	}
	return p.partFor(p.other(h.cameras), anyClip)
}

func (p *planner) olderClip() []byte {
	return p.partFor(p.screen, func(own, f *footage) bool { return f.boot == own.boot && f.event < own.event })
}

// twoBoots brings a part of the event of the same number, of the boot before.
func (p *planner) twoBoots() []byte {
	return p.partFor(p.screen, func(own, f *footage) bool { return f.boot != own.boot && f.event == own.event })
}

func (p *planner) doubledPart() []byte {
	own := p.coming()
	if own == nil {
		return nil
	}
	for _, m := range slices.Backward(p.delivered[p.screen]) {
		if m.clip == own {
			p.clip = own
			return m.sealed
		}
	}
	return nil
}

// renumber makes of a part another one of its clip, or its last one: in what is
// encrypted, under the camera's own signature, and as a camera of the thief's.
func (f *forger) renumber(m *message, p parts) error {
	if m.clip == nil {
		return nil
	}
	for _, change := range []func(*seal.Meta){func(c *seal.Meta) { c.Part++ }, func(c *seal.Meta) { c.Last = !c.Last }} {
		sealed, err := f.thief.sealAs(m, func(c *seal.Meta) {
			c.Kind, c.Media, c.Event, c.Part, c.Last = seal.KindClip, clipMedia, m.clip.event, m.part, m.part+1 == partsEach
			change(c)
		})
		if err != nil {
			return err
		}
		t, err := takeApart(sealed)
		if err != nil {
			return err
		}
		mixed := p
		mixed.body = t.body
		f.add(partChanged, m, mixed.bytes(), sealed)
	}
	return nil
}

const clipMedia = "video/mp4"
