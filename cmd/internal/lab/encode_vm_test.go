//go:build vm && linux

package lab

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/v4l2"
)

// fwhtUnit is what `guest encode` prints of what came out of the encoder.
type fwhtUnit struct {
	Seq           uint64
	Mono          time.Duration
	Bytes         int
	Sound         bool
	Width, Height int
	Flags, Range  uint32
}

// fwhtKey is V4L2_FWHT_FL_I_FRAME.
const fwhtKey = 1 << 10

type fwhtFilm struct {
	Nodes        []v4l2.EncoderInfo
	Used         v4l2.EncoderInfo
	How          string
	Format       capture.Format
	Given        []time.Duration
	Units, After []fwhtUnit
}

func (m *Machine) encode(t *testing.T, args ...string) (f fwhtFilm) {
	t.Helper()
	if err := json.Unmarshal([]byte(m.must(t, append([]string{"guest", "encode"}, args...)...)), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// check holds a film to what went in: every frame comes out once, in its order and
// with its time, and the key frames are where the encoder was told to put them.
func (f fwhtFilm) check(t *testing.T, width, height int) {
	t.Helper()
	if len(f.Given) < 20 || len(f.Units) != len(f.Given) {
		t.Fatalf("%d frames went in, %d came out", len(f.Given), len(f.Units))
	}
	gop := min(int(math.Ceil(1.05*f.Format.Rate)), 16) // a second, but no more than this driver can
	span := uint32(2)                                  // V4L2_QUANTIZATION_LIM_RANGE
	if !f.Format.Limited() {
		span = 1
	}
	for i, u := range f.Units {
		if u.Seq != uint64(i) || u.Mono != f.Given[i] || !u.Sound || u.Width != width || u.Height != height || u.Range != span {
			t.Errorf("frame %d of %v came out as %+v", i, f.Given[i], u)
		}
		if key := u.Flags&fwhtKey != 0; key != (i%gop == 0) {
			t.Errorf("frame %d: key frame %t, with one in %d", i, key, gop)
		}
	}
	if len(f.After) != 3 || f.After[0].Flags&fwhtKey == 0 || f.After[0].Seq != uint64(len(f.Units)) || f.After[0].Mono <= f.Given[len(f.Given)-1] {
		t.Errorf("behind a flush came %+v", f.After)
	}
}

// TestEncoder has the kernel's virtual codec compress raw frames, by the interface
// that encoders of boards have: one buffer piece for a frame or several.
func TestEncoder(t *testing.T) {
	t.Parallel()
	m := boot(t, Guest{Arch: ARM64, Modules: []string{"vivid n_devs=1", "vicodec"}})
	both(t, m, func(t *testing.T) {
		testFilm(t, m)
		f := m.encode(t, "-frames", "20", "-pixel", "nv12", "-feeds", "YU12", "/dev/video0")
		f.check(t, 640, 360)
		for _, how := range [][2]string{{"yuyv", "NV12"}, {"grey", "YUYV"}} {
			f := m.encode(t, "-frames", "20", "-draw", "-pixel", how[0], "-feeds", how[1], "-size", "650x366", "-")
			if f.How != how[1]+" to FWHT" {
				t.Errorf("%v: %s", how, f.How)
			}
			f.check(t, 650, 366) // no size of the driver's: the picture is a part of its frames
		}
	})
	t.Run("errors", func(t *testing.T) { testEncoderErrors(t, m) })
}

// TestEncoderLayouts is the short form of TestEncoder, for the structures of a 32-bit
// kernel.
func TestEncoderLayouts(t *testing.T) {
	t.Parallel()
	m := boot(t, Guest{Arch: ARMv7, Modules: []string{"vivid n_devs=1", "vicodec"}})
	both(t, m, func(t *testing.T) { testFilm(t, m) })
}

// both runs a test with the single-planar interface and then with the multi-planar one.
func both(t *testing.T, m *Machine, test func(t *testing.T)) {
	t.Run("single-planar", test)
	m.must(t, "sh", "-c", "rmmod vicodec && insmod /lab/modules/vicodec.ko multiplanar=1")
	t.Run("multi-planar", test)
}

// testFilm films a camera as it is, and looks at what the devices say.
func testFilm(t *testing.T, m *Machine) {
	f := m.encode(t, "-frames", "20", "-pixel", "yuyv", "/dev/video0")
	if len(f.Nodes) != 1 || f.Used.Driver != "vicodec" || !slices.Contains(f.Used.Makes, "FWHT") || f.How != "YUYV to FWHT" {
		t.Errorf("of the nodes %+v %+v was used: %s", f.Nodes, f.Used, f.How)
	}
	f.check(t, 640, 360)
}

// testEncoderErrors asks for what the driver cannot do, and takes it away.
func testEncoderErrors(t *testing.T, m *Machine) {
	ctx := limit(t)
	for want, args := range map[string][]string{
		"it wants frames of 640x368, without a part that counts": {"-draw", "-size", "320x180", "-"},
		"no video encoder that does: vicodec":                    {"-draw", "-feeds", "NM12", "-"},
	} {
		r, err := m.Run(ctx, append([]string{"guest", "encode"}, args...)...)
		if err != nil || r.Exit != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%v: %+v, %v", args, r, err)
		}
	}
	p, err := m.Start(nil, "guest", "encode", "-frames", "0", "/dev/video0")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.UntilSaid(ctx, "encoding"); err != nil {
		t.Fatal(err)
	}
	if r, err := m.Run(ctx, "rmmod", "vicodec"); err != nil || r.Exit == 0 {
		t.Errorf("a driver in use was unloaded: %+v, %v", r, err)
	}
	m.must(t, "sh", "-c", "echo vicodec.0 > /sys/bus/platform/drivers/vicodec/unbind || (ls /sys/bus/platform/drivers/vicodec; false)")
	r, err := p.Wait(ctx)
	if err != nil || r.Exit != 1 || !strings.Contains(r.Stderr, v4l2.ErrEncoderGone.Error()) {
		t.Errorf("an encoder that went away: %+v, %v", r, err)
	}
	if r, err := m.Run(ctx, "guest", "encode", "/dev/video0"); err != nil || r.Exit != 1 || !strings.Contains(r.Stderr, v4l2.ErrNoEncoder.Error()) {
		t.Errorf("without an encoder: %+v, %v", r, err)
	}
}
