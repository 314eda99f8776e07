package drill

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealcam/sealcam/cmd/internal/clip"
	"github.com/sealcam/sealcam/uplink/seal"
)

const adapterEnv = "SEALCAM_DRILL_ADAPTER"

// TestMain makes this program a viewer when a drill has started it as one.
func TestMain(m *testing.M) {
	how := os.Getenv(adapterEnv)
	if how == "" {
		os.Exit(m.Run())
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxAnswer)
	v := &tiny{how: how}
	for lines.Scan() {
		answer, err := v.answer(strings.Fields(lines.Text()))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		fmt.Println(answer)
	}
}

// tiny is a viewer of others, as small as one can be.
type tiny struct {
	how    string
	config seal.OpenerConfig
	now    time.Time
	opener *seal.Opener
	films  films
}

func (v *tiny) answer(f []string) (string, error) {
	switch v.how {
	case "silent at the end":
		if f[0] == "gaps" {
			return "", errors.New("out of order")
		}
	case "nonsense":
		if f[0] == "open" {
			return "shown it", nil
		}
	case "another protocol":
		return "hello", nil
	}
	switch f[0] {
	case "sealcam-drill":
		if v.how == "joins nothing" {
			return "sealcam-drill 1", nil
		}
		return "sealcam-drill 1 clips", nil
	case "begin":
		v.films = films{}
		key := new(seal.ViewerKey)
		if err := key.UnmarshalText([]byte(f[2])); err != nil {
			return "", err
		}
		v.config = seal.OpenerConfig{Household: seal.HouseholdID(f[1]), Key: key, Now: func() time.Time { return v.now }}
		return v.roster(f[3])
	case "roster":
		return v.roster(f[1])
	case "open":
		return v.open(f[1], seal.CameraID(f[2]), strings.Join(f[3:], ""))
	case "reconnect":
		v.config.State = v.opener.State()
		return v.make()
	case "forget":
		v.config.State, v.films = nil, films{}
		return v.make()
	case "clip":
		return v.clip(seal.CameraID(f[1]), f[2], f[3])
	case "gaps":
		out := "gaps"
		for _, g := range v.opener.Gaps(seal.CameraID(f[1])) {
			out += fmt.Sprintf(" %d-%d", g.First, g.Last)
		}
		return out, nil
	}
	return "", fmt.Errorf("no request %q", f[0])
}

func (v *tiny) roster(text string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", err
	}
	r, err := seal.OpenRoster(v.config.Household, b)
	if err != nil {
		return "", err
	}
	first := v.config.Roster == nil || v.config.Roster.Household != r.Household || r.Version == 1
	if v.config.Roster = r; first {
		return v.make()
	}
	return "ok", v.opener.SetRoster(r)
}

func (v *tiny) make() (_ string, err error) {
	v.opener, err = seal.NewOpener(v.config)
	return "ok", err
}

func (v *tiny) open(now string, camera seal.CameraID, text string) (string, error) {
	us, err := strconv.ParseInt(now, 10, 64)
	if err != nil {
		return "", err
	}
	v.now = time.UnixMicro(us)
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", err
	}
	got, err := v.opener.Open(camera, sealed)
	if err != nil {
		return "refused " + strings.ReplaceAll(string(seal.ReasonOf(err)), " ", "_"), nil
	}
	v.films.add(got)
	of, media := got.Media()
	shown := base64.StdEncoding.EncodeToString(media)
	if shown == "" {
		shown = "-"
	}
	if v.how == "swaps" {
		of = camera[1:] + camera[:1]
	}
	return fmt.Sprintf("shown %s %s %d %s", of, got.Meta().Stream, got.Meta().Seq, shown), nil
}

func (v *tiny) clip(camera seal.CameraID, boot, event string) (string, error) {
	k := clip.Key{Camera: camera}
	if _, err := hex.Decode(k.Boot[:], []byte(boot)); err != nil {
		return "", err
	}
	var err error
	if k.Event, err = strconv.ParseUint(event, 10, 64); err != nil {
		return "", err
	}
	s, err := v.films.say(k)
	how, missing, film := "partial", "-", "-"
	if s.whole {
		how = "whole"
	}
	if len(s.missing) > 0 {
		missing = strings.ReplaceAll(strings.Trim(fmt.Sprint(s.missing), "[]"), " ", ",")
	}
	if s.film != nil {
		film = base64.StdEncoding.EncodeToString(s.film)
	}
	return fmt.Sprintf("clip %s %s %s", how, missing, film), err
}

// TestAdapter puts another program through the drill: it fares as the opener
// that it is made of.
func TestAdapter(t *testing.T) {
	t.Setenv(adapterEnv, "well")
	c := Config{Deliveries: 1200, Sessions: 4, Households: 2, Cameras: 2, Seed: 4, Exec: []string{os.Args[0]}}
	theirs := run(t, c)
	if !theirs.Passed() {
		t.Errorf("%d wrong, %d unaccounted for: %q", theirs.WrongShown, theirs.AuthenticUnaccounted, theirs.Examples)
	}
	c.Exec = nil
	ours := run(t, c)
	for name, row := range ours.Attacks {
		row.Alarms = 0 // which the protocol does not tell
		if got := theirs.Attacks[name]; fmt.Sprint(got) != fmt.Sprint(row) {
			t.Errorf("%s: the adapter had %v, the opener %v", name, got, row)
		}
	}
	if theirs.Viewer != "exec:"+os.Args[0] || theirs.AuthenticShown != ours.AuthenticShown {
		t.Errorf("%s showed %d, the opener %d", theirs.Viewer, theirs.AuthenticShown, ours.AuthenticShown)
	}
	if fmt.Sprint(theirs.Clips) != fmt.Sprint(ours.Clips) || ours.Clips.Tried == 0 {
		t.Errorf("of clips the adapter had %v, the opener %v", theirs.Clips, ours.Clips)
	}
	t.Setenv(adapterEnv, "joins nothing") // as programs did before there were clips
	few := c
	few.Deliveries, few.Sessions, few.Exec = 500, 2, []string{os.Args[0]}
	if r := run(t, few); !r.Passed() || r.Clips.Tried != 0 {
		t.Errorf("a program without clips: %d wrong, %d unaccounted for, %d clips", r.WrongShown, r.AuthenticUnaccounted, r.Clips.Tried)
	}
	t.Setenv(adapterEnv, "swaps")
	c.Exec = []string{os.Args[0]}
	if r := run(t, c); r.WrongShown == 0 {
		t.Error("a viewer that shows pictures under other names has passed")
	}
}

// TestAdapterFails: what is no answer ends the drill with a sentence.
func TestAdapterFails(t *testing.T) {
	for how, words := range map[string]string{
		"another protocol":  `answered "sealcam-drill 1" with "hello"`,
		"nonsense":          `answered "open" with "shown it"`,
		"silent at the end": `ended instead of answering "gaps"`,
	} {
		t.Setenv(adapterEnv, how)
		var stderr bytes.Buffer
		_, err := Run(t.Context(), Config{Deliveries: 400, Sessions: 2, Households: 2, Cameras: 2, Seed: 4, Workers: 1, Exec: []string{os.Args[0]}, Stderr: &stderr})
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", how, err)
		}
	}
	if _, err := Run(t.Context(), Config{Deliveries: 1000, Households: 2, Cameras: 2, Exec: []string{"/nowhere/viewer"}}); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// TestAnswers: what a program may say, and may not.
func TestAnswers(t *testing.T) {
	for line, ok := range map[string]bool{
		"shown x live 7 AAAA": true, "shown x live 7 -": true, "refused not_for_you": true, "shown x dead 7 AAAA": false,
		"shown x live -7 AAAA": false, "shown x live 7 A": false, "shown x live 7": false, "refused": false, "": false,
	} {
		if _, got := parseAnswer(strings.Split(line, " ")); got != ok {
			t.Errorf("%q as an answer to open: %v", line, got)
		}
	}
	for line, ok := range map[string]bool{
		"clip whole - AAAA": true, "clip partial 0,2 AAAA": true, "clip partial - -": true, "clip": false, "clip half - AAAA": false,
		"clip whole 1,x AAAA": false, "clip whole - A": false, "clip whole -": false, "clip whole 99999999999 -": false,
	} {
		if _, got := parseClip(strings.Split(line, " ")); got != ok {
			t.Errorf("%q as an answer to clip: %v", line, got)
		}
	}
	for line, ok := range map[string]bool{
		"gaps": true, "gaps 1-2 7-7": true, "gaps 2-1": false, "gaps 1": false, "gaps -1-2": false, "gaps ": false, "holes": false,
	} {
		if _, got := parseGaps(strings.Split(line, " ")); got != ok {
			t.Errorf("%q as an answer to gaps: %v", line, got)
		}
	}
}

// FuzzAnswer: whatever a program says, nothing of it moves a terminal's cursor,
// and no answer is two things.
func FuzzAnswer(f *testing.F) {
	f.Add("shown x live 7 AAAA")
	f.Add("refused not_for_you\x1b[2J")
	f.Add("clip partial 1,2 AAAA")
	f.Add("gaps 1-2 3-18446744073709551615")
	f.Fuzz(func(t *testing.T, line string) {
		fields := strings.Split(line, " ")
		a, isAnswer := parseAnswer(fields)
		spans, isGaps := parseGaps(fields)
		_, isClip := parseClip(fields)
		if isAnswer && (isGaps || isClip) || isGaps && isClip || isAnswer && a.shown == (a.reason != "") && a.reason != "" {
			t.Errorf("%q is two things", line)
		}
		if strings.ContainsFunc(a.reason, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is told as %q", line, a.reason)
		}
		for _, s := range spans {
			if s.first > s.last {
				t.Errorf("%q has a gap %v", line, s)
			}
		}
	})
}
