package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/mjpeg"
)

// dir is a directory of single frames, in the order of their names: JPEGs as
// they are, PNG and BMP decoded to grey, which is how the sets that motion
// detection is measured on come.
type dir struct {
	root  *os.Root
	names []string
	opt   Options
	n     int
	buf   []byte
	grey  *image.Gray
}

// maxNames bounds the files of a directory.
const maxNames = 1 << 20

func openDir(name string, opt Options) (*dir, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	d := &dir{root: root, opt: opt}
	entries, err := os.ReadDir(name) // sorted
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	for _, e := range entries {
		// Opening a FIFO would wait for its writer.
		if kind(e.Name()) != "" && e.Type().IsRegular() && len(d.names) < maxNames {
			d.names = append(d.names, e.Name())
		}
	}
	if len(d.names) == 0 {
		_ = root.Close()
		return nil, &capture.SourceError{Err: fmt.Errorf("%w: the directory has no .jpg, .png or .bmp", capture.ErrNoFormat)}
	}
	return d, nil
}

// kind tells by its name how to read a file, "" for not at all.
func kind(name string) string {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".jpg", ".jpeg":
		return ".jpg"
	case ".png", ".bmp":
		return ext
	}
	return ""
}

func (d *dir) next(_ context.Context, f *capture.Frame) error {
	if d.n == len(d.names) {
		return io.EOF
	}
	name := d.names[d.n]
	f.Mono = after(uint64(d.n), d.opt.Rate)
	d.n++
	if err := d.load(name); err != nil {
		return &capture.BadFrame{Reason: "file", Err: err}
	}
	var decode func([]byte, *image.Gray) (*image.Gray, error)
	switch kind(name) {
	case ".jpg":
		h, err := mjpeg.Scan(d.buf)
		if err != nil {
			return &capture.BadFrame{Reason: string(err.(mjpeg.Error)), Err: fmt.Errorf("%s: %w", name, err)}
		}
		f.Data = d.buf
		f.Format = capture.Format{Pixel: capture.MJPEG, Width: h.Width, Height: h.Height, Rate: d.opt.Rate}
		return nil
	case ".png":
		decode = decodePNG
	case ".bmp":
		decode = decodeBMP
	}
	g, err := decode(d.buf, d.grey)
	if err != nil {
		return &capture.BadFrame{Reason: "header", Err: fmt.Errorf("%s: %w", name, err)}
	}
	d.grey = g
	f.Data = g.Pix
	f.Format = capture.Format{Pixel: capture.Grey, Width: g.Rect.Dx(), Height: g.Rect.Dy(), Stride: g.Stride, Rate: d.opt.Rate}
	return nil
}

// load reads a file into buf.
func (d *dir) load(name string) error {
	file, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	b := bytes.NewBuffer(d.buf[:0])
	n, err := b.ReadFrom(io.LimitReader(file, int64(d.opt.MaxFrame)+1))
	d.buf = b.Bytes()
	if err == nil && n > int64(d.opt.MaxFrame) {
		err = fmt.Errorf("%s is larger than %d bytes", name, d.opt.MaxFrame)
	}
	return err
}

func (d *dir) rewind() error {
	d.n = 0
	return nil
}

func (d *dir) rate() float64 { return 0 }
func (d *dir) close() error  { return d.root.Close() }

var errTooLarge = errors.New("more pixels than are ever decoded")

// decodePNG decodes into g if that has the right size.
func decodePNG(b []byte, g *image.Gray) (*image.Gray, error) {
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if int64(c.Width)*int64(c.Height) > capture.MaxPixels {
		return nil, errTooLarge
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	g = sized(g, c.Width, c.Height)
	draw.Draw(g, g.Rect, m, m.Bounds().Min, draw.Src)
	return g, nil
}

// sized returns g, or a new one if g has another size.
func sized(g *image.Gray, w, h int) *image.Gray {
	if r := image.Rect(0, 0, w, h); g == nil || g.Rect != r {
		return image.NewGray(r)
	}
	return g
}
