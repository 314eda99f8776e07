package main

import (
	"bufio"
	"fmt"
	"html"
	"math"
	"os"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
)

// chart gathers a trace for drawing, in bounded memory: when its columns are
// full, each two become one.
type chart struct {
	columns []slice
	width   time.Duration // of a column
	from    time.Duration
	started bool
	clock   time.Duration // at from; -1 unknown
	marks   []mark
	more    int // marks that found no place
	last    daynight.Action
	dark    float64 // brightness below which a day picture is of no use
}

// slice is what was seen in one stretch of time.
type slice struct {
	n          int
	low, high  float64 // brightness
	mean       float64 // sum of brightness
	exposure   float64 // sum of log10; NaN none
	exposures  int
	ambient    float64 // sum of log10
	ambients   int
	lamp       float64 // highest power
	light      capture.Light
	switching  bool
	different  bool
	filterOpen bool
}

// mark is one decision.
type mark struct {
	at     time.Duration
	action daynight.Action
}

const (
	chartColumns = 2400 // two for each point of the plot's width
	chartMarks   = 60
)

func (c *chart) add(s daynight.Replayed) {
	in := s.Input
	if !c.started {
		c.started, c.from, c.width, c.clock = true, in.At, 250*time.Millisecond, in.Clock
	}
	i := int((in.At - c.from) / c.width)
	for i >= chartColumns {
		c.halve()
		i = int((in.At - c.from) / c.width)
	}
	for len(c.columns) <= i {
		c.columns = append(c.columns, slice{low: 255, light: s.Now.Light})
	}
	k := &c.columns[i]
	k.n++
	k.low, k.high, k.mean = min(k.low, in.Scene.Level), max(k.high, in.Scene.Level), k.mean+in.Scene.Level
	if e := in.Exposure; e.Time > 0 || e.Gain > 0 {
		k.exposure += math.Log10(max(1e-9, max(e.Time.Seconds(), 1e-6)*max(e.Gain, 1)))
		k.exposures++
	}
	if in.HasAmbient {
		k.ambient += math.Log10(max(0.01, in.Ambient))
		k.ambients++
	}
	k.lamp = max(k.lamp, s.Now.Lamp)
	k.light, k.filterOpen = s.Now.Light, s.Now.Filter == daynight.FilterNight
	k.switching = k.switching || s.Now.Light == capture.LightSwitching
	k.different = k.different || !s.Same()
	if s.Now.Reason != c.last.Reason || s.Now.Light == capture.LightDay && c.last.Light != capture.LightDay {
		if len(c.marks) < chartMarks {
			c.marks = append(c.marks, mark{in.At, s.Now})
		} else {
			c.more++
		}
	}
	c.last = s.Now
}

// halve makes every two columns one.
func (c *chart) halve() {
	half := c.columns[:0]
	for i := 0; i < len(c.columns); i += 2 {
		k := c.columns[i]
		if i+1 < len(c.columns) {
			o := c.columns[i+1]
			k.n += o.n
			k.low, k.high, k.mean = min(k.low, o.low), max(k.high, o.high), k.mean+o.mean
			k.exposure, k.exposures = k.exposure+o.exposure, k.exposures+o.exposures
			k.ambient, k.ambients = k.ambient+o.ambient, k.ambients+o.ambients
			k.lamp = max(k.lamp, o.lamp)
			k.switching, k.different = k.switching || o.switching, k.different || o.different
			if o.n > 0 {
				k.light, k.filterOpen = o.light, o.filterOpen
			}
		}
		half = append(half, k)
	}
	c.columns, c.width = half, 2*c.width
}

// writePlot draws c into a file.
func writePlot(file string, c *chart) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	p := plot{w: bufio.NewWriter(f), c: c}
	p.draw()
	err = p.w.Flush()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// plot draws one chart as SVG.
type plot struct {
	w *bufio.Writer
	c *chart
}

const (
	plotLeft, plotWide = 64.0, 1100.0
	bandTop, bandHigh  = 44.0, 18.0
	lineHigh           = 18.0 // of text
)

func (p *plot) f(format string, a ...any) { fmt.Fprintf(p.w, format+"\n", a...) }

// x is where a column begins.
func (p *plot) x(i int) float64 {
	return plotLeft + plotWide*float64(i)/float64(max(1, len(p.c.columns)))
}

func (p *plot) at(t time.Duration) float64 {
	return plotLeft + plotWide*float64(t-p.c.from)/float64(time.Duration(max(1, len(p.c.columns)))*p.c.width)
}

func (p *plot) draw() {
	panels := p.panels()
	height := bandTop + bandHigh + 26
	for _, n := range panels {
		height += n.high + 22
	}
	bottom := height
	rows := len(p.c.marks)
	if p.c.more > 0 {
		rows++
	}
	height += 34 + lineHigh*float64(rows) + 16
	p.f(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12">`, plotLeft+plotWide+40, height, plotLeft+plotWide+40, height)
	p.f(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	p.f(`<text x="%.0f" y="24" font-size="16" fill="#1b1f24">Day and night: what was seen, what was decided</text>`, plotLeft)
	p.band()
	y := bandTop + bandHigh + 26.0
	for _, n := range panels {
		p.panel(n, y)
		y += n.high + 22
	}
	p.axis(bottom)
	p.decisions(bottom)
	p.f(`</svg>`)
}

// band shows the light by colour and word.
func (p *plot) band() {
	cols := p.c.columns
	for i := 0; i < len(cols); {
		j := i
		for j < len(cols) && state(cols[j]) == state(cols[i]) {
			j++
		}
		s := state(cols[i])
		x, w := p.x(i), p.x(j)-p.x(i)
		p.f(`<rect x="%.2f" y="%.0f" width="%.2f" height="%.0f" fill="%s"/>`, x, bandTop, max(w, 0.6), bandHigh, s.fill)
		if w > 7.5*float64(len(s.word)) {
			p.f(`<text x="%.1f" y="%.0f" text-anchor="middle" fill="%s">%s</text>`, x+w/2, bandTop+13, s.ink, s.word)
		}
		i = j
	}
	for i, k := range cols {
		if k.different {
			p.f(`<rect x="%.2f" y="%.0f" width="%.2f" height="4" fill="#c62828"/>`, p.x(i), bandTop-6, max(0.6, p.x(i+1)-p.x(i)))
		}
	}
}

type look struct{ word, fill, ink string }

func state(k slice) look {
	switch {
	case k.switching:
		return look{"switching", "#e58b1f", "#1b1f24"}
	case k.light == capture.LightDay:
		return look{"day", "#bfe0f7", "#1b1f24"}
	case k.light == capture.LightNight && k.lamp > 0:
		return look{"night, lamp lit", "#2c3350", "#ffffff"}
	case k.light == capture.LightNight:
		return look{"night, lamp off", "#66709a", "#ffffff"}
	}
	return look{"unknown", "#dddddd", "#1b1f24"}
}

// series is one panel's curve.
type series struct {
	name      string
	unit      func(float64) string
	colour    string
	high      float64 // of the panel, in points
	low, top  float64 // of the scale
	ticks     []float64
	value     func(slice) (low, mean, high float64, ok bool)
	filled    bool
	threshold float64 // drawn if above 0
}

// panels returns what there is to draw: brightness and lamp always, exposure and
// ambient light if they were recorded.
func (p *plot) panels() []series {
	all := []series{{
		name: "brightness of the picture", threshold: p.c.dark, unit: plain, colour: "#1565c0", high: 190, top: 255, ticks: []float64{0, 64, 128, 192, 255},
		value: func(k slice) (float64, float64, float64, bool) { return k.low, k.mean / float64(k.n), k.high, k.n > 0 },
	}}
	if s, ok := p.logged("exposure x gain", "s", "#00796b", func(k slice) (float64, int) { return k.exposure, k.exposures }); ok {
		all = append(all, s)
	}
	if s, ok := p.logged("ambient light sensor", "", "#8e6a00", func(k slice) (float64, int) { return k.ambient, k.ambients }); ok {
		all = append(all, s)
	}
	return append(all, series{
		name: "lamp", unit: func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }, colour: "#ad1457", high: 50, top: 1, ticks: []float64{0, 1}, filled: true,
		value: func(k slice) (float64, float64, float64, bool) { return 0, k.lamp, k.lamp, k.n > 0 },
	})
}

func plain(v float64) string { return fmt.Sprintf("%.0f", v) }

// logged is a panel of a logarithm, scaled to whole decades.
func (p *plot) logged(name, unit, colour string, sum func(slice) (float64, int)) (series, bool) {
	low, top := math.Inf(1), math.Inf(-1)
	for _, k := range p.c.columns {
		if v, n := sum(k); n > 0 {
			low, top = min(low, v/float64(n)), max(top, v/float64(n))
		}
	}
	if low > top {
		return series{}, false
	}
	low, top = math.Floor(low), math.Ceil(top)
	if top == low {
		top++
	}
	s := series{name: name, colour: colour, high: 90, low: low, top: top,
		unit: func(v float64) string { return decade(v, unit) },
		value: func(k slice) (float64, float64, float64, bool) {
			v, n := sum(k)
			return v / float64(max(1, n)), v / float64(max(1, n)), v / float64(max(1, n)), n > 0
		}}
	for v := low; v <= top; v += math.Ceil((top - low) / 4) {
		s.ticks = append(s.ticks, v)
	}
	return s, true
}

func decade(log float64, unit string) string {
	text := fmt.Sprintf("%g", math.Pow(10, log))
	if unit != "" {
		text += " " + unit
	}
	return text
}

// panel draws one curve with its scale.
func (p *plot) panel(s series, top float64) {
	y := func(v float64) float64 { return top + s.high*(1-(v-s.low)/(s.top-s.low)) }
	for _, v := range s.ticks {
		p.f(`<line x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f" stroke="#e3e6ea"/>`, plotLeft, plotLeft+plotWide, y(v), y(v))
		p.f(`<text x="%.0f" y="%.1f" text-anchor="end" fill="#57606a">%s</text>`, plotLeft-6, y(v)+4, s.unit(v))
	}
	p.f(`<text x="%.0f" y="%.1f" fill="%s">%s</text>`, plotLeft+4, top-5, s.colour, html.EscapeString(s.name))
	var line, low []string
	flush := func() {
		if len(line) == 0 {
			return
		}
		if s.filled || len(low) > 0 {
			area := "M" + join(line)
			for i := len(low) - 1; i >= 0; i-- {
				area += "L" + low[i]
			}
			p.f(`<path d="%sZ" fill="%s" fill-opacity="0.25" stroke="none"/>`, area, s.colour)
		}
		p.f(`<path d="M%s" fill="none" stroke="%s" stroke-width="1.1"/>`, join(line), s.colour)
		line, low = nil, nil
	}
	for i, k := range p.c.columns {
		l, m, h, ok := s.value(k)
		if !ok {
			if i > 0 && p.c.columns[i-1].n == 0 { // one empty column is a slow beat, more are a gap
				flush()
			}
			continue
		}
		x := p.x(i)
		if s.filled {
			m = h
		}
		line = append(line, fmt.Sprintf("%.1f %.1f", x, y(m)))
		low = append(low, fmt.Sprintf("%.1f %.1f", x, y(l)))
	}
	flush()
	for _, m := range p.c.marks {
		x := p.at(m.at)
		p.f(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#57606a" stroke-width="0.5" stroke-dasharray="2 3"/>`, x, x, top, top+s.high)
	}
	if s.threshold > 0 {
		p.f(`<line x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f" stroke="#c62828" stroke-dasharray="6 4"/>`, plotLeft, plotLeft+plotWide, y(s.threshold), y(s.threshold))
		p.f(`<text x="%.0f" y="%.1f" text-anchor="end" fill="#c62828">too dark for day below %.0f</text>`, plotLeft+plotWide-4, top-5, s.threshold)
	}
}

func join(points []string) string {
	n := 0
	for _, s := range points {
		n += len(s) + 1
	}
	b := make([]byte, 0, n)
	for i, s := range points {
		if i > 0 {
			b = append(b, 'L')
		}
		b = append(b, s...)
	}
	return string(b)
}

// axis writes times below the panels: of the day if they are known.
func (p *plot) axis(y float64) {
	whole := time.Duration(len(p.c.columns)) * p.c.width
	step := 12 * time.Hour
	for _, s := range []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour} {
		if whole/s <= 12 {
			step = s
			break
		}
	}
	first := time.Duration(0)
	if p.c.clock >= 0 {
		first = (step - p.c.clock%step) % step
	}
	for t := first; t <= whole; t += step {
		x := p.at(p.c.from + t)
		p.f(`<text x="%.1f" y="%.0f" text-anchor="middle" fill="#57606a">%s</text>`, x, y+2, p.time(t))
	}
}

// time is a moment after the beginning, as people write it.
func (p *plot) time(t time.Duration) string {
	if p.c.clock >= 0 {
		t = (p.c.clock + t) % (24 * time.Hour)
		return fmt.Sprintf("%02d:%02d", int(t.Hours()), int(t.Minutes())%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", int(t.Hours()), int(t.Minutes())%60, int(t.Seconds())%60)
}

// decisions lists what was decided, in words.
func (p *plot) decisions(y float64) {
	y += 34
	for _, m := range p.c.marks {
		s := state(slice{light: m.action.Light, lamp: m.action.Lamp, switching: m.action.Light == capture.LightSwitching})
		p.f(`<rect x="%.0f" y="%.1f" width="12" height="12" rx="2" fill="%s"/>`, plotLeft, y-10, s.fill)
		p.f(`<text x="%.0f" y="%.1f" fill="#1b1f24">%s</text>`, plotLeft+20, y, p.time(m.at-p.c.from))
		p.f(`<text x="%.0f" y="%.1f" fill="#1b1f24">%s</text>`, plotLeft+90, y, html.EscapeString(m.action.Reason))
		y += lineHigh
	}
	if p.c.more > 0 {
		p.f(`<text x="%.0f" y="%.1f" fill="#57606a">and %d more</text>`, plotLeft+90, y, p.c.more)
	}
}
