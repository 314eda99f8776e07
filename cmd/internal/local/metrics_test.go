package local

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	metricName = regexp.MustCompile(`^[a-z_:][a-z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
)

// figures reads the text exposition format more strictly than Prometheus does: each
// family has its HELP, its TYPE and then its samples, all together and once; values
// are finite; counters end in _total and others do not.
func figures(text string) (map[string]float64, error) {
	all, families := map[string]float64{}, map[string]bool{}
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line is not ended")
	}
	family, kind, samples := "", "", 1
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fail := func(what string) error { return fmt.Errorf("line %d: %s: %q", n+1, what, line) }
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			if families[name] || samples == 0 || !metricName.MatchString(name) || help == "" {
				return nil, fail("HELP")
			}
			family, kind, samples, families[name] = name, "", 0, true
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, k, _ := strings.Cut(rest, " ")
			if name != family || kind != "" || k != "gauge" && k != "counter" || strings.HasSuffix(name, "_total") != (k == "counter") {
				return nil, fail("TYPE")
			}
			kind = k
			continue
		}
		if !strings.HasPrefix(line, family) || kind == "" {
			return nil, fail("a sample outside of its family")
		}
		rest, err := labels(line[len(family):])
		if err != nil {
			return nil, fail(err.Error())
		}
		v, err := strconv.ParseFloat(strings.TrimPrefix(rest, " "), 64)
		if err != nil || rest[0] != ' ' || math.IsNaN(v) || math.IsInf(v, 0) || kind == "counter" && v < 0 {
			return nil, fail("value")
		}
		key := strings.TrimSuffix(line, rest)
		if _, twice := all[key]; twice {
			return nil, fail("twice")
		}
		all[key] = v
		samples++
	}
	return all, nil
}

// labels reads {name="value",...} and returns what follows.
func labels(s string) (rest string, err error) {
	if !strings.HasPrefix(s, "{") {
		return s, nil
	}
	seen := map[string]bool{}
	for s = s[1:]; ; s = s[1:] {
		name, after, ok := strings.Cut(s, `="`)
		if !ok || !labelName.MatchString(name) || seen[name] {
			return "", fmt.Errorf("label %.20q", s)
		}
		seen[name] = true
		i := 0
		for ; i < len(after) && after[i] != '"'; i++ {
			if after[i] == '\\' {
				if i++; i == len(after) || !strings.ContainsRune(`\"n`, rune(after[i])) {
					return "", fmt.Errorf("escape in %.20q", after)
				}
			}
		}
		if i == len(after) {
			return "", fmt.Errorf("open label")
		}
		switch s = after[i+1:]; {
		case strings.HasPrefix(s, "}"):
			return s[1:], nil
		case !strings.HasPrefix(s, ","):
			return "", fmt.Errorf("after a label")
		}
	}
}

func TestMetrics(t *testing.T) {
	text := string(Metrics(full()))
	if path := os.Getenv("SEALCAM_METRICS"); path != "" { // for promtool check metrics
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := figures(text)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float64{
		`sealcam_info{camera="camera-id",household="household-id",version="v1.4.0",commit="0123456789abcdef",slot="b"}`: 1,
		`sealcam_pairing{state="paired"}`:                             1,
		`sealcam_health{state="good"}`:                                0,
		`sealcam_health{state="trouble"}`:                             1,
		`sealcam_capture_frames_total`:                                12345,
		`sealcam_capture_bad_frames_total{reason="bad \"quoted\"\n"}`: 2,
		`sealcam_uplink_sealed_bytes_total`:                           1 << 40,
		`sealcam_uplink_refused_total{reason="command replayed"}`:     2,
		`sealcam_spool_messages{state="acknowledged"}`:                2,
		`sealcam_recording_left_out_total{reason="limit"}`:            0,
		`sealcam_storage_free_bytes`:                                  1 << 30,
		`sealcam_temperature_celsius{sensor="cpu-thermal"}`:           81.2,
		`sealcam_flash_life_used_ratio{device="mmcblk0"}`:             0.3,
		`sealcam_update_trial`:                                        1,
		`sealcam_clock{quality="ntp"}`:                                1,
		`process_cpu_seconds_total`:                                   12.5,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s: %v, %v; want %v", key, v, ok, want)
		}
	}
	// Nothing of what a household says to its camera, and no words that a stranger
	// could have chosen, but in those labels.
	for _, secret := range []string{"broker.example", "lens is covered", "no frame came"} {
		if strings.Contains(text, secret) {
			t.Errorf("figures tell %q", secret)
		}
	}
}

func TestEmptyReportHasFigures(t *testing.T) {
	if _, err := figures(string(Metrics(Report{}))); err != nil {
		t.Error(err)
	}
}

// Whatever a driver, a broker or a kernel calls things, the text stays readable and
// bounded.
func FuzzMetrics(f *testing.F) {
	f.Add("a", "b\"\\\n", 2.5)
	f.Add("", "other", -1.5)
	f.Fuzz(func(t *testing.T, a, b string, v float64) {
		r := full()
		r.Camera, r.Status.Software.Slot = a, b
		r.Capture.Bad, r.Uplink.Refused = map[string]uint64{a: 1, b: 2, a + b: 3}, map[string]uint64{b: 1}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			v = 0 // vitals gives none
		}
		r.Sensors = []Sensor{{Name: a, Celsius: v}, {Name: b, Celsius: v}, {Name: a, Celsius: 1}}
		r.Flashes = []Flash{{Device: b}, {Device: b}}
		if _, err := figures(string(Metrics(r))); err != nil {
			t.Error(err)
		}
	})
}
