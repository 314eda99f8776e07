package bench

import (
	"encoding/json"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/agent"
)

// Report is what a bench measured. Field names are those of the JSON file and
// stay; new ones may come.
type Report struct {
	Source  string  `json:"source"`
	Format  string  `json:"format"`
	Seconds float64 `json:"seconds"`

	Frames  uint64            `json:"frames"`  // good frames of the camera
	FPS     float64           `json:"fps"`     // of good frames, over the whole run
	Dropped uint64            `json:"dropped"` // lost before the agent had them
	Bad     map[string]uint64 `json:"bad,omitempty"`

	CPU    float64            `json:"cpu_ms_per_frame"` // CPU of the agent's own stages, by frame
	Stages map[string]float64 `json:"stages_ms"`        // the same by stage; "draw", of a drawn scene, is in no sum
	Looks  float64            `json:"looks_fps"`        // frames looked at a second at the end, lower than asked under load
	All    float64            `json:"process_cpu_ms_per_frame"`

	Events   uint64            `json:"events"`
	Sealed   uint64            `json:"pictures_sealed"`
	Verified uint64            `json:"pictures_verified"`
	Refused  uint64            `json:"pictures_refused"`
	Reasons  map[string]uint64 `json:"refused_reasons,omitempty"`
	Skipped  uint64            `json:"pictures_skipped"` // sealing had fallen behind

	Clips         uint64  `json:"clips_sealed"` // to their last part
	PartsSealed   uint64  `json:"parts_sealed"` // of clips
	PartsVerified uint64  `json:"parts_verified"`
	RingMB        float64 `json:"ring_mb"` // that pre-roll takes of the camera's memory

	Views          uint64  `json:"views_sealed"` // frames or parts of live view
	ViewsInParts   bool    `json:"views_in_parts,omitempty"`
	ViewsVerified  uint64  `json:"views_verified"`
	ViewsRefused   uint64  `json:"views_refused"`
	ViewFPS        float64 `json:"views_fps"`            // verified, from the first to the last
	ViewLatency    float64 `json:"views_latency_ms_p50"` // from capture to verified
	ViewLatencyP95 float64 `json:"views_latency_ms_p95"`

	FirstVerified float64 `json:"first_verified_s"` // from the start of the bench; 0: none
	Latency       float64 `json:"latency_ms_p50"`   // from capture to verified, live pictures
	LatencyP95    float64 `json:"latency_ms_p95"`
	RSS           float64 `json:"rss_mb"` // of the whole process: agents, broker, page and viewer
}

// write stores the report at path, whole or not at all.
func (r Report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// verdicts counts what the bench's own viewer saw. Safe for concurrent use.
type verdicts struct {
	mu       sync.Mutex
	verified uint64
	parts    uint64 // of clips, verified
	refused  uint64
	reasons  map[string]uint64
	first    time.Time
	last     time.Time
	latency  []time.Duration // of the newest, a ring
	next     int
	fresh    chan struct{} // closed at the first verified picture
}

// kept is how many latencies the percentiles are made of.
const kept = 512

func newVerdicts() *verdicts {
	return &verdicts{reasons: map[string]uint64{}, fresh: make(chan struct{})}
}

func (v *verdicts) accept(at time.Time, latency time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = at
	if v.verified++; v.verified == 1 {
		v.first = at
		close(v.fresh)
	}
	if len(v.latency) < kept {
		v.latency = append(v.latency, latency)
	} else {
		v.latency[v.next%kept] = latency
		v.next++
	}
}

// part counts a verified part of a clip.
func (v *verdicts) part() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.parts++
}

// judged returns how many pictures and parts were verified or refused.
func (v *verdicts) judged() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.verified + v.parts + v.refused
}

func (v *verdicts) refuse(reason string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refused++
	v.reasons[reason]++
}

// rate returns how many were verified and refused, and how many a second were
// verified from the first to the last.
func (v *verdicts) rate() (verified, refused uint64, fps float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if span := v.last.Sub(v.first).Seconds(); span > 0 {
		fps = float64(v.verified-1) / span
	}
	return v.verified, v.refused, fps
}

// percentile returns the p-th part (0..1) of the kept latencies, in ms.
func (v *verdicts) percentile(p float64) float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.latency) == 0 {
		return 0
	}
	sorted := append([]time.Duration(nil), v.latency...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	return float64(sorted[int(p*float64(len(sorted)-1))].Microseconds()) / 1000
}

// report joins what agent and viewer counted.
func (b *bench) report() Report {
	s := b.mine.agent.Stats()
	r := Report{
		Source: b.source.Name, Format: s.Capture.Format.String(), Seconds: time.Since(b.began).Seconds(),
		Frames: s.Capture.Frames, Dropped: s.Capture.Dropped, Bad: s.Capture.Bad,
		Looks: s.Rate, Events: s.Events, Sealed: s.Sealed, Skipped: s.Skipped, Clips: s.Clips, PartsSealed: s.Parts,
		RingMB: float64(s.Ring.Bytes) / (1 << 20), Stages: map[string]float64{},
		Latency: b.verdicts.percentile(0.5), LatencyP95: b.verdicts.percentile(0.95), RSS: residentMB(),
	}
	frames := float64(max(1, s.Capture.Frames))
	for i, spent := range s.CPU {
		ms := float64(spent.Microseconds()) / 1000 / frames
		r.Stages[agent.Stage(i).String()] = ms
	}
	r.CPU = float64(agent.Sum(s.CPU).Microseconds()) / 1000 / frames
	r.All = float64((agent.ProcessCPU() - b.cpuBefore).Microseconds()) / 1000 / frames
	if r.Seconds > 0 {
		r.FPS = float64(s.Capture.Frames) / r.Seconds
	}
	r.Views, r.ViewLatency, r.ViewLatencyP95 = s.Uplink.Views, b.views.percentile(0.5), b.views.percentile(0.95)
	r.ViewsVerified, r.ViewsRefused, r.ViewFPS = b.views.rate()
	r.ViewsInParts = b.inParts.Load()
	v := b.verdicts
	v.mu.Lock()
	defer v.mu.Unlock()
	r.Verified, r.PartsVerified, r.Refused, r.Reasons = v.verified, v.parts, v.refused, map[string]uint64{}
	for k, n := range v.reasons {
		r.Reasons[k] = n
	}
	if !v.first.IsZero() {
		r.FirstVerified = v.first.Sub(b.began).Seconds()
	}
	return r
}

// residentMB returns the memory of this process that is in RAM, in MB; where
// the system does not say, what Go has asked it for.
func residentMB() float64 {
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		for _, line := range strings.Split(string(text), "\n") {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				if kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64); err == nil {
					return kb / 1024
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys) / (1 << 20)
}
