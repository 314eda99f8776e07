package toml_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealcam/sealcam/boards/toml"
)

type camera struct {
	Name string  `toml:"name"`
	Rate float64 `toml:"rate"`
	Pins []uint8 `toml:"pins"`
}

type settings struct {
	Source  string        `toml:"source"`
	Quality int           `toml:"quality"`
	Night   bool          `toml:"night"`
	Every   toml.Duration `toml:"every"`
	Budget  toml.ByteSize `toml:"budget"`
	Motion  struct {
		Sensitivity uint8         `toml:"sensitivity"`
		Hold        toml.Duration `toml:"hold"`
	} `toml:"motion"`
	Camera []camera          `toml:"camera"`
	Labels map[string]string `toml:"labels"`
	inner  int
}

func TestDecode(t *testing.T) {
	got := settings{Source: "/dev/video0", Quality: 85, inner: 7}
	err := toml.Decode("x.toml", []byte(`
quality = 90
night = true
every = "1m30s"
budget = "512 MiB"
labels = { garden = "Garden" }
[motion]
sensitivity = 7
hold = "500ms"
[[camera]]
name = "a"
pins = [1, 2]
[[camera]]
rate = 12.5
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{Source: "/dev/video0", Quality: 90, Night: true, inner: 7,
		Every: toml.Duration{Duration: 90 * time.Second}, Budget: toml.ByteSize{Bytes: 512 << 20},
		Camera: []camera{{Name: "a", Pins: []uint8{1, 2}}, {Rate: 12.5}},
		Labels: map[string]string{"garden": "Garden"}}
	want.Motion.Sensitivity = 7
	want.Motion.Hold.Duration = 500 * time.Millisecond
	if d := cmp.Diff(want, got, cmp.AllowUnexported(settings{})); d != "" {
		t.Errorf("decoded (-want +got):\n%s", d)
	}
}

func TestRefusals(t *testing.T) {
	const duration = `expected a duration in quotes, such as "500ms", "5s" or "1h30m", found `
	const size = `expected a size in quotes, such as "64 KiB", "512 MiB" or "2 GB", found `
	for _, c := range []struct{ name, in, want string }{
		{"unknown key, near", "source = \"x\"\nqualty = 3\n", "s.toml:2:1: qualty: unknown key; did you mean quality?"},
		{"unknown key, far", "[motion]\n  zzzzzzz = 3\n", "s.toml:2:3: motion.zzzzzzz: unknown key; known here: hold, sensitivity"},
		{"unknown table", "[moton]\nsensitivity = 3\n", "s.toml:1:2: moton: unknown key; did you mean motion?"},
		{"unexported field", "inner = 3\n", "s.toml:1:1: inner: unknown key; known here: budget, camera, every, labels, motion, night, quality, source"},
		{"two unknown keys", "a9999999 = 1\n[motion]\nholds = 1\n", "s.toml:1:1: a9999999: unknown key; known here: budget, camera, every, labels, motion, night, quality, source\n" +
			"s.toml:3:1: motion.holds: unknown key; did you mean hold?"},
		{"text for a number", "quality = \"high\"\n", "s.toml:1:11: quality: expected a whole number, found a string"},
		{"number for text", "\nsource = 3\n", "s.toml:2:10: source: expected text in quotes, found an integer"},
		{"out of range", "[motion]\nsensitivity = 300 # more\n", "s.toml:2:15: motion.sensitivity: expected a whole number from 0 to 255, found 300"},
		{"in a list of tables", "[[camera]]\n[[camera]]\nrate = \"x\"\n", "s.toml:3:8: camera.rate: expected a number, found a string"},
		{"in a list", "[[camera]]\npins = [1, true]\n", "s.toml:2:12: camera.pins: expected a list in [ ] of a whole number from 0 to 255, found a boolean"},
		{"value for a table", "motion = 3\n", "s.toml:1:10: motion: expected a table, found an integer"},
		{"table for a value", "[quality]\n", "s.toml:1:2: quality: expected a whole number, found quality]"},
		{"bare duration", "every = 5\n", "s.toml:1:9: every: " + duration + "an integer"},
		{"duration without unit", "every = \"5\"\n", "s.toml:1:9: every: " + duration + `"5"`},
		{"negative duration", "every = \"-5s\"\n", "s.toml:1:9: every: " + duration + `"-5s"`},
		{"duration opened as a table", "[every]\nDuration = 5\n", "s.toml:2:1: every.Duration: unknown key"},
		{"unknown in a list of inline tables", "camera = [{name = \"a\"}, {nmae = \"b\"}]\n", "s.toml:1:26: camera.nmae: unknown key; did you mean name?"},
		{"bare size", "budget = 1024\n", "s.toml:1:10: budget: " + size + "an integer"},
		{"size without number", "budget = \"MiB\"\n", "s.toml:1:10: budget: " + size + `"MiB"`},
		{"size past int64", "budget = \"9999999999 TiB\"\n", "s.toml:1:10: budget: " + size + `"9999999999 TiB"`},
		{"size infinite", "budget = \"inf B\"\n", "s.toml:1:10: budget: " + size + `"inf B"`},
		{"syntax", "quality = \n", "s.toml:1:11: unexpected character U+000A at start of value"},
		{"bare zero duration", "every = 0\n", "s.toml:1:9: every: " + duration + "an integer"},
		{"bare duration in an inline table", "motion = { sensitivity = 1, hold = 1.5 }\n", "s.toml:1:36: motion.hold: " + duration + "a float"},
		{"not a number", "[[camera]]\nrate = nan\n", "s.toml:2:8: camera.rate: expected a number, found nan"},
		{"infinite", "[[camera]]\nrate = -inf\n", "s.toml:2:8: camera.rate: expected a number, found -inf"},
		{"past int64", "quality = 99999999999999999999\n", "s.toml:1:11: quality: decimal number is too large to fit in a 64-bit signed integer"},
		{"twice", "quality = 1\nquality = 2\n", "s.toml:2:1: quality: key quality is already defined"},
		{"too large", strings.Repeat("#", toml.MaxSize+1), "s.toml: too large: at most 256 KiB of settings were expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s settings
			err := toml.Decode("s.toml", []byte(c.in), &s)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("error:\n  %s\nwant:\n  %s", err, c.want)
			}
			var e *toml.Error
			if !errors.As(err, &e) {
				t.Errorf("%T is not an *Error", err)
			}
		})
	}
}

func TestManyUnknownKeysStayReadable(t *testing.T) {
	var in strings.Builder
	for i := range 500 {
		in.WriteString("x" + strings.Repeat("y", i) + " = 1\n")
	}
	var s settings
	err := toml.Decode("s.toml", []byte(in.String()), &s)
	if lines := strings.Count(err.Error(), "\n") + 1; lines != 9 || !strings.HasSuffix(err.Error(), "and 492 more unknown keys") {
		t.Errorf("%d lines:\n%s", lines, err)
	}
}

func TestByteSize(t *testing.T) {
	for in, want := range map[string]int64{"0 B": 0, "800 B": 800, "1.5 KiB": 1536, "512MiB": 512 << 20, "2 GB": 2e9, "64 kB": 64e3} {
		var s toml.ByteSize
		if err := s.UnmarshalText([]byte(in)); err != nil || s.Bytes != want {
			t.Errorf("%q: %d, %v; want %d", in, s.Bytes, err, want)
		}
		var back toml.ByteSize
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%q written as %q read back as %d, %v", in, s, back.Bytes, err)
		}
	}
}

func TestDecodeFileIsBounded(t *testing.T) {
	var s settings
	if _, err := toml.DecodeFile("/dev/zero", &s); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("an endless file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "s.toml")
	if err := os.WriteFile(path, []byte("quality = 3"), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := toml.DecodeFile(path, &s)
	if err != nil || s.Quality != 3 || string(data) != "quality = 3" {
		t.Errorf("read %q, quality %d, %v", data, s.Quality, err)
	}
	if _, err := toml.DecodeFile(path+"x", &s); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestAt(t *testing.T) {
	data := []byte(`source = "x"
motion = { sensitivity = 3,  hold = "1s" }
[[camera]]
name = "a"
[[camera]]
  rate = 3
  "odd key" = 1
[labels]
garden.front = "x"
`)
	for key, want := range map[string]string{
		"source":              "f:1:1: source: bad",
		"motion":              "f:2:1: motion: bad",
		"motion.hold":         "f:2:30: motion.hold: bad",
		"motion.absent":       "f:2:1: motion.absent: bad",
		"camera[0].name":      "f:4:1: camera[0].name: bad",
		"camera[1].rate":      "f:6:3: camera[1].rate: bad",
		"camera[1].name":      "f:5:3: camera[1].name: bad",
		"camera[2].rate":      "f: camera[2].rate: bad",
		"labels":              "f:8:2: labels: bad",
		"labels.garden":       "f:9:1: labels.garden: bad",
		"absent":              "f: absent: bad",
		`camera[1]."odd key"`: `f:7:3: camera[1]."odd key": bad`,
	} {
		if got := toml.At("f", data, key, errors.New("bad")).Error(); got != want {
			t.Errorf("At(%s) = %s, want %s", key, got, want)
		}
	}
}

// FuzzDecode checks that no input panics, and that every refusal is one or more
// *Error whose place lies in the input.
func FuzzDecode(f *testing.F) {
	f.Add("quality = 90\nevery = \"5s\"\n[[camera]]\nname = 'a'\n")
	f.Add("[motion]\nsensitivity = 300\n")
	f.Add("a.b.c = {d=[[[1]]]}\n")
	f.Add("[[camera]]\n[camera.x]\n[[camera]]\n")
	f.Add("budget = \"1e9 B\"\nlabels.x.y = 3")
	f.Fuzz(func(t *testing.T, in string) {
		var s settings
		err := toml.Decode("f", []byte(in), &s)
		toml.At("f", []byte(in), "camera[1].rate", errors.New("x"))
		if err == nil {
			return
		}
		all := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			all = joined.Unwrap()
		}
		for _, one := range all {
			var e *toml.Error
			if !errors.As(one, &e) {
				t.Fatalf("%T: %v", one, one)
			}
			if e.Line > strings.Count(in, "\n")+1 {
				t.Fatalf("line %d of %d", e.Line, strings.Count(in, "\n")+1)
			}
		}
	})
}
