package model

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// detections is TFLite_Detection_PostProcess, the end of an SSD detector: it
// places the boxes that the network gave relative to anchors, and keeps the best
// of those that lie on each other
// (tensorflow/lite/kernels/detection_postprocess.cc).
type detections struct {
	boxes, scores, anchors    *tensor
	outBoxes, classes, values *tensor
	count                     *tensor

	n, coded, columns, labels int // anchors, numbers of a box, scores of an anchor, classes of which
	most                      int // detections
	each                      int // classes of an anchor that count, fast way
	perClass                  int // detections of a class, regular way
	regular                   bool
	least, overlap            float32
	scale                     [4]float32 // y x h w

	placed  []float32 // boxes: top, left, bottom, right
	found   []candidate
	chosen  []candidate
	picks   []candidate // of all classes, regular way
	classOf []candidate // of one anchor
}

// candidate is a box that may be an object.
type candidate struct {
	score  float32
	anchor int
	class  int
}

// better sorts candidates by score, and equal ones as they came.
func better(a, b candidate) int {
	if c := cmp.Compare(b.score, a.score); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.anchor, b.anchor), cmp.Compare(a.class, b.class))
}

// shapeDetection sets the shapes of what n gives.
func shapeDetection(n *node) error {
	if len(n.out) != 4 || slices.Contains(n.out, nil) {
		return fmt.Errorf("gives %d tensors, not 4", len(n.out))
	}
	o, err := flexMap(n.custom)
	if err != nil {
		return err
	}
	most, each := o["max_detections"], o["max_classes_per_detection"]
	if !(most >= 1 && most <= 1000 && each >= 1 && each <= 100) {
		return fmt.Errorf("max_detections %g, max_classes_per_detection %g", most, each)
	}
	count := int(most) * int(each)
	if o["use_regular_nms"] != 0 {
		count = int(most)
	}
	for i, shape := range [][]int{{1, count, 4}, {1, count}, {1, count}, {1}} {
		t := n.out[i]
		if t.constant() || t.kind != Float32 {
			return errors.New("gives constants, or no float32")
		}
		t.shape, t.n = shape, product(shape)
	}
	return nil
}

func makeDetection(b *builder, n *node) (step, error) {
	if err := n.wants(3, 4); err != nil {
		return step{}, err
	}
	o, err := flexMap(n.custom)
	if err != nil {
		return step{}, err
	}
	d := &detections{boxes: n.in[0], scores: n.in[1], anchors: n.in[2], outBoxes: n.out[0], classes: n.out[1], values: n.out[2], count: n.out[3]}
	for _, t := range n.in[:3] {
		if err := t.numbers(); err != nil {
			return step{}, err
		}
		if t.kind == Int8 || t == d.anchors && t.kind != d.boxes.kind {
			return step{}, fmt.Errorf("anchors of %s and boxes of %s are not supported", d.anchors.kind, d.boxes.kind)
		}
	}
	if err := b.load(n.in[:3]...); err != nil {
		return step{}, err
	}
	if err := d.options(o); err != nil {
		return step{}, err
	}
	d.n, d.coded, d.columns = d.boxes.dim(1), d.boxes.dim(0), d.scores.dim(0)
	if d.coded < 4 || d.boxes.n != d.n*d.coded || d.scores.dim(1) != d.n || d.scores.n != d.n*d.columns ||
		d.anchors.n != 4*d.n || d.labels < 1 || d.columns-d.labels < 0 || d.columns-d.labels > 1 || d.each > d.labels {
		return step{}, fmt.Errorf("boxes %v, scores %v and anchors %v of %d classes", d.boxes.shape, d.scores.shape, d.anchors.shape, d.labels)
	}
	kept := int64(d.n + d.most)
	if err := b.take(16*int64(d.n) + 16*(kept+2*int64(d.most)+int64(d.perClass)+int64(d.labels))); err != nil {
		return step{}, err
	}
	d.placed = make([]float32, 4*d.n)
	d.found, d.chosen = make([]candidate, 0, d.n), make([]candidate, 0, max(d.most, d.perClass))
	d.picks, d.classOf = make([]candidate, 0, d.most+d.perClass), make([]candidate, 0, d.labels)
	s := step{run: d.run, work: int64(d.n) * (int64(d.columns)*8 + 64 + 16*int64(d.most))}
	if d.regular {
		s.work = int64(d.n) * int64(d.labels) * (64 + 16*int64(d.perClass))
	}
	return s, nil
}

func (d *detections) options(o map[string]float64) error {
	d.most, d.each, d.labels = int(o["max_detections"]), int(o["max_classes_per_detection"]), int(min(o["num_classes"], 1<<16))
	d.least, d.overlap = float32(o["nms_score_threshold"]), float32(o["nms_iou_threshold"])
	d.regular, d.perClass = o["use_regular_nms"] != 0, 100
	if v, ok := o["detections_per_class"]; ok {
		d.perClass = int(max(0, min(v, 1000)))
	}
	d.perClass = min(d.perClass, 1000)
	if d.regular && d.perClass < 1 || !(d.overlap > 0 && d.overlap <= 1) {
		return fmt.Errorf("detections_per_class %d, nms_iou_threshold %g", d.perClass, d.overlap)
	}
	for i, key := range []string{"y_scale", "x_scale", "h_scale", "w_scale"} {
		if d.scale[i] = float32(o[key]); !(d.scale[i] > 0 && d.scale[i] < 1e6) {
			return fmt.Errorf("%s is %g", key, d.scale[i])
		}
	}
	return nil
}

func (d *detections) run() {
	d.place()
	clear(d.outBoxes.f)
	clear(d.classes.f)
	clear(d.values.f)
	n := 0
	if d.regular {
		n = d.byClass()
	} else {
		n = d.fast()
	}
	d.count.f[0] = float32(n)
}

// place makes corners of the coded boxes.
func (d *detections) place() {
	for i := range d.n {
		c, a := i*d.coded, 4*i
		height, width := d.anchors.real(a+2), d.anchors.real(a+3)
		y := float32(d.boxes.real(c)/d.scale[0]*height) + d.anchors.real(a)
		x := float32(d.boxes.real(c+1)/d.scale[1]*width) + d.anchors.real(a+1)
		h := float32(0.5 * float32(exp(float64(d.boxes.real(c+2)/d.scale[2]))) * height)
		w := float32(0.5 * float32(exp(float64(d.boxes.real(c+3)/d.scale[3]))) * width)
		p := d.placed[4*i : 4*i+4]
		p[0], p[1], p[2], p[3] = y-h, x-w, y+h, x+w
	}
}

// score returns that of a class, the background left out.
func (d *detections) score(anchor, class int) float32 {
	return d.scores.real(anchor*d.columns + d.columns - d.labels + class)
}

// fast keeps boxes by the score of their best class, whatever that is.
func (d *detections) fast() int {
	d.found = d.found[:0]
	for i := range d.n {
		top := candidate{score: d.score(i, 0), anchor: i}
		for class := 1; class < d.labels; class++ {
			if s := d.score(i, class); s > top.score {
				top.score, top.class = s, class
			}
		}
		if top.score >= d.least {
			d.found = append(d.found, top)
		}
	}
	d.choose(d.most)
	for k, c := range d.chosen {
		d.classOf = d.classOf[:0]
		for class := range d.labels {
			d.classOf = append(d.classOf, candidate{d.score(c.anchor, class), 0, class})
		}
		slices.SortFunc(d.classOf, better)
		for e := range d.each {
			at := k*d.each + e
			copy(d.outBoxes.f[4*at:4*at+4], d.placed[4*c.anchor:])
			d.classes.f[at], d.values.f[at] = float32(d.classOf[e].class), d.classOf[e].score
		}
	}
	return len(d.chosen) * d.each
}

// byClass keeps the best boxes of each class, and of those the best of all.
func (d *detections) byClass() int {
	d.picks = d.picks[:0]
	for class := range d.labels {
		d.found = d.found[:0]
		for i := range d.n {
			if s := d.score(i, class); s >= d.least {
				d.found = append(d.found, candidate{s, i, class})
			}
		}
		d.choose(d.perClass)
		d.picks = append(d.picks, d.chosen...)
		slices.SortStableFunc(d.picks, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
		d.picks = d.picks[:min(len(d.picks), d.most)]
	}
	for k, c := range d.picks {
		copy(d.outBoxes.f[4*k:4*k+4], d.placed[4*c.anchor:])
		d.classes.f[k], d.values.f[k] = float32(c.class), c.score
	}
	return len(d.picks)
}

// choose keeps up to most of what was found, the best first, and none that lies
// on a better one.
func (d *detections) choose(most int) {
	slices.SortFunc(d.found, better)
	d.chosen = d.chosen[:0]
	for _, c := range d.found {
		if len(d.chosen) == most {
			return
		}
		if !slices.ContainsFunc(d.chosen, func(o candidate) bool { return d.overlaps(c.anchor, o.anchor) > d.overlap }) {
			d.chosen = append(d.chosen, c)
		}
	}
}

// overlaps returns the shared area of two boxes over that of both.
func (d *detections) overlaps(i, j int) float32 {
	a, b := d.placed[4*i:4*i+4], d.placed[4*j:4*j+4]
	areaA, areaB := float32((a[2]-a[0])*(a[3]-a[1])), float32((b[2]-b[0])*(b[3]-b[1]))
	if !(areaA > 0 && areaB > 0) {
		return 0
	}
	h, w := min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
	shared := float32(max(0, h) * max(0, w))
	return shared / (areaA + areaB - shared)
}
