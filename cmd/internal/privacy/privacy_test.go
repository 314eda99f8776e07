package privacy

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture/daynight"
)

var zone = time.FixedZone("home", 2*3600)

func at(day, hour, minute int) time.Time { return time.Date(2026, 5, day, hour, minute, 0, 0, zone) }

func span(text string) (s daynight.Span) {
	if err := s.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return s
}

func keeper(t *testing.T, file string, spans ...string) *Keeper {
	t.Helper()
	var schedule []daynight.Span
	for _, s := range spans {
		schedule = append(schedule, span(s))
	}
	k, err := Load(file, schedule)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func same(a, b State) bool {
	return a.On == b.On && a.By == b.By && a.Since.Equal(b.Since) && a.Until.Equal(b.Until)
}

func want(t *testing.T, k *Keeper, now time.Time, st State) {
	t.Helper()
	if got := k.At(now); !same(got, st) {
		t.Errorf("at %v: %+v, want %+v", now, got, st)
	}
}

func TestSchedule(t *testing.T) {
	k := keeper(t, "", "22:00-07:00", "12:00-13:30", "13:00-14:00")
	want(t, k, at(3, 21, 59), State{})
	night := State{On: true, Since: at(3, 22, 0), Until: at(4, 7, 0), By: BySchedule}
	want(t, k, at(3, 22, 0), night)
	want(t, k, at(4, 6, 59), night)
	want(t, k, at(4, 7, 0), State{})
	noon := State{On: true, Since: at(4, 12, 0), Until: at(4, 14, 0), By: BySchedule}
	want(t, k, at(4, 12, 30), noon)
	want(t, k, at(4, 13, 15), noon)
	want(t, k, at(4, 14, 0), State{})
	want(t, k, time.Time{}, State{On: true, By: ByClock})
	want(t, keeper(t, ""), time.Time{}, State{})
	// Spans that go round the clock have no end to look for.
	k = keeper(t, "", "00:00-12:00", "12:00-00:00")
	if st := k.At(at(4, 9, 0)); !st.On {
		t.Error("open within spans that cover the day")
	}
}

// What a person says goes before the schedule, and survives a restart.
func TestOrders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy.json")
	k := keeper(t, file, "22:00-07:00")
	if err := k.Toggle(ByButton, at(3, 15, 0)); err != nil {
		t.Fatal(err)
	}
	closed := State{On: true, Since: at(3, 15, 0), By: ByButton}
	for _, now := range []time.Time{at(3, 15, 1), at(3, 23, 0), at(9, 9, 0), {}} {
		want(t, k, now, closed)
		want(t, keeper(t, file, "22:00-07:00"), now, closed)
	}

	// Opened within the schedule: until that ends, and no longer.
	if err := k.Toggle(ByButton, at(3, 23, 0)); err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Keeper{k, keeper(t, file, "22:00-07:00")} {
		want(t, k, at(3, 23, 1), State{})
		want(t, k, at(4, 8, 0), State{})
		want(t, k, at(4, 22, 0), State{On: true, Since: at(4, 22, 0), Until: at(5, 7, 0), By: BySchedule})
		want(t, k, time.Time{}, State{On: true, By: ByClock}) // a power cut took the clock
	}

	// For a time.
	if err := k.Close(ByOwner, at(5, 10, 0), at(5, 12, 0)); err != nil {
		t.Fatal(err)
	}
	want(t, k, at(5, 11, 59), State{On: true, Since: at(5, 10, 0), Until: at(5, 12, 0), By: ByOwner})
	want(t, k, at(5, 12, 0), State{})
	// Said again, it is still closed since the first time.
	if err := k.Close(ByOwner, at(5, 11, 0), time.Time{}); err != nil {
		t.Fatal(err)
	}
	want(t, k, at(5, 13, 0), State{On: true, Since: at(5, 10, 0), By: ByOwner})
}

// Without a clock a person can open a camera that has a schedule, as long as
// nobody knows the time.
func TestOpenedWithoutClock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy.json")
	k := keeper(t, file, "22:00-07:00")
	if err := k.Toggle(ByButton, time.Time{}); err != nil {
		t.Fatal(err)
	}
	want(t, k, time.Time{}, State{})
	want(t, k, at(3, 23, 0), State{On: true, Since: at(3, 22, 0), Until: at(4, 7, 0), By: BySchedule})
	want(t, keeper(t, file, "22:00-07:00"), time.Time{}, State{On: true, By: ByClock})
}

// Doubt closes: a file that cannot be read, and one that cannot be written.
func TestDoubtCloses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy.json")
	for _, text := range []string{"", "{", "null", "{}", `{"on":"no"}`, string(make([]byte, maxFile+1))} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Load(file, nil)
		if err == nil || !k.At(at(3, 3, 3)).On {
			t.Errorf("%.20q: %v, %+v", text, err, k.At(at(3, 3, 3)))
		}
		if err := k.Open(ByButton, at(3, 3, 3)); err != nil || k.At(at(3, 3, 3)).On {
			t.Errorf("after it was opened: %v", err)
		}
	}

	gone := filepath.Join(t.TempDir(), "gone")
	k := &Keeper{file: filepath.Join(gone, "privacy.json")}
	if err := k.Close(ByButton, at(3, 3, 3), time.Time{}); !errors.Is(err, ErrNotKept) || !k.At(at(3, 3, 4)).On {
		t.Errorf("closing: %v, %+v", err, k.At(at(3, 3, 4)))
	}
	if err := k.Open(ByButton, at(3, 3, 5)); !errors.Is(err, ErrNotKept) || !k.At(at(3, 3, 6)).On {
		t.Errorf("opening: %v, %+v", err, k.At(at(3, 3, 6)))
	}
}

func TestValidateSchedule(t *testing.T) {
	if ValidateSchedule(make([]daynight.Span, MaxSchedule+1)) == nil || ValidateSchedule([]daynight.Span{span("07:00-07:00")}) == nil {
		t.Error("accepted")
	}
	if err := ValidateSchedule([]daynight.Span{span("22:00-07:00")}); err != nil {
		t.Error(err)
	}
}

// FuzzLoad: whatever the file holds, the camera is closed or the file says why not.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"on":true,"since":"2026-05-03T13:00:00Z","by":"button"}`))
	f.Add([]byte(`{"on":false,"until":"2026-05-03T13:00:00Z","by":"button"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		file := filepath.Join(t.TempDir(), "privacy.json")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Load(file, nil)
		if err != nil && !k.At(at(1, 1, 1)).On {
			t.Fatal("in doubt, and open")
		}
	})
}
