// Package naming takes the second look at what moved: it shows the picture of an
// event to a model file in this process, or to a detector process behind a
// socket (DETECTOR.md), and returns what it shows by name. It also says which
// events a household wants to hear of.
//
// A look is bounded in time, and its failure is never the end of an event: who
// calls it sends the picture without names.
//
// What this package does not do: it decides nothing about motion, seals nothing,
// and starts no goroutine.
package naming

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/boards/toml"
	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/model"
	"github.com/sealcam/sealcam/encode"
)

// Settings is [model] of sealcamd's file.
type Settings struct {
	File      string        `toml:"file"`
	Labels    string        `toml:"labels"`
	Range     []float64     `toml:"range"`
	Threshold float64       `toml:"threshold"`
	Only      []string      `toml:"only"`
	Socket    string        `toml:"socket"`
	Wait      toml.Duration `toml:"wait"`
}

// Defaults returns the settings of a camera that names nothing.
func Defaults() Settings {
	return Settings{Range: []float64{}, Only: []string{}, Threshold: 0.5, Wait: toml.Duration{Duration: 2 * time.Second}}
}

// Enabled says whether anything is to be looked at.
func (s Settings) Enabled() bool { return s.File != "" || s.Socket != "" }

// Validate returns the key that makes no sense and what was expected; "" if all do.
func (s Settings) Validate() (key, expected string) {
	switch {
	case !(s.Threshold > 0 && s.Threshold <= 1):
		return "model.threshold", fmt.Sprintf("expected more than 0 and at most 1, found %g", s.Threshold)
	case s.Wait.Duration < 50*time.Millisecond || s.Wait.Duration > 30*time.Second:
		return "model.wait", fmt.Sprintf(`expected "50ms" to "30s", found %q`, s.Wait)
	case len(s.Range) != 0 && (len(s.Range) != 2 || s.Range[0] == s.Range[1] || max(s.Range[0], s.Range[1]) > 1e6 || min(s.Range[0], s.Range[1]) < -1e6):
		return "model.range", "expected the numbers for black and white, as in [-1.0, 1.0]"
	case len(s.Only) > 64 || slices.Contains(s.Only, ""):
		return "model.only", "expected up to 64 labels"
	case len(s.Only) > 0 && !s.Enabled():
		return "model.only", "expected model.file or model.socket with it: without a look there are no labels"
	case s.Labels != "" && s.File == "":
		return "model.labels", "expected model.file with it"
	}
	return "", ""
}

// Answer is what a look found.
type Answer struct {
	Things []encode.Thing // the surest first
	Model  [sha256.Size]byte
}

// Namer names what pictures show. One goroutine uses it at a time.
type Namer struct {
	settings Settings
	log      *slog.Logger
	model    *model.Model // nil for none
	labels   []string
	outside  *outside // nil for none
}

// most is how many boxes of an event are looked at.
const most = 3

// New reads the model file, refusing what cannot be run. The detector behind the
// socket need not be there yet. now is a clock for its back-off.
func New(s Settings, now func() time.Time, log *slog.Logger) (*Namer, error) {
	n := &Namer{settings: s, log: log}
	if s.Socket != "" {
		n.outside = &outside{path: s.Socket, now: now, log: log}
	}
	if s.File == "" {
		return n, nil
	}
	m, err := Load(s.File)
	if err != nil {
		return nil, err
	}
	n.model = m
	n.labels = m.Info().Labels
	if s.Labels != "" {
		text, err := readBounded(s.Labels, 1<<20)
		if err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		if n.labels, err = model.ParseLabels(text); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Labels, err)
		}
	}
	if n.labels, err = Fit(n.labels, m.Info().Classes); err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(s.Labels, s.File), err)
	}
	for _, only := range s.Only {
		if n.outside == nil && !slices.Contains(n.labels, only) {
			return nil, fmt.Errorf("model.only: %q is no label of the model; it has %s", only, some(n.labels))
		}
	}
	return n, nil
}

// Load reads a model file.
func Load(path string) (*model.Model, error) {
	file, err := readBounded(path, model.MaxFile)
	if err != nil {
		return nil, err
	}
	m, err := model.New(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d MiB", path, limit>>20)
	}
	return data, nil
}

// Fit wants a label for each class. Files for detectors often have one more in
// front, for the background; it is left out of what Fit returns.
func Fit(labels []string, classes int) ([]string, error) {
	switch len(labels) {
	case classes:
		return labels, nil
	case classes + 1:
		return labels[1:], nil
	case 0:
		return nil, fmt.Errorf("the model has %d classes and brings no labels: name a file of them in model.labels", classes)
	}
	return nil, fmt.Errorf("%d labels for the model's %d classes", len(labels), classes)
}

// some returns a few labels for an error.
func some(labels []string) string {
	labels = slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == "" })
	if len(labels) > 12 {
		return strings.Join(labels[:12], ", ") + fmt.Sprintf(" and %d more", len(labels)-12)
	}
	return strings.Join(labels, ", ")
}

// errNobody is the error of a look for which nobody was there.
var errNobody = errors.New("no detector answers")

// Look names what a JPEG picture shows, which is looked at around boxes, at most
// three of them, or as a whole if there are none. It takes no longer than
// model.wait, by a little.
func (n *Namer) Look(ctx context.Context, jpeg []byte, boxes []model.Area) (Answer, error) {
	ctx, done := context.WithTimeout(ctx, n.settings.Wait.Duration)
	defer done()
	if len(boxes) == 0 {
		boxes = []model.Area{{W: 1, H: 1}}
	}
	boxes = boxes[:min(len(boxes), most)]
	err := errNobody
	if n.outside != nil {
		var a Answer
		if a, err = n.outside.look(ctx, jpeg, boxes); err == nil {
			a.Things = n.choose(a.Things)
			return a, nil
		}
	}
	if n.model == nil {
		return Answer{}, err
	}
	p, err := model.NewPicture(&capture.Frame{Format: capture.Format{Pixel: capture.MJPEG}, Data: jpeg})
	if err != nil {
		return Answer{}, err
	}
	return n.LookAt(ctx, p, boxes)
}

// LookAt is Look by the model file alone, at a picture that is decoded already.
func (n *Namer) LookAt(ctx context.Context, p *model.Picture, boxes []model.Area) (Answer, error) {
	info := n.model.Info()
	a := Answer{Model: info.Hash}
	r := model.Range{}
	if len(n.settings.Range) == 2 {
		r = model.Range{Black: float32(n.settings.Range[0]), White: float32(n.settings.Range[1])}
	}
	for _, b := range boxes {
		found, err := n.model.Look(ctx, p, p.Around(b, max(info.Width, info.Height)), r, n.settings.Threshold)
		if err != nil {
			return Answer{}, err
		}
		for _, f := range found {
			box := f.Box
			if !info.Detector {
				box = b // what was looked at, without its margin
			}
			if f.Class >= 0 && f.Class < len(n.labels) {
				a.Things = append(a.Things, encode.Thing{Name: n.labels[f.Class], Score: f.Score, X: box.X, Y: box.Y, W: box.W, H: box.H})
			}
		}
	}
	a.Things = n.choose(a.Things)
	return a, nil
}

// choose leaves what has a name and is sure enough, the surest first, and the
// same thing in the same place once.
func (n *Namer) choose(things []encode.Thing) []encode.Thing {
	slices.SortStableFunc(things, func(a, b encode.Thing) int { return cmp.Compare(b.Score, a.Score) })
	var out []encode.Thing
	for _, t := range things {
		again := func(o encode.Thing) bool { return o.Name == t.Name && overlap(o, t) > 0.5 }
		if t.Name != "" && t.Score >= n.settings.Threshold && !slices.ContainsFunc(out, again) && len(out) < 16 {
			out = append(out, t)
		}
	}
	return out
}

// overlap returns the shared area of two boxes over that of the smaller one.
func overlap(a, b encode.Thing) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	least := min(a.W*a.H, b.W*b.H)
	if w <= 0 || h <= 0 || least <= 0 {
		return 0
	}
	return w * h / least
}

// Wanted says whether the household wants to hear of an event that a look has
// found these things in. Without model.only that is every event.
func (n *Namer) Wanted(things []encode.Thing) bool {
	return len(n.settings.Only) == 0 || slices.ContainsFunc(things, func(t encode.Thing) bool { return slices.Contains(n.settings.Only, t.Name) })
}

// Words says what names things, for logs and status.
func (n *Namer) Words() string {
	var words []string
	if n.outside != nil {
		words = append(words, "the detector at "+n.settings.Socket)
	}
	if n.model != nil {
		hash := n.model.Info().Hash
		words = append(words, n.settings.File+" (sha256 "+hex.EncodeToString(hash[:6])+")")
	}
	return strings.Join(words, ", else ")
}

// Close ends the connection to the detector.
func (n *Namer) Close() {
	if n != nil && n.outside != nil {
		n.outside.hangUp()
	}
}
