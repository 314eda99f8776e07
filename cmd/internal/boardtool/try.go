package boardtool

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/sealcam/sealcam/capture"
	"github.com/sealcam/sealcam/capture/daynight"
	"github.com/sealcam/sealcam/cmd/internal/cli"
	"github.com/sealcam/sealcam/cmd/internal/pins"
)

const testText = `
Drives each part of a board and says whether it works. With a camera it looks at
the picture's answer, so that a filter whose sides are swapped and a lamp that
does not light are found without you; what only you can see it asks. Best with the
camera before something near, in daylight for the filter and in the dark for the
lamp. BOARD is a name from board list or a file.
`

// try is one test of a board.
type try struct {
	env    *cli.Env
	in     *bufio.Reader
	b      *pins.Board
	eye    *lookout // nil without a camera
	ask    bool     // somebody is there to answer
	failed int
	open   int // questions that nobody answered
}

func (c Tool) test(ctx context.Context, env *cli.Env, args []string) error {
	flags := env.Flags("board test", c.Program+" board test [--source DEVICE] [--alone] BOARD", testText)
	source := flags.String("source", "auto", "the `camera` whose picture answers; \"none\" for no camera")
	alone := flags.Bool("alone", false, "ask nobody: what only a person can see stays open")
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return cli.Usagef("one BOARD was expected, found %d", flags.NArg())
	}
	p, err := c.profile(flags.Args())
	if err != nil {
		return err
	}
	b, err := c.openBoard(env, p)
	if err != nil {
		return err
	}
	defer b.Close()
	t := &try{env: env, in: bufio.NewReader(env.Stdin), b: b, ask: !*alone}
	if *source != "none" {
		cam, err := c.Open(ctx, *source)
		if err != nil {
			return cli.Hint(err, "without a camera: --source none")
		}
		defer cam.Close()
		t.eye = &lookout{cam: cam}
	}
	fmt.Fprintf(env.Stdout, "%s: every part is driven now, one after the other.\n\n", p.Title)
	if err := t.all(ctx); err != nil {
		return err
	}
	switch {
	case t.failed > 0:
		return cli.Hint(errBoardFailed, "%s is where to change it; boards/README.md tells how", p.File)
	case t.open > 0:
		fmt.Fprintf(env.Stdout, "\nNothing failed; %d parts could not be told.\n", t.open)
	default:
		fmt.Fprintln(env.Stdout, "\nEverything works.")
	}
	return b.Close()
}

// all tests every part that the board has.
func (t *try) all(ctx context.Context) error {
	for _, part := range []struct {
		there bool
		test  func(context.Context) error
	}{
		{t.b.Status != nil, t.status},
		{t.b.Actuator.HasFilter(), t.filter},
		{t.b.Actuator.HasLamp(), t.lamp},
		{t.b.Actuator.Dims(), t.dimmer},
		{t.b.Ambient != nil, t.ambient},
		{t.b.Button != nil, t.button},
	} {
		if part.there {
			if err := part.test(ctx); err != nil {
				return err
			}
		}
	}
	for _, f := range t.b.Faults {
		t.say("FAIL", "light sensor", f)
	}
	return nil
}

// say prints one result.
func (t *try) say(verdict, part, detail string) {
	switch verdict {
	case "FAIL":
		t.failed++
	case "?":
		t.open++
	}
	fmt.Fprintf(t.env.Stdout, "%-4s  %-12s  %s\n", verdict, part, detail)
}

// question asks something that only a person can see.
func (t *try) question(part, text, good, bad string) {
	if !t.ask {
		t.say("?", part, "nobody was asked: "+text)
		return
	}
	fmt.Fprintf(t.env.Stdout, "      %s [y/n] ", text)
	answer, err := t.in.ReadString('\n')
	switch answer = strings.ToLower(strings.TrimSpace(answer)); {
	case strings.HasPrefix(answer, "y"):
		t.say("ok", part, good)
	case strings.HasPrefix(answer, "n"):
		t.say("FAIL", part, bad)
	default:
		if err == io.EOF {
			t.ask = false
		}
		t.say("?", part, "no answer")
	}
}

func (t *try) status(context.Context) error {
	if err := t.b.Status.Set(true); err != nil {
		return err
	}
	t.question("status light", "Is the status light lit?", "lit", "not lit: another pin, or active_low is wrong")
	return t.b.Status.Set(false)
}

// brighter and darker are how much the picture must change at once to be an
// answer: more than noise and clouds do within a second.
const (
	brighter = 1.12
	darker   = 1 / brighter
)

// darkLight is a picture, at rest, in which a lamp that reaches anything shows: 40 of
// 255, as a share of full scale. Exposure has nothing left to give then.
const darkLight = 0.017

// filter moves the filter away and back and looks which way the picture goes.
func (t *try) filter(ctx context.Context) error {
	act := t.b.Actuator
	day, night := daynight.Action{Filter: daynight.FilterDay}, daynight.Action{Filter: daynight.FilterNight}
	if err := act.Apply(day); err != nil {
		return err
	}
	if t.eye == nil {
		if err := act.Apply(night); err != nil {
			return err
		}
		t.question("cut filter", "It was moved. Did you hear it click?", "it moves; which way, only a picture tells", "it does not move")
		return act.Apply(day)
	}
	opened, _, err := t.eye.change(ctx, func() error { return act.Apply(night) })
	if err != nil {
		return err
	}
	closed, _, err := t.eye.change(ctx, func() error { return act.Apply(day) })
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("picture x%.2f when opened, x%.2f when closed", opened, closed)
	switch {
	case opened >= brighter && closed <= darker:
		t.say("ok", "cut filter", detail)
	case opened <= darker && closed >= brighter:
		t.say("FAIL", "cut filter", "its sides are swapped: "+detail+". Exchange day and night, or turn day_high round")
	default:
		t.question("cut filter", "The picture did not tell ("+detail+"): this light holds little infrared. Did you hear two clicks?",
			"it moves; try again in daylight to know which way", "it does not move")
	}
	return nil
}

// lamp lights the lamp with the filter open.
func (t *try) lamp(ctx context.Context) error {
	act := t.b.Actuator
	dark, lit := daynight.Action{Filter: daynight.FilterNight}, daynight.Action{Filter: daynight.FilterNight, Lamp: 1}
	if err := act.Apply(dark); err != nil {
		return err
	}
	if t.eye == nil {
		if err := act.Apply(lit); err != nil {
			return err
		}
		t.question("lamp", "Is the lamp lit? (850 nm glows dark red; 940 nm only a phone's camera sees)", "lit", "not lit: another pin, or active_low is wrong")
		return act.Apply(dark)
	}
	on, base, err := t.eye.change(ctx, func() error { return act.Apply(lit) })
	if err != nil {
		return err
	}
	off, _, err := t.eye.change(ctx, func() error { return act.Apply(dark) })
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("picture x%.2f when lit, x%.2f when put off", on, off)
	switch {
	case on >= brighter && off <= darker:
		t.say("ok", "lamp", detail)
	case on <= darker && off >= brighter:
		t.say("FAIL", "lamp", "it is lit when it should be off: "+detail+". Turn active_low round")
	case base < darkLight:
		t.say("FAIL", "lamp", "it does not brighten a dark picture: "+detail+". Another pin, the lamp is dead, or nothing is within its reach")
	default:
		t.question("lamp", "The picture did not tell ("+detail+"): it is too bright here, or nothing is near. Was the lamp lit just now?",
			"lit; try again in the dark to know how far it reaches", "it did not light: another pin, or the lamp is dead")
	}
	return nil
}

// dimmer compares a low power with full power.
func (t *try) dimmer(ctx context.Context) error {
	act := t.b.Actuator
	if t.eye == nil {
		t.say("?", "dimmer", "only a picture tells")
		return nil
	}
	low, full := daynight.Action{Filter: daynight.FilterNight, Lamp: 0.25}, daynight.Action{Filter: daynight.FilterNight, Lamp: 1}
	if err := act.Apply(low); err != nil {
		return err
	}
	up, _, err := t.eye.change(ctx, func() error { return act.Apply(full) })
	if err != nil {
		return err
	}
	if up >= brighter {
		t.say("ok", "dimmer", fmt.Sprintf("picture x%.2f from a quarter to full power", up))
	} else {
		t.say("?", "dimmer", fmt.Sprintf("picture x%.2f from a quarter to full power: too bright here to tell", up))
	}
	return act.Apply(daynight.Action{Filter: daynight.FilterDay})
}

func (t *try) ambient(context.Context) error {
	v, err := t.b.Ambient.Read()
	if err != nil {
		t.say("FAIL", "light sensor", err.Error())
		return nil
	}
	if !t.ask {
		t.say("?", "light sensor", fmt.Sprintf("reads %.4g; nobody was there to cover it", v))
		return nil
	}
	fmt.Fprintf(t.env.Stdout, "      The light sensor reads %.4g. Cover it and press Enter. ", v)
	if _, err := t.in.ReadString('\n'); err != nil {
		t.ask = false
	}
	covered, err := t.b.Ambient.Read()
	switch {
	case err != nil:
		t.say("FAIL", "light sensor", err.Error())
	case covered < v/2:
		t.say("ok", "light sensor", fmt.Sprintf("%.4g open, %.4g covered", v, covered))
	case covered > v:
		t.say("FAIL", "light sensor", fmt.Sprintf("%.4g open, %.4g covered: light lowers it, so dark has to be set", v, covered))
	default:
		t.say("FAIL", "light sensor", fmt.Sprintf("%.4g open, %.4g covered: it does not see light", v, covered))
	}
	return nil
}

// buttonWait is how long a person gets to press the button.
const buttonWait = 15 * time.Second

func (t *try) button(ctx context.Context) error {
	if !t.ask {
		t.say("?", "button", "nobody was there to press it")
		return nil
	}
	fmt.Fprintf(t.env.Stdout, "      Press the button shortly, within %v.\n", buttonWait)
	ctx, cancel := context.WithTimeout(ctx, buttonWait)
	defer cancel()
	pressed := pins.NoPress
	if err := t.b.Button.Run(ctx, func(p pins.Press) { pressed = p; cancel() }); err != nil {
		return err
	}
	if pressed == pins.NoPress {
		t.say("FAIL", "button", "no press was seen: another pin, or active_low or pull is wrong")
	} else {
		t.say("ok", "button", pressed.String()+" press")
	}
	return nil
}

// lookout looks at a camera's picture.
type lookout struct {
	cam    capture.Camera
	reader capture.LumaReader
	look   daynight.Looker
}

// silence is how long a camera may deliver nothing before it is given up.
const silence = 10 * time.Second

// Times of one change: exposure comes to rest before it, and must not have
// made up for it when the answer is taken.
const (
	restTime   = 3 * time.Second
	beforeTime = 500 * time.Millisecond
	answerTime = 1500 * time.Millisecond
)

// change returns by which factor the picture's light changes at once when do is
// done, and what it was before, as a share of full scale.
func (l *lookout) change(ctx context.Context, do func() error) (factor, base float64, err error) {
	if _, err := l.watch(ctx, restTime); err != nil {
		return 0, 0, err
	}
	before, err := l.watch(ctx, beforeTime)
	if err != nil {
		return 0, 0, err
	}
	if err := do(); err != nil {
		return 0, 0, err
	}
	after, err := l.watch(ctx, answerTime)
	if err != nil {
		return 0, 0, err
	}
	for _, v := range before {
		base += v / float64(len(before))
	}
	// Exposure answers within the second: what counts is the furthest away.
	factor = 1.0
	for _, v := range after {
		if f := (v + 1e-4) / (base + 1e-4); math.Abs(math.Log(f)) > math.Abs(math.Log(factor)) {
			factor = f
		}
	}
	return factor, base, nil
}

// watch returns the light of every picture within d of the camera's time.
func (l *lookout) watch(ctx context.Context, d time.Duration) ([]float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d+silence, capture.ErrStuck)
	defer cancel()
	var all []float64
	var f capture.Frame
	start, last := time.Duration(-1), time.Duration(0)
	for start < 0 || f.Mono-start < d {
		if err := l.cam.Next(ctx, &f); err != nil {
			if _, bad := err.(*capture.BadFrame); bad {
				continue
			}
			return nil, err
		}
		luma, err := l.reader.Read(&f)
		if err != nil {
			continue // a bad frame among good ones
		}
		if start < 0 || f.Mono-last > time.Second { // what was queued while a person was asked is old
			start, all = f.Mono, all[:0]
		}
		last = f.Mono
		all = append(all, math.Pow(l.look.Look(luma).Mean/255, 2.2))
	}
	return all, nil
}
