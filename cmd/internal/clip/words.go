package clip

import (
	"fmt"
	"strings"
	"time"
)

// endings say why a clip ended early; SPEC.md of uplink/seal has the tokens.
var endings = map[string]string{
	"longest": "cut at its longest", "camera": "ended early: the camera was lost", "format": "ended early: the picture changed its form",
	"stopped": "ended early: the camera was stopped", "no-key-frame": "ended early: no key frame came",
}

// maxHoles bounds the holes that Words tells one by one.
const maxHoles = 4

// Words says, for a person, what there is of the clip and what is missing; parts
// count from 1.
//
//	clip of event 5: 7 parts, 7.0 s, from 5.0 s before
//	clip of event 5: 6 of 7 parts, 7.0 s, from 5.0 s before; part 3 missing (2.0 s to 3.0 s)
//	clip of event 5: 6 parts, 6.0 s, from 5.0 s before; its end has not come
func (f *Film) Words() string {
	count := fmt.Sprint(len(f.parts))
	if f.last >= 0 && !f.Whole() {
		count += fmt.Sprintf(" of %d", f.last+1)
	}
	noun := "parts"
	if len(f.parts) == 1 && (f.last <= 0) {
		noun = "part"
	}
	words := fmt.Sprintf("clip of event %d: %s %s", f.key.Event, count, noun)
	if length := f.Length(); length > 0 {
		words += ", " + seconds(length)
	}
	if f.marks.PreRoll > 0 {
		words += ", from " + seconds(f.marks.PreRoll) + " before"
	}
	if len(f.marks.Also) > 0 {
		words += fmt.Sprintf(", with event %s", strings.Trim(strings.ReplaceAll(fmt.Sprint(f.marks.Also), " ", ", "), "[]"))
	}
	if f.marks.Ended != "" {
		ending, known := endings[f.marks.Ended]
		if !known {
			ending = "ended early: " + f.marks.Ended
		}
		words += "; " + ending
	}
	if hole := f.Holes(); hole != "" {
		words += "; " + hole
	}
	return words
}

// Length returns when the last part that has come ends, on the clip's own clock.
func (f *Film) Length() (end time.Duration) {
	for _, p := range f.parts {
		end = max(end, p.span.end)
	}
	return end
}

// Holes says which parts are missing, and which times; "" if the film is whole.
func (f *Film) Holes() string {
	missing, ended := f.Missing()
	var holes []string
	for i := 0; i < len(missing); {
		j := i + 1
		for j < len(missing) && missing[j] == missing[j-1]+1 {
			j++
		}
		if len(holes) == maxHoles {
			holes = append(holes, "and more")
			break
		}
		holes = append(holes, f.hole(missing[i], missing[j-1]))
		i = j
	}
	if !ended {
		holes = append(holes, "its end has not come")
	}
	return strings.Join(holes, ", ")
}

// hole says one: its parts, and from when to when.
func (f *Film) hole(from, to uint32) string {
	words := fmt.Sprintf("part %d missing", from+1)
	if from != to {
		words = fmt.Sprintf("parts %d to %d missing", from+1, to+1)
	}
	next, ok := f.parts[to+1]
	if !ok || next.span == (span{}) {
		return words
	}
	var begin time.Duration
	if from > 0 {
		begin = f.parts[from-1].span.end
	}
	return fmt.Sprintf("%s (%s to %s)", words, seconds(begin), seconds(next.span.begin))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
