package v4l2

import (
	"testing"

	"github.com/sealcam/sealcam/capture"
)

func one(w, h int, rates ...float64) Size {
	return Size{Width: w, Height: h, MinWidth: w, MinHeight: h, Rates: rates}
}

func offer(fourCC string, code uint32, sizes ...Size) Offer {
	return Offer{FourCC: fourCC, Pixel: pixelOf(fourCC), Sizes: sizes, code: code}
}

func TestPicks(t *testing.T) {
	// A usual webcam: uncompressed 1080p crawls over USB 2.
	webcam := []Offer{
		offer("YUYV", 'Y', one(640, 480, 30), one(1280, 720, 10), one(1920, 1080, 5)),
		offer("MJPG", 'M', one(640, 480, 30), one(1280, 720, 30), one(1920, 1080, 30), one(3840, 2160, 15)),
		offer("H264", 'H', one(1920, 1080, 30)),
		offer("BA81", 'B', one(1920, 1080, 30)),
	}
	raw := webcam[:1]
	wide := []Offer{offer("NV12", 'N', Size{MinWidth: 16, MinHeight: 16, Width: 4096, Height: 2160, StepW: 16, StepH: 8})}
	for _, c := range []struct {
		name   string
		want   Want
		offers []Offer
		pixel  capture.Pixel
		w, h   int
	}{
		{"nothing wanted: MJPEG within 1080p", Want{}, webcam, capture.MJPEG, 1920, 1080},
		{"nothing wanted, raw: the largest that keeps up", Want{}, raw, capture.YUYV, 1280, 720},
		{"a high rate", Want{Rate: 25}, raw, capture.YUYV, 640, 480},
		{"a rate that nothing has", Want{Rate: 100}, raw, capture.YUYV, 1920, 1080},
		{"29.97 is 30", Want{Rate: 30}, []Offer{offer("MJPG", 'M', one(640, 480, 29.97), one(320, 240, 30))}, capture.MJPEG, 640, 480},
		{"a size that is offered", Want{Width: 640, Height: 480}, webcam, capture.MJPEG, 640, 480},
		{"a large size that is offered", Want{Width: 3840, Height: 2160}, webcam, capture.MJPEG, 3840, 2160},
		{"the nearest", Want{Width: 700, Height: 500}, webcam, capture.MJPEG, 640, 480},
		{"the larger of two as near", Want{Width: 700, Height: 500}, []Offer{offer("MJPG", 'M', one(680, 500), one(720, 500), one(690, 490))}, capture.MJPEG, 720, 500},
		{"the wanted size before the better layout", Want{Width: 800, Height: 600},
			[]Offer{offer("MJPG", 'M', one(640, 480)), offer("YUYV", 'Y', one(800, 600))}, capture.YUYV, 800, 600},
		{"NV12 before YUYV before grey", Want{}, []Offer{offer("GREY", 'G', one(640, 480)), offer("YUYV", 'Y', one(640, 480)), offer("NV12", 'N', one(640, 480))}, capture.NV12, 640, 480},
		{"a layout that is asked for", Want{Pixel: capture.YUYV}, webcam, capture.YUYV, 1280, 720},
		{"H264 when asked for", Want{Pixel: capture.H264}, webcam, capture.H264, 1920, 1080},
		{"a range", Want{}, wide, capture.NV12, 1920, 1080},
		{"a size between the steps of a range", Want{Width: 650, Height: 487}, wide, capture.NV12, 640, 480},
		{"below a range", Want{Width: 1, Height: 1}, wide, capture.NV12, 16, 16},
		{"no sizes said", Want{Width: 800, Height: 600}, []Offer{offer("MJPG", 'M')}, capture.MJPEG, 800, 600},
		{"nothing said, nothing wanted", Want{}, []Offer{offer("MJPG", 'M')}, capture.MJPEG, 1920, 1080},
		{"only larger than usual", Want{}, []Offer{offer("MJPG", 'M', one(2592, 1944), one(3840, 2160))}, capture.MJPEG, 2592, 1944},
	} {
		got := picks(c.want, c.offers)
		if len(got) == 0 || got[0].pixel != c.pixel || got[0].width != c.w || got[0].height != c.h {
			t.Errorf("%s: %+v, want %dx%d %v first", c.name, got, c.w, c.h, c.pixel)
		}
	}
	for name, offers := range map[string][]Offer{
		"nothing": nil, "only H264": webcam[2:3], "only Bayer": webcam[3:],
	} {
		if got := picks(Want{}, offers); len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSummaryIsForPeople(t *testing.T) {
	got := summary([]Offer{offer("H264", 'H', one(640, 480), one(1920, 1080)), offer("BA81", 'B')})
	if got != "H264 up to 1920x1080, BA81" {
		t.Error(got)
	}
	if got := summary(nil); got != "no format at all" {
		t.Error(got)
	}
}

func TestFourCCIsFitForATerminal(t *testing.T) {
	for code, want := range map[uint32]string{0x47504a4d: "MJPG", 0x20203859: "Y8", 0x1b5b3148: "H1[."} {
		if got := fourCC(code); got != want {
			t.Errorf("%#x is %q, want %q", code, got, want)
		}
	}
}

func TestInOrder(t *testing.T) {
	o := []Offer{offer("ZZZZ", 1), offer("GREY", 2), offer("AAAA", 3), offer("MJPG", 4), offer("NV12", 5)}
	inOrder(o)
	got := ""
	for _, x := range o {
		got += x.FourCC + " "
	}
	if got != "MJPG NV12 GREY AAAA ZZZZ " {
		t.Error(got)
	}
}
