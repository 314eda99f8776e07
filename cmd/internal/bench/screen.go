package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
	"github.com/sealcam/sealcam/cmd/internal/cli"
)

// How often the live line is renewed: in place on a terminal, and as a new line
// elsewhere, where nobody wants five a second.
const (
	tickLive  = 500 * time.Millisecond
	tickPlain = 5 * time.Second
)

// screen tells a person what the bench does.
type screen struct {
	env *cli.Env
	b   *bench

	last   agent.Stats
	lastAt time.Time
}

func newScreen(env *cli.Env, b *bench) *screen { return &screen{env: env, b: b, lastAt: time.Now()} }

// opening says what is about to happen.
func (s *screen) opening() {
	e := s.env
	fmt.Fprintf(e.Stdout, "%s  %s\n", e.Paint(cli.Faint, "camera"), s.b.source.Name)
	fmt.Fprintf(e.Stdout, "%s  %s\n", e.Paint(cli.Faint, "broker"), s.b.broker.URL())
	fmt.Fprintf(e.Stdout, "%s    %s\n\n", e.Paint(cli.Faint, "page"), e.Paint(cli.Bold, s.b.url))
}

// run renews the live line until ctx ends.
func (s *screen) run(ctx context.Context) error {
	each := tickPlain
	if s.env.Live {
		each = tickLive
	}
	t := time.NewTicker(each)
	defer t.Stop()
	first := s.b.verdicts.fresh
	for {
		select {
		case <-ctx.Done():
			if s.env.Live {
				fmt.Fprint(s.env.Stdout, "\r\x1b[K")
			}
			return nil
		case <-first:
			first = nil
			s.line("%s after %.1f s", s.env.Paint(cli.Good, "first verified picture"), time.Since(s.b.began).Seconds())
		case <-t.C:
			s.tick()
		}
	}
}

// tick prints one live line.
func (s *screen) tick() {
	now, st := time.Now(), s.b.mine.agent.Stats()
	frames := st.Capture.Frames - s.last.Capture.Frames
	fps := float64(frames) / now.Sub(s.lastAt).Seconds()
	spent := agent.Sum(st.CPU) - agent.Sum(s.last.CPU)
	perFrame := float64(spent.Microseconds()) / 1000 / float64(max(1, frames))
	s.last, s.lastAt = st, now
	v := s.b.verdicts
	v.mu.Lock()
	verified, refused := v.verified, v.refused
	v.mu.Unlock()
	text := fmt.Sprintf("frames %6d  %4.1f fps  %5.2f ms/frame  events %3d  sealed %4d  delivered %4d  verified %s  refused %s",
		st.Capture.Frames, fps, perFrame, st.Events, st.Sealed, st.Uplink.Delivered,
		s.env.Paint(cli.Good, fmt.Sprintf("%4d", verified)), s.paintRefused(refused))
	if st.Rate < 0.99*agent.Defaults().Motion.Rate {
		text += s.env.Paint(cli.Warn, fmt.Sprintf("  looking at %.1f fps", st.Rate))
	}
	if s.env.Live {
		fmt.Fprintf(s.env.Stdout, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(s.env.Stdout, text)
}

func (s *screen) paintRefused(n uint64) string {
	text := fmt.Sprintf("%d", n)
	if n > 0 {
		return s.env.Paint(cli.Warn, text)
	}
	return text
}

// line prints a line of its own above the live line.
func (s *screen) line(format string, a ...any) {
	if s.env.Live {
		fmt.Fprint(s.env.Stdout, "\r\x1b[K")
	}
	fmt.Fprintf(s.env.Stdout, format+"\n", a...)
}

// closing prints the summary.
func (s *screen) closing(r Report) {
	e := s.env
	row := func(name, format string, a ...any) {
		fmt.Fprintf(e.Stdout, "  %s  %s\n", e.Paint(cli.Faint, fmt.Sprintf("%-9s", name)), fmt.Sprintf(format, a...))
	}
	fmt.Fprintf(e.Stdout, "\n%s\n", e.Paint(cli.Bold, "summary"))
	row("camera", "%s, %s", r.Source, r.Format)
	row("frames", "%d in %.1f s, %.1f a second, %d dropped, %d unusable", r.Frames, r.Seconds, r.FPS, r.Dropped, total(r.Bad))
	row("cpu", "%.2f ms a frame: %s", r.CPU, stageWords(r.Stages))
	row("events", "%d", r.Events)
	row("pictures", "%d sealed, %s verified, %s refused%s", r.Sealed, e.Paint(cli.Good, fmt.Sprint(r.Verified)), s.paintRefused(r.Refused), reasonWords(r.Reasons))
	row("clips", "%d, of %d parts sealed, %s verified", r.Clips, r.PartsSealed, e.Paint(cli.Good, fmt.Sprint(r.PartsVerified)))
	row("latency", "%.0f ms from lens to verdict, 95 %% within %.0f ms", r.Latency, r.LatencyP95)
	if s.b.View {
		what := "frames"
		if r.ViewsInParts {
			what = "parts"
		}
		row("live view", "%d %s sealed, %s verified, %s refused, %.1f a second, %.0f ms from lens to verdict, 95 %% within %.0f ms",
			r.Views, what, e.Paint(cli.Good, fmt.Sprint(r.ViewsVerified)), s.paintRefused(r.ViewsRefused), r.ViewFPS, r.ViewLatency, r.ViewLatencyP95)
	}
	row("memory", "%.0f MB for both cameras, broker, page and viewer", r.RSS)
	if s.b.Report != "" {
		row("report", "%s", s.b.Report)
	}
}

func total(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

// stageWords lists the stages that cost anything, in the order light travels.
func stageWords(ms map[string]float64) string {
	var words []string
	for _, s := range agent.Stages() {
		if v := ms[s.String()]; v >= 0.005 {
			words = append(words, fmt.Sprintf("%s %.2f", s, v))
		}
	}
	return strings.Join(words, ", ")
}

func reasonWords(reasons map[string]uint64) string {
	if len(reasons) == 0 {
		return ""
	}
	var words []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		words = append(words, fmt.Sprintf("%s %d", reason, reasons[reason]))
	}
	return " (" + strings.Join(words, ", ") + ")"
}
