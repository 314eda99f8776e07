package model

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Model is a network that is ready to look. One goroutine uses it at a time.
type Model struct {
	hash  [sha256.Size]byte
	steps []step
	in    *tensor
	out   []*tensor
	read  reading
	takes Range // of a float32 input
	info  Info
}

// Info is what a person may want to know of a model before trusting it with a
// small processor.
type Info struct {
	Hash      [sha256.Size]byte // of the file
	Detector  bool              // it says where things are, not only what the picture shows
	Width     int               // of the picture it takes
	Height    int
	Channels  int // 3: red, green, blue; 1: grey
	Type      Type
	Classes   int
	Labels    []string // from the file itself; nil if it has none
	Operators []Count  // in the order in which they first come
	Memory    int64    // bytes: weights and working memory
	Adds      int64    // multiply-adds of weights in one look
}

// Count is how often an operator occurs.
type Count struct {
	Name string
	N    int
	Adds int64 // multiply-adds of weights
}

// New reads a model file. Its error says what is wrong with it: an operator that
// is not supported by its name. The Model keeps nothing of file.
func New(file []byte) (*Model, error) {
	g, err := parse(file)
	if err != nil {
		return nil, err
	}
	b := &builder{g: g}
	if err := b.build(); err != nil {
		return nil, err
	}
	m := &Model{hash: sha256.Sum256(file), steps: b.steps, in: g.in[0], out: g.out}
	if err := m.interpret(g); err != nil {
		return nil, err
	}
	m.info.Hash, m.info.Memory, m.info.Type = m.hash, b.memory, m.in.kind
	m.info.Labels = packedLabels(file)
	m.count()
	for i := range g.tensors { // let go of the file
		t := &g.tensors[i]
		t.raw, t.scales.f, t.zeros.f = nil, nil, nil
	}
	return m, nil
}

func (m *Model) count() {
	at := map[string]int{}
	for _, s := range m.steps {
		i, ok := at[s.name]
		if !ok {
			i = len(m.info.Operators)
			at[s.name] = i
			m.info.Operators = append(m.info.Operators, Count{Name: s.name})
		}
		c := &m.info.Operators[i]
		c.N, c.Adds = c.N+1, c.Adds+s.adds
		m.info.Adds += s.adds
	}
}

// Info returns what the file says of the model.
func (m *Model) Info() Info { return m.info }

// Run calculates the outputs from the input. It gives up between two operators
// when ctx has ended, and allocates nothing.
func (m *Model) Run(ctx context.Context) error {
	for i := range m.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.steps[i].run()
	}
	return nil
}

// reading is how the outputs are to be understood.
type reading struct {
	scores                       *tensor // of a classifier
	boxes, classes, values, many *tensor // of a detector
}

var errReading = errors.New("it is neither a classifier, whose one output comes from SOFTMAX or LOGISTIC, nor a detector, whose outputs come from " + detector)

// interpret finds out what the model is.
func (m *Model) interpret(g *graph) error {
	in := m.in
	if len(in.shape) != 4 || in.shape[0] != 1 || in.shape[3] != 1 && in.shape[3] != 3 || in.shape[1] > 4096 || in.shape[2] > 4096 {
		return fmt.Errorf("its input has the shape %v: a picture of 1 or 3 channels is supported, [1 height width channels]", in.shape)
	}
	if err := in.numbers(); err != nil {
		return fmt.Errorf("its input: %w", err)
	}
	m.takes = defaultRange
	for i := range g.nodes {
		if n := &g.nodes[i]; n.name == "QUANTIZE" && n.in[0] == in && in.kind == Float32 { // its integers say which reals come
			q := n.out[0]
			m.takes = Range{q.scale * float32(-128-q.zero), q.scale * float32(127-q.zero)}
		}
	}
	m.info.Height, m.info.Width, m.info.Channels = in.shape[1], in.shape[2], in.shape[3]
	for i := range g.nodes {
		if n := &g.nodes[i]; n.code == custom {
			m.read = reading{boxes: n.out[0], classes: n.out[1], values: n.out[2], many: n.out[3]}
			m.info.Detector = true
			m.info.Classes = int(flexClasses(n.custom))
			for _, t := range n.out {
				if !contains(g.out, t) {
					return errReading
				}
			}
			return nil
		}
	}
	return m.classifier(g)
}

func contains(list []*tensor, t *tensor) bool {
	for _, o := range list {
		if o == t {
			return true
		}
	}
	return false
}

// flexClasses returns how many classes a detector knows; its options have been read before.
func flexClasses(options []byte) float64 {
	o, _ := flexMap(options)
	return o["num_classes"]
}

// classifier wants one output of probabilities.
func (m *Model) classifier(g *graph) error {
	if len(g.out) != 1 {
		return errReading
	}
	from := g.out[0]
	for i := len(g.nodes) - 1; i >= 0; i-- {
		n := &g.nodes[i]
		if len(n.out) == 0 || n.out[0] != from {
			continue
		}
		switch n.name {
		case "SOFTMAX", "LOGISTIC":
			m.read.scores, m.info.Classes = g.out[0], g.out[0].n
			return nil
		case "RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE":
			from = n.in[0]
		default:
			return errReading
		}
	}
	return errReading
}
