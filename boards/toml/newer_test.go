package toml

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// older is what a program knew before its file got new keys.
type older struct {
	Name  string   `toml:"name"`
	Wait  Duration `toml:"wait"`
	Level int      `toml:"level"`
	Table struct {
		Size ByteSize `toml:"size"`
		Mode string   `toml:"mode"`
	} `toml:"table"`
	List []struct {
		Area []int `toml:"area"`
	} `toml:"list"`
}

func freshOlder() older { return older{Name: "default", Level: 5} }

// checkOlder finds one mistake at a time, as settings do.
func checkOlder(o older, data []byte) error {
	if o.Level > 9 {
		return At("f", data, "level", errors.New("expected at most 9"))
	}
	if o.Table.Mode != "" && o.Table.Mode != "auto" {
		return At("f", data, "table.mode", errors.New("expected auto"))
	}
	for i, l := range o.List {
		if len(l.Area) != 2 {
			return At("f", data, fmt.Sprintf("list[%d].area", i), errors.New("expected two"))
		}
	}
	return nil
}

func TestNewer(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		want   func(*older)
		passed string // keys with their lines
	}{
		"nothing new":  {"name = \"a\"\n", func(o *older) { o.Name = "a" }, ""},
		"a key":        {"glow = 3\nname = \"a\"\n", func(o *older) { o.Name = "a" }, "1 glow"},
		"a table":      {"name = \"a\"\n[future]\nx = 1\n[future.deep]\ny = 2\n[table]\nsize = \"1 MiB\"\n", func(o *older) { o.Name, o.Table.Size.Bytes = "a", 1<<20 }, "2 future, 4 future.deep"},
		"a list":       {"[[new]]\nx = 1\n[[new]]\nx = 2\n[table]\nmode = \"auto\"\n", func(o *older) { o.Table.Mode = "auto" }, "1 new, 3 new"},
		"a value":      {"level = 12\nname = \"a\"\n", func(o *older) { o.Name = "a" }, "1 level"},
		"a type":       {"level = \"high\"\nname = \"a\"\n", func(o *older) { o.Name = "a" }, "1 level"},
		"many lines":   {"level = [\n 1,\n 2,\n]\nname = \"a\"\n", func(o *older) { o.Name = "a" }, "1 level"},
		"text of many": {"name = 5\nwait = \"\"\"\nx = 1\n[table]\n\"\"\"\nlevel = 3\n", func(o *older) { o.Level = 3 }, "1 name, 2 wait"},
		"bare":         {"wait = 5\nlevel = nan\n", func(*older) {}, "1 wait, 2 level"},
		"in a table":   {"[table]\nsize = \"1 MiB\"\nmode = \"new\"\nnew = 1\n", func(o *older) { o.Table.Size.Bytes = 1 << 20 }, "4 table.new, 3 table.mode"},
		"inline":       {"table = { size = \"1 MiB\", new = 1 }\nlevel = 3\n", func(o *older) { o.Level = 3 }, "1 table.new"},
		"an element": {"[[list]]\narea = [1, 2]\n[[list]]\narea = [1]\n[[list]]\narea = [5, 6]\n", func(o *older) {
			o.List = []struct {
				Area []int `toml:"area"`
			}{{[]int{1, 2}}, {[]int{5, 6}}}
		}, "4 list[1].area, 3 list[1].area"},
		"the last line": {"name = \"a\"\nglow = 3", func(o *older) { o.Name = "a" }, "2 glow"},
		"other case":    {"NAME = \"a\"\nGlow = 1\r\nLEVEL = 12\r\n", func(o *older) { o.Name = "a" }, "2 Glow, 3 level"},
	} {
		t.Run(name, func(t *testing.T) {
			got, passed, err := DecodeNewer("f", []byte(tc.text), freshOlder, checkOlder)
			if err != nil {
				t.Fatal(err)
			}
			want := freshOlder()
			tc.want(&want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			var keys []string
			for _, e := range passed {
				keys = append(keys, fmt.Sprint(e.Line, " ", e.Key))
			}
			if s := strings.Join(keys, ", "); s != tc.passed {
				t.Errorf("passed over %q, want %q", s, tc.passed)
			}
		})
	}
}

// What is no TOML is refused, and so is a file of which nothing is left.
func TestNewerRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no TOML":   "name = \n",
		"too much":  manyKeys(300),
		"too large": "#" + strings.Repeat("x", MaxSize),
	} {
		if _, passed, err := DecodeNewer("f", []byte(text), freshOlder, checkOlder); err == nil || len(passed) > maxPassed {
			t.Errorf("%s: %d passed over, %v", name, len(passed), err)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "new%d = 1\n", i)
	}
	return b.String()
}

// Whatever stands there, it ends, and what it accepts a strict reader accepts
// without what was passed over.
func FuzzNewer(f *testing.F) {
	f.Add([]byte("level = [\n1,\n]\n[future]\nx = 1\n[[list]]\narea = [1]\n"))
	f.Add([]byte("a = 1\r\n\"quoted.key\" = '''\nx\n'''\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		v, passed, err := DecodeNewer("f", data, freshOlder, checkOlder)
		if string(data) != before {
			t.Error("the caller's bytes were changed")
		}
		if err != nil {
			return
		}
		if len(passed) > maxPassed || checkOlder(v, data) != nil {
			t.Errorf("accepted %+v, passed over %d", v, len(passed))
		}
		if strict := freshOlder(); len(passed) == 0 && Decode("f", data, &strict) != nil {
			t.Error("accepted what a strict reader refuses, without a word")
		}
	})
}
