package lens

import (
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

const (
	// maxCentres is how many finder patterns are considered. All sets of three
	// are tried, so their number is what a hostile picture would make large.
	maxCentres = 96
	// rowStep is from one row in which patterns are looked for to the next; the
	// smallest pattern that can be read has its middle in seven.
	rowStep = 2
	minSide = 21 // modules of the smallest code
)

// decode returns the text of the code in g, or "".
func decode(g *grey) (text string) {
	defer func() {
		// The library takes pictures as cameras give them, and strangers'. A
		// panic of it must cost a look, not the camera.
		if recover() != nil {
			text = ""
		}
	}()
	if g.w < minSide || g.h < minSide {
		return ""
	}
	source, err := gozxing.NewPlanarYUVLuminanceSource(g.pix, g.w, g.h, 0, 0, g.w, g.h, false)
	if err != nil {
		return ""
	}
	bits, err := gozxing.NewHybridBinarizer(source).GetBlackMatrix()
	if err != nil {
		return ""
	}
	info := locate(bits)
	if info == nil {
		return ""
	}
	found, err := detector.NewDetector(bits).ProcessFinderPatternInfo(info)
	if err != nil {
		return ""
	}
	result, err := decoder.NewDecoder().Decode(found.GetBits(), nil)
	if err != nil {
		return ""
	}
	return result.GetText()
}

// locate returns the three finder patterns that fit together best, nil if there
// are none, or so many that it is no code held before a camera.
func locate(bits *gozxing.BitMatrix) *detector.FinderPatternInfo {
	f := detector.NewFinderPatternFinder(bits, nil)
	w := bits.GetWidth()
	var runs []int // lengths of light and dark by turns, light first
	for y := rowStep; y < bits.GetHeight(); y += rowStep {
		runs = runs[:0]
		length, dark := 0, false
		for x := range w {
			if bits.Get(x, y) == dark {
				length++
				continue
			}
			runs, length, dark = append(runs, length), 1, !dark
		}
		runs = append(runs, length)
		end := runs[0]
		for i := 1; i+4 < len(runs); i += 2 {
			if counts := runs[i : i+5]; detector.FinderPatternFinder_foundPatternCross(counts) {
				stop := end + counts[0] + counts[1] + counts[2] + counts[3] + counts[4]
				f.HandlePossibleCenter(append([]int(nil), counts...), y, stop)
				if len(f.GetPossibleCenters()) > maxCentres {
					return nil
				}
			}
			end += runs[i] + runs[i+1]
		}
	}
	best, err := f.SelectBestPatterns()
	if err != nil {
		return nil
	}
	bottom, corner, right := gozxing.ResultPoint_OrderBestPatterns(best[0], best[1], best[2])
	return detector.NewFinderPatternInfo(bottom.(*detector.FinderPattern), corner.(*detector.FinderPattern), right.(*detector.FinderPattern))
}
