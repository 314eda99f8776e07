package tuf

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// part is a file that has not arrived as a whole. Beside it stands how much of it
// is durable: after a power cut a file may be longer than what was written to it
// for certain.
type part struct {
	target Target
	store  store
	file   *os.File
	digest digest // of what is in the file
	size   int64  // of what is in the file
	have          // what is written beside it
}

// have is what is kept beside a part.
type have struct {
	Tag   string `json:"tag"`   // of the file at its server
	Bytes int64  `json:"bytes"` // that are durable
}

func (h *have) parse(data []byte, size int64) error {
	if err := json.Unmarshal(data, h); err != nil {
		return err
	}
	if h.Bytes < 0 || h.Bytes > size || len(h.Tag) > maxTag || strings.ContainsFunc(h.Tag, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("not what was written")
	}
	return nil
}

// openPart opens what there is of t, and hashes it. What there is room for is
// looked at first.
func (c *Client) openPart(ctx context.Context, t Target) (*part, error) {
	p := &part{target: t, store: c.download, digest: newDigest()}
	data, err := c.download.read(t.Hash()+".have", 1<<10)
	if err != nil || p.parse(data, t.Size) != nil {
		p.have = have{}
	}
	if free, ok := freeSpace(string(c.download)); ok && free-(t.Size-p.Bytes) < c.limits.Spare {
		return nil, refuse(t.Path, ErrSpace, "%d kB more are needed", (t.Size-p.Bytes+c.limits.Spare-free+1023)/1024)
	}
	p.file, err = os.OpenFile(filepath.Join(string(c.download), t.Hash()+".part"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, p.failed(err)
	}
	if info, err := p.file.Stat(); err != nil || info.Size() < p.Bytes {
		p.have = have{}
	}
	if p.digest, err = c.hashFile(ctx, p.file.Name(), p.Bytes); err == nil {
		err = p.cut(p.Bytes)
	}
	if err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// cut shortens the file to what is hashed.
func (p *part) cut(size int64) error {
	p.size = size
	err := p.file.Truncate(size)
	if err == nil {
		_, err = p.file.Seek(size, io.SeekStart)
	}
	return p.failed(err)
}

// restart begins anew with what the server has under another tag. A server that
// continues elsewhere than it was asked to is not used.
func (p *part) restart(from int64, tag string) error {
	if from != 0 {
		return refuse(p.target.Path, ErrUnreachable, "the server goes on at byte %d instead of %d", from, p.size)
	}
	p.digest, p.have = newDigest(), have{Tag: tag}
	return p.cut(0)
}

func (p *part) write(b []byte) error {
	n, err := p.file.Write(b)
	p.digest.Write(b[:n])
	p.size += int64(n)
	if err == nil && p.size-p.Bytes >= synced {
		return p.save()
	}
	return p.failed(err)
}

// save makes what has arrived durable, and then says so beside it.
func (p *part) save() error {
	if p.Bytes == p.size {
		return nil
	}
	if err := p.file.Sync(); err != nil {
		return p.failed(err)
	}
	p.Bytes = p.size
	data, err := json.Marshal(p.have)
	if err != nil {
		return p.failed(err)
	}
	return p.store.write(p.target.Hash()+".have", data)
}

func (p *part) Close() error { return p.file.Close() }

func (p *part) failed(err error) error {
	if err == nil {
		return nil
	}
	return &Error{What: p.target.Path, Reason: ErrStore, Err: err}
}

// tidy removes what is left of other files than t.
func (c *Client) tidy(t Target) error {
	files, err := os.ReadDir(string(c.download))
	if err != nil {
		return &Error{What: t.Path, Reason: ErrStore, Err: err}
	}
	for _, f := range files {
		if f.Name() == heldOff || strings.HasPrefix(f.Name(), t.Hash()) {
			continue
		}
		if err := c.download.remove(f.Name()); err != nil {
			return err
		}
	}
	return nil
}

// heldOff is the file that says what was wrong.
const heldOff = "wrong"

// held is a target whose file was wrong: it is tried again after some more calls,
// and after twice as many when it was wrong again. Calls are counted and not time,
// for a camera may have no clock.
type held struct {
	Hash  string `json:"hash"`
	Times int    `json:"times"` // that it was wrong
	Wait  int    `json:"wait"`  // calls that are still refused
}

// maxWait bounds for how many calls a wrong target is not tried.
const maxWait = 64

// mayTry refuses t while it is held off.
func (c *Client) mayTry(t Target) error {
	h := c.held(t)
	if h.Wait < 1 {
		return nil
	}
	h.Wait--
	if err := c.hold(h); err != nil {
		return err
	}
	return refuse(t.Path, ErrHeldOff, "%d times; it is tried again after %d more checks", h.Times, h.Wait)
}

// held returns what is kept of t; of another target nothing is.
func (c *Client) held(t Target) held {
	var h held
	data, err := c.download.read(heldOff, 1<<10)
	if err != nil || json.Unmarshal(data, &h) != nil || h.Hash != t.Hash() {
		return held{Hash: t.Hash()}
	}
	h.Times, h.Wait = min(max(h.Times, 0), 1<<20), min(max(h.Wait, 0), maxWait)
	return h
}

func (c *Client) hold(h held) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return c.download.write(heldOff, data)
}

// wrong removes what has arrived, and holds it off.
func (c *Client) wrong(p *part) error {
	h := c.held(p.target)
	h.Wait = min(1<<min(h.Times, 6), maxWait)
	h.Times++
	p.Close()
	err := errors.Join(c.hold(h), p.store.remove(p.target.Hash()+".have"), p.store.remove(p.target.Hash()+".part"))
	if err != nil {
		return err
	}
	return refuse(p.target.Path, ErrHash, "for the %d. time; it was removed", h.Times)
}
