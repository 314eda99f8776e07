package seal_test

import (
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/sealcam/sealcam/uplink/seal/sealtest"
)

const vectorDir = "testdata/vectors"

var update = flag.Bool("update", false, "write "+vectorDir+" anew")

func allCases() []vcase {
	return slices.Concat(goodCases(), formCases(), claimCases(), hiddenCases(), sealCases(), orderCases(), timeCases(), viewCases(), rosterCases(), commandCases(), otherCases(), recordingCases(), siteCases(), serviceCases())
}

// TestVectorsMade makes every vector anew and runs it, so that what is published
// can be published again. With -update it is written.
func TestVectorsMade(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	c := newCast(t)
	var names []string
	for _, k := range allCases() {
		cryptotest.SetGlobalRandom(t, binary.BigEndian.Uint64(hash(k.name))) // no vector depends on another
		v := c.vector(k)
		if err := v.Run(); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		file, err := v.Format()
		ok(t, err)
		if *update {
			ok(t, os.WriteFile(filepath.Join(vectorDir, k.name), file, 0o644))
		}
		names = append(names, k.name)
	}
	slices.Sort(names)
	if same := slices.Compact(slices.Clone(names)); len(same) != len(names) {
		t.Errorf("a name is used twice")
	}
	if published := vectorNames(t); !slices.Equal(names, published) {
		t.Errorf("published vectors are not those of the generator (run go test ./uplink/seal -update, and delete what is too much)\n have %q\n want %q", published, names)
	}
}

// TestVectors runs what is published.
func TestVectors(t *testing.T) {
	names := vectorNames(t)
	if len(names) < 60 {
		t.Fatalf("%d vectors", len(names))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join(vectorDir, name))
			ok(t, err)
			v, err := sealtest.Parse(file)
			ok(t, err)
			if err := v.Run(); err != nil {
				t.Errorf("%v\ncomment: %s", err, v.Comment)
			}
		})
	}
}

func vectorNames(t testing.TB) []string {
	entries, err := os.ReadDir(vectorDir)
	ok(t, err)
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".md") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// TestRunnerNotices: a vector that expects something else than what comes fails.
func TestRunnerNotices(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(vectorDir, "good-gap"))
	ok(t, err)
	for name, change := range map[string]func(v *sealtest.Vector){
		"reason": func(v *sealtest.Vector) { v.Expect = "stale" },
		"flags":  func(v *sealtest.Vector) { v.Flags = []string{"late"} },
		"gaps":   func(v *sealtest.Vector) { v.Gaps = nil },
		"media":  func(v *sealtest.Vector) { v.Media = strings.Repeat("0", 64) },
		"before": func(v *sealtest.Vector) { v.Before = append(v.Before, v.Before[0]) },
		"op":     func(v *sealtest.Vector) { v.Op = "close" },
		"body":   func(v *sealtest.Vector) { v.Body = v.Body[1:] },
	} {
		v, err := sealtest.Parse(file)
		ok(t, err)
		ok(t, v.Run())
		change(v)
		if v.Run() == nil {
			t.Errorf("changed %s, and nobody noticed", name)
		}
	}
	for _, bad := range []string{"", "expect: verified", "no colon\n\n", "unknown: x\n\n", "now: noon\n\n", "expect: x\n\n%%"} {
		if _, err := sealtest.Parse([]byte(bad)); err == nil {
			t.Errorf("read %q", bad)
		}
	}
}
