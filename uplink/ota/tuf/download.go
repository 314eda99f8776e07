package tuf

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// block is how much is read at a time: what a camera reads before it looks
// whether there is something more important to do.
const block = 16 << 10

// synced is after how many bytes a growing file is made durable.
const synced = 1 << 20

// digest hashes a file as its Target demands.
type digest struct{ a, b hash.Hash }

func newDigest() digest { return digest{sha256.New(), sha512.New()} }

func (d digest) Write(p []byte) (int, error) {
	d.a.Write(p)
	d.b.Write(p)
	return len(p), nil
}

func (d digest) is(want digests) bool {
	return (want.sha256 == nil || string(d.a.Sum(nil)) == string(want.sha256)) &&
		(want.sha512 == nil || string(d.b.Sum(nil)) == string(want.sha512))
}

// Download brings the file of a target, and returns its path once it has the
// signed length and hash and is durable. What an earlier call left is continued. It
// tries again by itself for as long as the file grows. The file is the caller's to
// remove.
func (c *Client) Download(ctx context.Context, t Target) (string, error) {
	if c.trusted == nil {
		return "", refuse(t.Path, ErrAbsent, "there was no check that ended well")
	}
	if t.hashes.sha256 == nil && t.hashes.sha512 == nil {
		return "", refuse(t.Path, ErrHash, "it is signed by hashes that are not known here")
	}
	if err := c.tidy(t); err != nil {
		return "", err
	}
	if path, ok := c.finished(ctx, t); ok {
		return path, nil
	}
	if err := c.mayTry(t); err != nil {
		return "", err
	}
	p, err := c.openPart(ctx, t)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if err := c.bring(ctx, p); err != nil {
		return "", err
	}
	return c.finish(ctx, p)
}

// bring fills p, over as many connections as it takes.
func (c *Client) bring(ctx context.Context, p *part) error {
	pause, reached := time.Second, p.size
	for failed := 0; p.size < p.target.Size; {
		err := c.transfer(ctx, p)
		if saved := p.save(); saved != nil {
			return saved
		}
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrSlow) {
			if err != nil {
				return err
			}
			continue
		}
		// A few bytes now and then are no progress, nor is what was there before.
		if p.size-reached >= c.limits.Due {
			failed, pause, reached = 0, time.Second, p.size
		}
		if failed++; failed >= c.limits.Tries {
			return err
		}
		c.log.Debug("download is continued", "file", p.target.Path, "have", p.size, "of", p.target.Size, "after", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
	}
	return nil
}

// transfer adds to p what one connection brings.
func (c *Client) transfer(ctx context.Context, p *part) error {
	t := p.target
	ctx, pace := newPace(ctx, t.Path, c.limits)
	defer pace.stop()
	body, err := c.conf.Targets.Open(ctx, c.trusted.root.filePath(t), p.size, p.Tag)
	if err != nil {
		return because(ctx, err)
	}
	defer body.Close()
	if body.Size >= 0 && body.Size != t.Size {
		return refuse(t.Path, ErrLength, "%d bytes, and %d are signed", body.Size, t.Size)
	}
	if p.size == 0 || body.From != p.size {
		if err := p.restart(body.From, body.Tag); err != nil {
			return err
		}
	}
	buf := make([]byte, block)
	from := counted{body, pace}
	for p.size < t.Size {
		n, err := io.ReadFull(from, buf[:min(block, t.Size-p.size)])
		goOn := pace.rest()
		if err := p.write(buf[:n]); err != nil {
			return err
		}
		if err != nil {
			return because(ctx, &Error{What: t.Path, Reason: ErrUnreachable, Err: err})
		}
		if err := c.yield(ctx); err != nil {
			return err
		}
		goOn()
	}
	return nil
}

func (c *Client) yield(ctx context.Context) error {
	if c.conf.Yield == nil {
		return ctx.Err()
	}
	return c.conf.Yield(ctx)
}

// finish makes the file of p durable under its own name, if it is what was signed:
// by what was received, and by what the disk gives back.
func (c *Client) finish(ctx context.Context, p *part) (string, error) {
	good := p.digest.is(p.target.hashes)
	if good {
		if err := p.save(); err != nil {
			return "", err
		}
		again, err := c.hashFile(ctx, p.file.Name(), p.target.Size)
		if err != nil {
			return "", err
		}
		good = again.is(p.target.hashes)
	}
	if !good {
		return "", c.wrong(p)
	}
	path := filepath.Join(string(c.download), p.target.Hash())
	err := p.Close()
	if err == nil {
		err = os.Rename(p.file.Name(), path)
	}
	if err == nil {
		err = c.download.sync()
	}
	if err != nil {
		return "", &Error{What: p.target.Path, Reason: ErrStore, Err: err}
	}
	return path, errors.Join(c.download.remove(p.target.Hash()+".have"), c.download.remove(heldOff))
}

// finished returns the file of t if an earlier call has brought it.
func (c *Client) finished(ctx context.Context, t Target) (string, bool) {
	path := filepath.Join(string(c.download), t.Hash())
	info, err := os.Stat(path)
	if err != nil || info.Size() != t.Size {
		return "", false
	}
	d, err := c.hashFile(ctx, path, t.Size)
	return path, err == nil && d.is(t.hashes)
}

// hashFile hashes the first size bytes of a file, and yields like a download does.
func (c *Client) hashFile(ctx context.Context, path string, size int64) (digest, error) {
	d := newDigest()
	f, err := os.Open(path)
	if err != nil {
		return d, &Error{What: filepath.Base(path), Reason: ErrStore, Err: err}
	}
	defer f.Close()
	for left := size; left > 0; left -= block {
		if _, err := io.CopyN(d, f, min(block, left)); err != nil {
			return d, &Error{What: filepath.Base(path), Reason: ErrStore, Err: err}
		}
		if err := c.yield(ctx); err != nil {
			return d, err
		}
	}
	return d, nil
}
