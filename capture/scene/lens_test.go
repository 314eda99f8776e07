package scene

import (
	"testing"
	"time"
)

// What is done to the camera shows in most of the picture while the truth says
// so, and not a pixel differs before and after.
func TestTamperingIsWhatIsDrawn(t *testing.T) {
	for _, name := range tampering {
		if name == "" {
			continue
		}
		for _, seed := range []string{"0", "1", "2"} {
			spec := name + "?size=160x90&pixel=grey&rate=2&noise=0&seed=" + seed
			s := open(t, spec)
			first := append([]byte(nil), next(t, s).Data...)
			done := 0
			var was time.Duration
			for range 170 {
				f := next(t, s)
				differ := 0
				for i, p := range f.Data {
					if p != first[i] {
						differ++
					}
				}
				said := s.Truth(f.Mono).Tamper
				if said == "" && differ > 0 || said != "" && said != name {
					t.Fatalf("%s at %v: %q is done, %d pixels differ", spec, f.Mono, said, differ)
				}
				if said != "" {
					if done++; done > 4 && done < 30 && differ < len(first)/2 {
						t.Errorf("%s at %v: only %d pixels differ", spec, f.Mono, differ)
					}
					was = f.Mono
				}
			}
			if done < 38 || done > 54 || was > 60*time.Second {
				t.Errorf("%s: %d frames, the last at %v", spec, done, was)
			}
		}
	}
}
