package engine

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/sealcam/sealcam/uplink/ota"
)

// writeImage writes the image at path, which is r's and may be compressed by gzip,
// to a partition, and reads it back as far as the kernel does not remember it.
func writeImage(ctx context.Context, r ota.Release, path, device string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	room, err := out.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	whole := sha256.New()
	image, err := unpacked(io.TeeReader(&until{ctx, io.LimitReader(in, r.Size+1)}, whole))
	if err != nil {
		return fmt.Errorf("%s: %w", r.Path, err)
	}
	wrote := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, wrote), io.LimitReader(image, room))
	if err != nil {
		return fmt.Errorf("writing %s: %w", device, err)
	}
	if over, _ := io.CopyN(io.Discard, image, 1); over > 0 {
		return fmt.Errorf("%s: unpacked it is larger than %s, which has %d bytes", r.Path, device, room)
	}
	if [32]byte(whole.Sum(nil)) != r.SHA256 {
		return fmt.Errorf("%s: it is not what was signed", path)
	}
	if err := out.Sync(); err != nil {
		return err
	}
	kept := sha256.New()
	if _, err := io.Copy(kept, io.NewSectionReader(out, 0, n)); err != nil {
		return err
	}
	if !bytes.Equal(kept.Sum(nil), wrote.Sum(nil)) {
		return fmt.Errorf("%s does not keep what is written to it", device)
	}
	return nil
}

// unpacked returns what r holds, unpacked if it is packed.
func unpacked(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if head, err := b.Peek(2); err != nil || !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, err
	}
	return z, nil
}

// until ends a reading with ctx.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
