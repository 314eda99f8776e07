package pins

import (
	"testing"
	"time"
)

func TestPattern(t *testing.T) {
	const ms = time.Millisecond
	twice := Pattern{100 * ms, 200 * ms, 100 * ms, 600 * ms}
	for at, want := range map[time.Duration]bool{
		0: true, 99 * ms: true, 100 * ms: false, 299 * ms: false, 300 * ms: true, 399 * ms: true, 400 * ms: false, 999 * ms: false,
		1000 * ms: true, 1100 * ms: false, 25*time.Hour + 350*ms: true,
	} {
		if got := twice.At(at); got != want {
			t.Errorf("after %v: %v", at, got)
		}
	}
	if (Pattern{}).At(5*ms) || !(Pattern{ms}).At(5*ms) || (Pattern{0, 0}).At(5*ms) {
		t.Error("always, never, or nothing at all")
	}
}
