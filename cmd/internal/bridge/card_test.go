package bridge

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Cards are drawn whatever people call their cameras, and differ by what they say.
func TestCards(t *testing.T) {
	seen := map[string]string{}
	for name, c := range map[string]card{
		"refused": {Refused: true, Title: "This picture was changed on its way, or is not from your camera", Text: "It was not shown.", Detail: "Front door: broken seal"},
		"stale":   {Title: "No fresh picture since 02:14:07", Text: "An older one is not shown as now.", Detail: "Front door"},
		"long":    {Refused: true, Title: strings.Repeat("no end of it ", 40), Text: strings.Repeat("x", 4000), Detail: strings.Repeat("é\u202e", 64)},
		"empty":   {},
	} {
		b := c.draw()
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil || img.Bounds() != image.Rect(0, 0, cardWidth, cardHeight) {
			t.Errorf("%s: %v", name, err)
		}
		if len(b) > 100<<10 {
			t.Errorf("%s: %d bytes", name, len(b))
		}
		if other, drawn := seen[string(b)]; drawn {
			t.Errorf("%s and %s look the same", name, other)
		}
		seen[string(b)] = name
		if dir := os.Getenv("SEALCAM_CARDS"); dir != "" { // to look at them
			if err := os.WriteFile(filepath.Join(dir, name+".jpg"), b, 0o600); err != nil {
				t.Error(err)
			}
		}
	}
}
